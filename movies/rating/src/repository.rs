//! All SQL of the rating service.

mod batch;
mod outside;

use crate::model::{Aggregate, Change, Difference, HalfStars, OwnRating, Rating, Record};
use backlot::Timestamp;
use backlot::storage::{Dialect, Migration, Migrations, Row, Sql, StoreError, Tx, params, sql};

pub(crate) const MIGRATIONS: Migrations = &[
    Migration::new(1, "ratings", include_str!("../migrations/1_ratings.sql"))
        .mysql(include_str!("../migrations/1_ratings.mysql.sql"))
        .postgres(include_str!("../migrations/1_ratings.postgres.sql")),
    Migration::new(2, "times", include_str!("../migrations/2_times.sql"))
        .mysql(include_str!("../migrations/2_times.mysql.sql"))
        .postgres(include_str!("../migrations/2_times.postgres.sql")),
];

const SELECT_RATING: Sql =
    sql!("SELECT half_stars FROM ratings WHERE record_type = ? AND record_id = ? AND user_id = ?");
const UPSERT_RATING: Sql = sql! {
    default: "INSERT INTO ratings (user_id, record_type, record_id, half_stars, rated_at)
     VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (user_id, record_type, record_id)
     DO UPDATE SET half_stars = excluded.half_stars, rated_at = excluded.rated_at",
    mysql: "INSERT INTO ratings (user_id, record_type, record_id, half_stars, rated_at)
     VALUES (?, ?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE half_stars = VALUES(half_stars), rated_at = VALUES(rated_at)",
};
const DELETE_RATING: Sql =
    sql!("DELETE FROM ratings WHERE record_type = ? AND record_id = ? AND user_id = ?");
// The first change of a record is an addition, so that the inserted row is its aggregate; a later
// one adds the difference.
const ADD_TO_AGGREGATE: Sql = sql!(
    "INSERT INTO aggregates
        (record_type, record_id, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version,
         changed_at)
     VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)"
);
const CHANGE_AGGREGATE: Sql = sql! {
    default: "UPDATE aggregates SET count = count + ?, sum = sum + ?,
        h1 = h1 + ?, h2 = h2 + ?, h3 = h3 + ?, h4 = h4 + ?, h5 = h5 + ?,
        h6 = h6 + ?, h7 = h7 + ?, h8 = h8 + ?, h9 = h9 + ?, h10 = h10 + ?,
        version = version + 1, changed_at = ?
     WHERE record_type = ? AND record_id = ?
     RETURNING count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version",
    mysql: "UPDATE aggregates SET count = count + ?, sum = sum + ?,
        h1 = h1 + ?, h2 = h2 + ?, h3 = h3 + ?, h4 = h4 + ?, h5 = h5 + ?,
        h6 = h6 + ?, h7 = h7 + ?, h8 = h8 + ?, h9 = h9 + ?, h10 = h10 + ?,
        version = version + 1, changed_at = ?
     WHERE record_type = ? AND record_id = ?",
};
const SELECT_AGGREGATE: Sql = sql!(
    "SELECT count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version
     FROM aggregates WHERE record_type = ? AND record_id = ?"
);
// Where a page starts is given twice: as a tuple, which two of the databases seek by, and by its
// first part, which the third seeks by (the sign keeps the others from it).
const OF_USER: Sql = sql! {
    default: "SELECT record_type, record_id, half_stars, rated_at FROM ratings
     WHERE user_id = ? AND +rated_at <= ? AND (rated_at, record_type, record_id) < (?, ?, ?)
     ORDER BY rated_at DESC, record_type DESC, record_id DESC LIMIT ?",
    mysql: "SELECT record_type, record_id, half_stars, rated_at FROM ratings
     WHERE user_id = ? AND rated_at <= ? AND (rated_at, record_type, record_id) < (?, ?, ?)
     ORDER BY rated_at DESC, record_type DESC, record_id DESC LIMIT ?",
};
const CHANGES: Sql = sql! {
    default: "SELECT record_id, count, sum, version, changed_at FROM aggregates
     WHERE record_type = ? AND +changed_at >= ? AND (changed_at, record_id) > (?, ?)
     ORDER BY changed_at, record_id LIMIT ?",
    mysql: "SELECT record_id, count, sum, version, changed_at FROM aggregates
     WHERE record_type = ? AND changed_at >= ? AND (changed_at, record_id) > (?, ?)
     ORDER BY changed_at, record_id LIMIT ?",
};

