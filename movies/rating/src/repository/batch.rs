//! Many changes in one commit: what is stored is compared, and only what differs is written.
//!
//! Users are touched in order, then records, then ratings in order of their numbers, then aggregates
//! in order of their records: transactions that do so wait for each other, but never in a ring.

use super::numbers::{Known, found};
use super::{CHANGE_AGGREGATE, Ratings, UPSERT_RATINGS, params_of_aggregate, read_value};
use crate::batch::Batch;
use crate::model::{Aggregate, Difference, HalfStars};
use backlot::Timestamp;
use backlot::storage::{Dialect, Param, Rows, Sql, StoreError, params, rows, sql};

// Whether the row is new is all that has to be known of most, and an embedded database tells it of
// each as it inserts: nothing is read before.
const INSERT_RATING: Sql = sql!(
    "INSERT INTO ratings (user_number, record_number, half_stars, rated_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (user_number, record_number) DO NOTHING"
);
const SELECT_RATINGS: Rows = rows! {
    default: [
        "SELECT user_number, record_number, half_stars, rated_at FROM ratings
         WHERE (user_number, record_number) IN (VALUES ",
        "(?, ?)",
        ")"
    ],
    mysql: [
        "SELECT user_number, record_number, half_stars, rated_at FROM ratings
         WHERE (user_number, record_number) IN (",
        "(?, ?)",
        ") ORDER BY user_number, record_number FOR UPDATE"
    ],
};
const DELETE_RATINGS: Rows = rows! {
    default: [
        "DELETE FROM ratings WHERE (user_number, record_number) IN (VALUES ",
        "(?, ?)",
        ")"
    ],
    mysql: [
        "DELETE FROM ratings WHERE (user_number, record_number) IN (",
        "(?, ?)",
        ")"
    ],
};
const UPSERT_AGGREGATES: Rows = rows! {
    default: [
        "INSERT INTO aggregates
            (count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version, changed_at, number,
             record_type, record_id)
         VALUES ",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        " ON CONFLICT (number) DO UPDATE SET
            count = excluded.count, sum = excluded.sum,
            h1 = excluded.h1, h2 = excluded.h2, h3 = excluded.h3, h4 = excluded.h4,
            h5 = excluded.h5, h6 = excluded.h6, h7 = excluded.h7, h8 = excluded.h8,
            h9 = excluded.h9, h10 = excluded.h10,
            version = excluded.version, changed_at = excluded.changed_at"
    ],
    mysql: [
        "INSERT INTO aggregates
            (count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version, changed_at, number,
             record_type, record_id)
         VALUES ",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        " ON DUPLICATE KEY UPDATE
            count = VALUES(count), sum = VALUES(sum),
            h1 = VALUES(h1), h2 = VALUES(h2), h3 = VALUES(h3), h4 = VALUES(h4),
            h5 = VALUES(h5), h6 = VALUES(h6), h7 = VALUES(h7), h8 = VALUES(h8),
            h9 = VALUES(h9), h10 = VALUES(h10),
            version = VALUES(version), changed_at = VALUES(changed_at)"
    ],
};
/// How many rows are bound at a time: what a statement costs is shared by then, and the memory for
/// them stays small.
const AT_ONCE: usize = 1024;

/// What a batch did.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Ratings that were not there before.
    pub(crate) created: u32,
    /// Ratings that had another value.
    pub(crate) changed: u32,
    /// Ratings that were taken back.
    pub(crate) deleted: u32,
    /// The aggregates that changed, by the places of their records in the batch, which rise.
    pub(crate) aggregates: Vec<(usize, Aggregate)>,
}

/// A change under the numbers of its user and record.
#[derive(Clone, Copy, Debug)]
struct Numbered {
    user: i64,
    record: i64,
    value: Option<HalfStars>,
    rated_at: Timestamp,
    /// The record's place in the batch.
    place: u32,
}

impl Numbered {
    fn key(&self) -> (i64, i64) {
        (self.user, self.record)
    }
}

/// A rating as it is stored.
type Stored = (HalfStars, Timestamp);

impl Ratings<'_> {
    /// Makes the changes of a batch. What is stored as it comes is not written again.
    pub(crate) async fn apply(
        &mut self,
        batch: &Batch,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let (users_rating, records_rated) = who_and_what(batch);
        let users = self.users(batch, &users_rating).await?;
        let records = self.records(batch, &records_rated, now).await?;
        let changes = numbered(batch, &users, &records, now);

        let mut tally = Tally::over(batch);
        let (open, inserted) = match self.tx.dialect() {
            Dialect::Sqlite => self.insert_new(&changes).await?,
            _ => (changes, Vec::new()),
        };
        for change in &inserted {
            tally.count(change, None);
        }
        let (mut put, mut delete) = (Vec::new(), Vec::new());
        for (sql, changes) in SELECT_RATINGS.over(&open) {
            let stored = self.stored(sql, changes).await?;
            for (change, stored) in changes.iter().zip(stored) {
                let before = stored.map(|(value, _)| value);
                match (change.value, stored) {
                    (Some(value), stored) if stored != Some((value, change.rated_at)) => {
                        put.push(*change);
                    }
                    (None, Some(_)) => delete.push(*change),
                    _ => continue,
                }
                tally.count(change, before);
            }
        }
        self.write(UPSERT_RATINGS, 4, &put, |change| {
            Some([
                Param::Int(change.user),
                Param::Int(change.record),
                Param::Int(change.value?.get().into()),
                Param::Int(change.rated_at.0),
            ])
        })
        .await?;
        self.write(DELETE_RATINGS, 2, &delete, |change| {
            Some([Param::Int(change.user), Param::Int(change.record)])
        })
        .await?;
        self.add(batch, &records, tally, now).await
    }

    /// Inserts the ratings that are not there; answers the changes that remain, and the inserted.
    async fn insert_new(
        &mut self,
        changes: &[Numbered],
    ) -> Result<(Vec<Numbered>, Vec<Numbered>), StoreError> {
        let (mut open, mut inserted) = (Vec::new(), Vec::with_capacity(changes.len()));
        let mut puts = Vec::with_capacity(AT_ONCE);
        let mut params = Vec::with_capacity(4 * AT_ONCE);
        for changes in changes.chunks(AT_ONCE) {
            puts.clear();
            params.clear();
            for change in changes {
                let Some(value) = change.value else {
                    open.push(*change);
                    continue;
                };
                puts.push(*change);
                params.extend([
                    Param::Int(change.user),
                    Param::Int(change.record),
                    Param::Int(value.get().into()),
                    Param::Int(change.rated_at.0),
                ]);
            }
            let new = self.tx.execute_each(INSERT_RATING, 4, &params).await?;
            for (change, new) in puts.iter().zip(new) {
                match new {
                    0 => open.push(*change),
                    _ => inserted.push(*change),
                }
            }
        }
        // Those to be taken back came first in each piece.
        open.sort_unstable_by_key(Numbered::key);
        Ok((open, inserted))
    }

    /// What is stored of these, in their order.
    async fn stored(
        &mut self,
        sql: Sql,
        changes: &[Numbered],
    ) -> Result<Vec<Option<Stored>>, StoreError> {
        let mut keys = Vec::with_capacity(2 * changes.len());
        for change in changes {
            keys.extend([Param::Int(change.user), Param::Int(change.record)]);
        }
        let mut stored = vec![None; changes.len()];
        for row in self.tx.query(sql, &keys).await? {
            let key = (row.get(0)?, row.get(1)?);
            let place = found(changes.binary_search_by_key(&key, Numbered::key))?;
            stored[place] = Some((read_value(&row, 2)?, row.get(3)?));
        }
        Ok(stored)
    }

    async fn write<const N: usize>(
        &mut self,
        sql: Rows,
        columns: usize,
        changes: &[Numbered],
        row: impl Fn(&Numbered) -> Option<[Param<'static>; N]>,
    ) -> Result<(), StoreError> {
        for changes in changes.chunks(AT_ONCE) {
            let params: Vec<Param<'_>> = changes.iter().filter_map(&row).flatten().collect();
            sql.execute(self.tx, columns, &params).await?;
        }
        Ok(())
    }

    /// Adds what was counted to the aggregates.
    async fn add(
        &mut self,
        batch: &Batch,
        records: &[Option<Known>],
        tally: Tally,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let Tally {
            mut written,
            differences,
        } = tally;
        let mut params: Vec<Param<'_>> = Vec::new();
        let embedded = self.tx.dialect() == Dialect::Sqlite;
        for (place, difference) in differences.iter().enumerate() {
            let (Some(known), Some(difference)) = (&records[place], difference) else {
                continue;
            };
            let record = &batch.records()[place];
            let after = difference.applied_to(&known.aggregate).ok_or_else(|| {
                StoreError::sql(format!(
                    "the aggregate of {} {:?} does not hold its ratings",
                    record.kind, record.id
                ))
            })?;
            params.extend(params_of_aggregate(&after, now, known.number)?);
            if !embedded {
                params.extend(params![&record.kind, &record.id]);
            }
            written.aggregates.push((place, after));
        }
        if embedded {
            self.tx.execute_each(CHANGE_AGGREGATE, 15, &params).await?;
        } else {
            UPSERT_AGGREGATES.execute(self.tx, 17, &params).await?;
        }
        Ok(written)
    }
}

/// Which users, and which records, get a rating: a user or record that only loses some has a number
/// or needs none.
fn who_and_what(batch: &Batch) -> (Vec<bool>, Vec<bool>) {
    let mut users = vec![false; batch.users().len()];
    let mut records = vec![false; batch.records().len()];
    for change in batch.changes() {
        if change.value.is_some() {
            users[change.user as usize] = true;
            records[change.record as usize] = true;
        }
    }
    (users, records)
}

/// The changes of users and records that have numbers, in order of these: nothing is stored of the
/// others, who only lose ratings.
fn numbered(
    batch: &Batch,
    users: &[Option<i64>],
    records: &[Option<Known>],
    now: Timestamp,
) -> Vec<Numbered> {
    let mut changes = Vec::with_capacity(batch.changes().len());
    for change in batch.changes() {
        let record = &records[change.record as usize];
        let (Some(user), Some(record)) = (users[change.user as usize], record) else {
            continue;
        };
        changes.push(Numbered {
            user,
            record: record.number,
            value: change.value,
            rated_at: change.rated_at.unwrap_or(now),
            place: change.record,
        });
    }
    changes.sort_unstable_by_key(Numbered::key);
    changes
}

/// What changes come to, as they are counted.
struct Tally {
    written: Written,
    /// By the places of their records.
    differences: Vec<Option<Difference>>,
}

impl Tally {
    fn over(batch: &Batch) -> Self {
        Tally {
            written: Written::default(),
            differences: vec![None; batch.records().len()],
        }
    }

    fn count(&mut self, change: &Numbered, before: Option<HalfStars>) {
        let Some(difference) = Difference::between(before, change.value) else {
            return;
        };
        match (before, change.value) {
            (None, _) => self.written.created += 1,
            (Some(_), Some(_)) => self.written.changed += 1,
            (Some(_), None) => self.written.deleted += 1,
        }
        self.differences[change.place as usize]
            .get_or_insert_default()
            .add(&difference);
    }
}
