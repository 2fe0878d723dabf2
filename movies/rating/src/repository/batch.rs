//! A batch of ratings: read, compared, and written by statements of many rows.
//!
//! Rows are touched in order of user and record, then aggregates in order of record: transactions
//! that do so wait for each other, but never in a ring.

use super::{Ratings, read_value};
use crate::batch::{Batch, Entry};
use crate::model::{Aggregate, Difference, HalfStars};
use backlot::Timestamp;
use backlot::storage::{Param, Rows, Sql, StoreError, params, rows};

const SELECT_RATINGS: Rows = rows! {
    default: [
        "SELECT user_id, record_id, half_stars, rated_at FROM ratings
         WHERE (user_id, record_type, record_id) IN (VALUES ",
        "(?, ?, ?)",
        ")"
    ],
    mysql: [
        "SELECT user_id, record_id, half_stars, rated_at FROM ratings
         WHERE (user_id, record_type, record_id) IN (",
        "(?, ?, ?)",
        ") ORDER BY user_id, record_type, record_id FOR UPDATE"
    ],
};
const UPSERT_RATINGS: Rows = rows! {
    default: [
        "INSERT INTO ratings (user_id, record_type, record_id, half_stars, rated_at) VALUES ",
        "(?, ?, ?, ?, ?)",
        " ON CONFLICT (user_id, record_type, record_id)
          DO UPDATE SET half_stars = excluded.half_stars, rated_at = excluded.rated_at"
    ],
    mysql: [
        "INSERT INTO ratings (user_id, record_type, record_id, half_stars, rated_at) VALUES ",
        "(?, ?, ?, ?, ?)",
        " ON DUPLICATE KEY UPDATE half_stars = VALUES(half_stars), rated_at = VALUES(rated_at)"
    ],
};
const SELECT_AGGREGATES: Rows = rows! {
    default: [
        "SELECT count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version, record_id
         FROM aggregates WHERE record_type = ? AND record_id IN (",
        "?",
        ")"
    ],
    mysql: [
        "SELECT count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version, record_id
         FROM aggregates WHERE record_type = ? AND record_id IN (",
        "?",
        ") ORDER BY record_id FOR UPDATE"
    ],
};
const UPSERT_AGGREGATES: Rows = rows! {
    default: [
        "INSERT INTO aggregates
            (record_type, record_id, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version,
             changed_at)
         VALUES ",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        " ON CONFLICT (record_type, record_id) DO UPDATE SET
            count = excluded.count, sum = excluded.sum,
            h1 = excluded.h1, h2 = excluded.h2, h3 = excluded.h3, h4 = excluded.h4,
            h5 = excluded.h5, h6 = excluded.h6, h7 = excluded.h7, h8 = excluded.h8,
            h9 = excluded.h9, h10 = excluded.h10,
            version = excluded.version, changed_at = excluded.changed_at"
    ],
    mysql: [
        "INSERT INTO aggregates
            (record_type, record_id, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version,
             changed_at)
         VALUES ",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        " ON DUPLICATE KEY UPDATE
            count = VALUES(count), sum = VALUES(sum),
            h1 = VALUES(h1), h2 = VALUES(h2), h3 = VALUES(h3), h4 = VALUES(h4),
            h5 = VALUES(h5), h6 = VALUES(h6), h7 = VALUES(h7), h8 = VALUES(h8),
            h9 = VALUES(h9), h10 = VALUES(h10),
            version = VALUES(version), changed_at = VALUES(changed_at)"
    ],
};

/// What a batch did.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Ratings that were not there before.
    pub(crate) created: u32,
    /// Ratings that had another value.
    pub(crate) changed: u32,
    /// The aggregates that changed, by the places of their records in the batch.
    pub(crate) aggregates: Vec<(usize, Aggregate)>,
}

/// A rating as it is stored.
type Stored = (HalfStars, Timestamp);

impl Ratings<'_> {
    /// Writes a batch over earlier ratings. What is stored as it comes is not written again.
    pub(crate) async fn put_batch(
        &mut self,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let mut written = Written::default();
        let mut differences: Vec<Option<Difference>> = vec![None; batch.records()];
        let mut news: Vec<(&Entry, Timestamp)> = Vec::with_capacity(batch.entries().len());
        for (sql, entries) in SELECT_RATINGS.over(batch.entries()) {
            let before = self.stored(batch, sql, entries).await?;
            for (entry, before) in entries.iter().zip(before) {
                let rated_at = entry.rated_at.unwrap_or(now);
                if before == Some((entry.value, rated_at)) {
                    continue;
                }
                news.push((entry, rated_at));
                let before = before.map(|(value, _)| value);
                let Some(difference) = Difference::between(before, Some(entry.value)) else {
                    continue;
                };
                match before {
                    None => written.created += 1,
                    Some(_) => written.changed += 1,
                }
                differences[entry.record as usize]
                    .get_or_insert_default()
                    .add(&difference);
            }
        }
        self.upsert(batch, &news).await?;
        self.add(batch, &differences, now, &mut written).await?;
        Ok(written)
    }

    /// What is stored of these entries, in their order.
    async fn stored(
        &mut self,
        batch: &Batch,
        sql: Sql,
        entries: &[Entry],
    ) -> Result<Vec<Option<Stored>>, StoreError> {
        let mut keys = Vec::with_capacity(3 * entries.len());
        for entry in entries {
            keys.extend(params![&entry.user, &batch.kind, &entry.record_id]);
        }
        let mut stored = vec![None; entries.len()];
        for row in self.tx.query(sql, &keys).await? {
            let key = (row.get::<&str>(0)?, row.get::<&str>(1)?);
            let place = found(entries.binary_search_by(|entry| entry.key().cmp(&key)))?;
            stored[place] = Some((read_value(&row, 2)?, row.get(3)?));
        }
        Ok(stored)
    }

    async fn upsert(
        &mut self,
        batch: &Batch,
        entries: &[(&Entry, Timestamp)],
    ) -> Result<(), StoreError> {
        for (sql, entries) in UPSERT_RATINGS.over(entries) {
            let mut values = Vec::with_capacity(5 * entries.len());
            for (entry, rated_at) in entries {
                values.extend(params![
                    &entry.user,
                    &batch.kind,
                    &entry.record_id,
                    i64::from(entry.value.get()),
                    *rated_at
                ]);
            }
            self.tx.execute(sql, &values).await?;
        }
        Ok(())
    }

    /// Adds the differences, by the places of their records, to the aggregates.
    async fn add(
        &mut self,
        batch: &Batch,
        differences: &[Option<Difference>],
        now: Timestamp,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let changes: Vec<(usize, &Difference)> = differences
            .iter()
            .enumerate()
            .filter_map(|(place, difference)| Some((place, difference.as_ref()?)))
            .collect();
        for (sql, changes) in SELECT_AGGREGATES.over(&changes) {
            let mut keys: Vec<Param<'_>> = Vec::with_capacity(1 + changes.len());
            keys.push(Param::from(&batch.kind));
            keys.extend(
                changes
                    .iter()
                    .map(|(place, _)| Param::from(batch.record_id(*place))),
            );
            let mut before = vec![Aggregate::default(); changes.len()];
            for row in self.tx.query(sql, &keys).await? {
                let id = row.get::<&str>(13)?;
                let of = |(place, _): &(usize, _)| batch.record_id(*place).cmp(id);
                before[found(changes.binary_search_by(of))?] = super::read_aggregate(&row)?;
            }
            for ((place, difference), before) in changes.iter().zip(before) {
                let after = difference.applied_to(&before).ok_or_else(|| {
                    StoreError::sql(format!(
                        "the aggregate of {} {:?} does not hold its ratings",
                        batch.kind,
                        batch.record_id(*place)
                    ))
                })?;
                written.aggregates.push((*place, after));
            }
        }
        for (sql, aggregates) in UPSERT_AGGREGATES.over(&written.aggregates) {
            let mut values: Vec<Param<'_>> = Vec::with_capacity(16 * aggregates.len());
            for (place, aggregate) in aggregates {
                let id = batch.record_id(*place);
                values.extend(params![&batch.kind, id, aggregate.count]);
                values.push(Param::Int(sum(aggregate)?));
                values.extend(aggregate.histogram.map(Param::from));
                values.extend(params![aggregate.version, now]);
            }
            self.tx.execute(sql, &values).await?;
        }
        Ok(())
    }
}

fn sum(aggregate: &Aggregate) -> Result<i64, StoreError> {
    i64::try_from(aggregate.sum)
        .map_err(|error| StoreError::sql(format!("a sum too large: {error}")))
}

/// A row of an answer has to be one of those asked for.
fn found(place: Result<usize, usize>) -> Result<usize, StoreError> {
    place.map_err(|_| StoreError::sql("a row came back that was not asked for"))
}
