//! All SQL of the rating service.

mod batch;
mod numbers;
mod outside;

pub(crate) use batch::Written;

use crate::model::{Aggregate, Change, Difference, HalfStars, OwnRating, Rating, Record};
use backlot::Timestamp;
use backlot::storage::{
    Migration, Migrations, Param, Row, Rows, Sql, StoreError, Tx, params, rows, sql,
};

pub(crate) const MIGRATIONS: Migrations = &[
    Migration::new(1, "ratings", include_str!("../migrations/1_ratings.sql"))
        .mysql(include_str!("../migrations/1_ratings.mysql.sql"))
        .postgres(include_str!("../migrations/1_ratings.postgres.sql")),
    Migration::new(2, "times", include_str!("../migrations/2_times.sql"))
        .mysql(include_str!("../migrations/2_times.mysql.sql"))
        .postgres(include_str!("../migrations/2_times.postgres.sql")),
    Migration::new(3, "numbers", include_str!("../migrations/3_numbers.sql"))
        .mysql(include_str!("../migrations/3_numbers.mysql.sql"))
        .postgres(include_str!("../migrations/3_numbers.postgres.sql")),
];

const SELECT_RATING: Sql = sql!(
    "SELECT ratings.half_stars FROM users
     JOIN aggregates ON aggregates.record_type = ? AND aggregates.record_id = ?
     JOIN ratings ON ratings.user_number = users.number
        AND ratings.record_number = aggregates.number
     WHERE users.user_id = ?"
);
// All that a write has to know, whatever of it is there.
const SELECT_BEFORE: Sql = sql!(
    "SELECT users.number, ratings.half_stars, aggregates.number, count, sum,
        h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version
     FROM (SELECT 1 AS one) always
     LEFT JOIN users ON users.user_id = ?
     LEFT JOIN aggregates ON aggregates.record_type = ? AND aggregates.record_id = ?
     LEFT JOIN ratings ON ratings.user_number = users.number
        AND ratings.record_number = aggregates.number"
);
const UPSERT_RATINGS: Rows = rows! {
    default: [
        "INSERT INTO ratings (user_number, record_number, half_stars, rated_at) VALUES ",
        "(?, ?, ?, ?)",
        " ON CONFLICT (user_number, record_number)
          DO UPDATE SET half_stars = excluded.half_stars, rated_at = excluded.rated_at"
    ],
    mysql: [
        "INSERT INTO ratings (user_number, record_number, half_stars, rated_at) VALUES ",
        "(?, ?, ?, ?)",
        " ON DUPLICATE KEY UPDATE half_stars = VALUES(half_stars), rated_at = VALUES(rated_at)"
    ],
};
const DELETE_RATING: Sql = sql!("DELETE FROM ratings WHERE user_number = ? AND record_number = ?");
const CHANGE_AGGREGATE: Sql = sql!(
    "UPDATE aggregates SET count = ?, sum = ?, h1 = ?, h2 = ?, h3 = ?, h4 = ?, h5 = ?, h6 = ?,
        h7 = ?, h8 = ?, h9 = ?, h10 = ?, version = ?, changed_at = ?
     WHERE number = ?"
);
const SELECT_AGGREGATE: Sql = sql!(
    "SELECT count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version
     FROM aggregates WHERE record_type = ? AND record_id = ?"
);
// The time from which on a page's worth of older ratings lies, found in the tree of times alone:
// within a time ratings come in order of their records, which that tree does not know.
const PAGE_OF_USER: Sql = sql!(
    "SELECT ratings.rated_at FROM users
     JOIN ratings ON ratings.user_number = users.number
     WHERE users.user_id = ? AND ratings.rated_at < ?
     ORDER BY ratings.rated_at DESC LIMIT 1 OFFSET ?"
);
const OF_USER: Sql = sql!(
    "SELECT aggregates.record_type, aggregates.record_id, ratings.half_stars, ratings.rated_at
     FROM users
     JOIN ratings ON ratings.user_number = users.number
     JOIN aggregates ON aggregates.number = ratings.record_number
     WHERE users.user_id = ? AND ratings.rated_at >= ? AND ratings.rated_at <= ?
        AND (ratings.rated_at, aggregates.record_type, aggregates.record_id) < (?, ?, ?)
     ORDER BY ratings.rated_at DESC, aggregates.record_type DESC, aggregates.record_id DESC
     LIMIT ?"
);
// Where a page starts is given twice: as a tuple, which two of the databases seek by, and by its
// first part, which the third seeks by (the sign keeps the others from it).
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

    /// Writes a rating over an earlier one; whether that changed the record's aggregate, and what it
    /// is afterwards.
    pub(crate) async fn put(
        &mut self,
        rating: &Rating,
        now: Timestamp,
    ) -> Result<(bool, Aggregate), StoreError> {
        let Rating {
            record,
            user,
            value,
            rated_at,
        } = rating;
        let before = self.before(record, user).await?;
        let user = match before.user {
            Some(number) => number,
            None => self.new_user(user).await?,
        };
        let number = match before.record {
            Some(number) => number,
            None => self.new_record(record, now).await?,
        };
        let value_now = i64::from(value.get());
        let at = rated_at.unwrap_or(now);
        self.tx
            .execute(UPSERT_RATINGS.one(), params![user, number, value_now, at])
            .await?;
        let difference = Difference::between(before.value, Some(*value));
        let is_changed = difference.is_some();
        let after = self.change(number, before.aggregate, difference, now);
        Ok((is_changed, after.await?))
    }

    /// Takes a rating back; whether there was one, and the aggregate afterwards.
    pub(crate) async fn delete(
        &mut self,
        record: &Record,
        user: &str,
        now: Timestamp,
    ) -> Result<(bool, Aggregate), StoreError> {
        let before = self.before(record, user).await?;
        let (Some(user), Some(number), Some(_)) = (before.user, before.record, before.value) else {
            return Ok((false, before.aggregate));
        };
        self.tx
            .execute(DELETE_RATING, params![user, number])
            .await?;
        let difference = Difference::between(before.value, None);
        let aggregate = self
            .change(number, before.aggregate, difference, now)
            .await?;
        Ok((true, aggregate))
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
        let oldest = self
            .tx
            .query_opt(PAGE_OF_USER, params![user, *at, limit.saturating_sub(1)])
            .await?;
        let oldest = oldest.map_or(Ok(Timestamp(i64::MIN)), |row| row.get(0))?;
        let rows = self
            .tx
            .query(
                OF_USER,
                params![user, oldest, *at, *at, &record.kind, &record.id, limit],
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

    /// What there is before a write.
    async fn before(&mut self, record: &Record, user: &str) -> Result<Before, StoreError> {
        let Record { kind, id } = record;
        let row = self
            .tx
            .query_one(SELECT_BEFORE, params![user, kind, id])
            .await?;
        let record = row.get::<Option<i64>>(2)?;
        let value = row.get::<Option<i64>>(1)?;
        Ok(Before {
            user: row.get(0)?,
            value: value.map(|_| read_value(&row, 1)).transpose()?,
            record,
            aggregate: record.map_or(Ok(Aggregate::default()), |_| read_aggregate_at(&row, 3))?,
        })
    }

    /// Adds a difference, if it is one, to the aggregate that was read; the aggregate afterwards.
    async fn change(
        &mut self,
        number: i64,
        before: Aggregate,
        difference: Option<Difference>,
        now: Timestamp,
    ) -> Result<Aggregate, StoreError> {
        let Some(difference) = difference else {
            return Ok(before);
        };
        let after = difference.applied_to(&before).ok_or_else(|| {
            StoreError::sql(format!("aggregate {number} does not hold its ratings"))
        })?;
        let params = params_of_aggregate(&after, now, number)?;
        self.tx.execute(CHANGE_AGGREGATE, params).await?;
        Ok(after)
    }
}

/// What there is before a write.
struct Before {
    /// The user's number.
    user: Option<i64>,
    value: Option<HalfStars>,
    /// The record's number.
    record: Option<i64>,
    aggregate: Aggregate,
}

/// As [`CHANGE_AGGREGATE`] takes them.
fn params_of_aggregate(
    aggregate: &Aggregate,
    changed_at: Timestamp,
    number: i64,
) -> Result<[Param<'static>; 15], StoreError> {
    let sum = i64::try_from(aggregate.sum)
        .map_err(|error| StoreError::sql(format!("a sum too large: {error}")))?;
    let h = aggregate.histogram;
    Ok(params![
        aggregate.count,
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
        aggregate.version,
        changed_at,
        number
    ])
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
    read_aggregate_at(row, 0)
}

/// An aggregate whose columns begin at `first`.
fn read_aggregate_at(row: &Row, first: usize) -> Result<Aggregate, StoreError> {
    let mut histogram = [0; 10];
    for (cell, column) in histogram.iter_mut().zip(first + 2..) {
        *cell = row.get(column)?;
    }
    Ok(Aggregate {
        count: row.get(first)?,
        sum: row.get(first + 1)?,
        histogram,
        version: row.get(first + 12)?,
    })
}