/// Ratings within one transaction: several calls, one commit.
pub(crate) struct Ratings<'t> {
    tx: &'t mut Tx,
}

impl<'t> Ratings<'t> {
    pub(crate) fn in_tx(tx: &'t mut Tx) -> Self {
        Ratings { tx }
    }

    /// Writes a rating over an earlier one; the record's aggregate afterwards.
    pub(crate) async fn put(
        &mut self,
        rating: &Rating,
        now: Timestamp,
    ) -> Result<Aggregate, StoreError> {
        let Rating {
            record,
            user,
            value,
            rated_at,
        } = rating;
        let before = self.get(record, user).await?;
        self.tx
            .execute(
                UPSERT_RATING,
                params![
                    user,
                    &record.kind,
                    &record.id,
                    i64::from(value.get()),
                    rated_at.unwrap_or(now)
                ],
            )
            .await?;
        self.change(record, Difference::between(before, Some(*value)), now)
            .await
    }

    /// Takes a rating back; whether there was one, and the aggregate afterwards.
    pub(crate) async fn delete(
        &mut self,
        record: &Record,
        user: &str,
        now: Timestamp,
    ) -> Result<(bool, Aggregate), StoreError> {
        let before = self.get(record, user).await?;
        self.tx
            .execute(DELETE_RATING, params![&record.kind, &record.id, user])
            .await?;
        let aggregate = self
            .change(record, Difference::between(before, None), now)
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
        row.map(|row| read_value(&row, 0)).transpose()
    }

    pub(crate) async fn aggregate(&mut self, record: &Record) -> Result<Aggregate, StoreError> {
        let row = self
            .tx
            .query_opt(SELECT_AGGREGATE, params![&record.kind, &record.id])
            .await?;
        row.as_ref()
            .map_or(Ok(Aggregate::default()), read_aggregate)
    }

    /// At most `limit` of a user's ratings from below `from` on, the latest first.
    pub(crate) async fn of_user(
        &mut self,
        user: &str,
        from: &(Timestamp, Record),
        limit: i64,
    ) -> Result<Vec<OwnRating>, StoreError> {
        let (at, record) = from;
        let rows = self
            .tx
            .query(
                OF_USER,
                params![user, *at, *at, &record.kind, &record.id, limit],
            )
            .await?;
        rows.iter().map(read_own).collect()
    }

    /// At most `limit` aggregates of records of a kind that changed after `after` (a time, and a
    /// record within it), in order of change.
    pub(crate) async fn changes(
        &mut self,
        kind: &str,
        after: &(Timestamp, String),
        limit: i64,
    ) -> Result<Vec<Change>, StoreError> {
        let (at, record_id) = after;
        let rows = self
            .tx
            .query(CHANGES, params![kind, *at, *at, record_id, limit])
            .await?;
        rows.iter().map(read_change).collect()
    }

    async fn change(
        &mut self,
        record: &Record,
        difference: Option<Difference>,
        now: Timestamp,
    ) -> Result<Aggregate, StoreError> {
        let Some(difference) = difference else {
            return self.aggregate(record).await;
        };
        let Difference {
            count,
            sum,
            histogram: h,
        } = difference;
        let change = params![
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
            now,
            &record.kind,
            &record.id
        ];
        if self.tx.dialect() == Dialect::Mysql {
            if self.tx.execute(CHANGE_AGGREGATE, &change).await? > 0 {
                return self.aggregate(record).await;
            }
        } else if let Some(row) = self.tx.query_opt(CHANGE_AGGREGATE, &change).await? {
            return read_aggregate(&row);
        }
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
                    h[9],
                    now
                ],
            )
            .await?;
        self.aggregate(record).await
    }
}

fn read_own(row: &Row) -> Result<OwnRating, StoreError> {
    Ok(OwnRating {
        record: Record {
            kind: row.get(0)?,
            id: row.get(1)?,
        },
        value: read_value(row, 2)?,
        rated_at: row.get(3)?,
    })
}

fn read_change(row: &Row) -> Result<Change, StoreError> {
    Ok(Change {
        record_id: row.get(0)?,
        count: row.get(1)?,
        sum: row.get(2)?,
        version: row.get(3)?,
        changed_at: row.get(4)?,
    })
}

fn read_value(row: &Row, column: usize) -> Result<HalfStars, StoreError> {
    let half_stars = row.get(column)?;
    HalfStars::new(half_stars).ok_or_else(|| StoreError::Column {
        column,
        expected: "1 to 10 half stars".to_owned(),
        found: half_stars.to_string(),
    })
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
