//! All SQL of the rating service.

use crate::model::{Aggregate, Difference, HalfStars, Rating, Record};
use backlot::storage::{Migration, Migrations, Row, Sql, StoreError, Tx, params, sql};

pub(crate) const MIGRATIONS: Migrations =
    &[
        Migration::new(1, "ratings", include_str!("../migrations/1_ratings.sql"))
            .mysql(include_str!("../migrations/1_ratings.mysql.sql"))
            .postgres(include_str!("../migrations/1_ratings.postgres.sql")),
    ];

const SELECT_RATING: Sql =
    sql!("SELECT half_stars FROM ratings WHERE record_type = ? AND record_id = ? AND user_id = ?");
const UPSERT_RATING: Sql = sql! {
    default: "INSERT INTO ratings (record_type, record_id, user_id, half_stars) VALUES (?, ?, ?, ?)
     ON CONFLICT (record_type, record_id, user_id) DO UPDATE SET half_stars = excluded.half_stars",
    mysql: "INSERT INTO ratings (record_type, record_id, user_id, half_stars) VALUES (?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE half_stars = VALUES(half_stars)",
};
const DELETE_RATING: Sql =
    sql!("DELETE FROM ratings WHERE record_type = ? AND record_id = ? AND user_id = ?");
// The first change of a record is an addition, so that the inserted row is its aggregate; a later
// one adds the difference.
const ADD_TO_AGGREGATE: Sql = sql!(
    "INSERT INTO aggregates
        (record_type, record_id, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version)
     VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
);
const CHANGE_AGGREGATE: Sql = sql!(
    "UPDATE aggregates SET count = count + ?, sum = sum + ?,
        h1 = h1 + ?, h2 = h2 + ?, h3 = h3 + ?, h4 = h4 + ?, h5 = h5 + ?,
        h6 = h6 + ?, h7 = h7 + ?, h8 = h8 + ?, h9 = h9 + ?, h10 = h10 + ?,
        version = version + 1
     WHERE record_type = ? AND record_id = ?"
);
const SELECT_AGGREGATE: Sql = sql!(
    "SELECT count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version
     FROM aggregates WHERE record_type = ? AND record_id = ?"
);

/// Ratings within one transaction: several calls, one commit.
pub(crate) struct Ratings<'t> {
    tx: &'t mut Tx,
}

impl<'t> Ratings<'t> {
    pub(crate) fn in_tx(tx: &'t mut Tx) -> Self {
        Ratings { tx }
    }

    /// Writes a rating over an earlier one; the record's aggregate afterwards.
    pub(crate) async fn put(&mut self, rating: &Rating) -> Result<Aggregate, StoreError> {
        let Rating {
            record,
            user,
            value,
        } = rating;
        let before = self.get(record, user).await?;
        self.tx
            .execute(
                UPSERT_RATING,
                params![&record.kind, &record.id, user, i64::from(value.get())],
            )
            .await?;
        self.change(record, Difference::between(before, Some(*value)))
            .await
    }

    /// Takes a rating back; whether there was one, and the aggregate afterwards.
    pub(crate) async fn delete(
        &mut self,
        record: &Record,
        user: &str,
    ) -> Result<(bool, Aggregate), StoreError> {
        let before = self.get(record, user).await?;
        self.tx
            .execute(DELETE_RATING, params![&record.kind, &record.id, user])
            .await?;
        let aggregate = self
            .change(record, Difference::between(before, None))
            .await?;
        Ok((before.is_some(), aggregate))
    }

    pub(crate) async fn get(
        &mut self,
        record: &Record,
        user: &str,
    ) -> Result<Option<HalfStars>, StoreError> {
        let row = self
            .tx
            .query_opt(SELECT_RATING, params![&record.kind, &record.id, user])
            .await?;
        let half_stars = row.map(|row| row.get::<i32>(0)).transpose()?;
        Ok(half_stars.and_then(HalfStars::new))
    }

    pub(crate) async fn aggregate(&mut self, record: &Record) -> Result<Aggregate, StoreError> {
        let row = self
            .tx
            .query_opt(SELECT_AGGREGATE, params![&record.kind, &record.id])
            .await?;
        row.as_ref()
            .map_or(Ok(Aggregate::default()), read_aggregate)
    }

    async fn change(
        &mut self,
        record: &Record,
        difference: Option<Difference>,
    ) -> Result<Aggregate, StoreError> {
        let Some(Difference {
            count,
            sum,
            histogram: h,
        }) = difference
        else {
            return self.aggregate(record).await;
        };
        let changed = self
            .tx
            .execute(
                CHANGE_AGGREGATE,
                params![
                    count,
                    sum,
                    h[0],
                    h[1],
                    h[2],
                    h[3],
                    h[4],
                    h[5],
                    h[6],
                    h[7],
                    h[8],
                    h[9],
                    &record.kind,
                    &record.id
                ],
            )
            .await?;
        if changed == 0 {
            self.tx
                .execute(
                    ADD_TO_AGGREGATE,
                    params![
                        &record.kind,
                        &record.id,
                        sum,
                        h[0],
                        h[1],
                        h[2],
                        h[3],
                        h[4],
                        h[5],
                        h[6],
                        h[7],
                        h[8],
                        h[9]
                    ],
                )
                .await?;
        }
        self.aggregate(record).await
    }
}

fn read_aggregate(row: &Row) -> Result<Aggregate, StoreError> {
    let mut histogram = [0; 10];
    for (cell, column) in histogram.iter_mut().zip(2..) {
        *cell = row.get(column)?;
    }
    Ok(Aggregate {
        count: row.get(0)?,
        sum: row.get(1)?,
        histogram,
        version: row.get(12)?,
    })
}
