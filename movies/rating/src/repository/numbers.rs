//! The numbers of users and records. A rating is kept under them: two small numbers instead of three
//! texts in each of its trees.

use super::{Ratings, read_aggregate_at};
use crate::batch::Batch;
use crate::model::{Aggregate, Record};
use backlot::Timestamp;
use backlot::storage::{In, Param, Row, Rows, Sql, StoreError, in_list, params, rows, sql};

const SELECT_USER: Sql = sql!("SELECT number FROM users WHERE user_id = ?");
const SELECT_USERS: In = in_list!("SELECT number, user_id FROM users WHERE user_id IN (", ")");
// Whoever else enters the same user or record at this moment is waited for; then the row is there.
const INSERT_USERS: Rows = rows! {
    default: ["INSERT INTO users (user_id) VALUES ", "(?)", " ON CONFLICT (user_id) DO NOTHING"],
    mysql: [
        "INSERT INTO users (user_id) VALUES ",
        "(?)",
        " ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)"
    ],
};
const SELECT_RECORD: Sql =
    sql!("SELECT number FROM aggregates WHERE record_type = ? AND record_id = ?");
const SELECT_RECORDS: Rows = rows! {
    default: [
        "SELECT record_id, number, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version
         FROM aggregates WHERE record_type = ? AND record_id IN (",
        "?",
        ")"
    ],
    mysql: [
        "SELECT record_id, number, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version
         FROM aggregates WHERE record_type = ? AND record_id IN (",
        "?",
        ") ORDER BY record_id FOR UPDATE"
    ],
};
// Dated at once: the change that brings it here is of the same time, and moves nothing.
const INSERT_RECORDS: Rows = rows! {
    default: [
        "INSERT INTO aggregates
            (record_type, record_id, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version,
             changed_at)
         VALUES ",
        "(?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ?)",
        " ON CONFLICT (record_type, record_id) DO NOTHING"
    ],
    mysql: [
        "INSERT INTO aggregates
            (record_type, record_id, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version,
             changed_at)
         VALUES ",
        "(?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ?)",
        " ON DUPLICATE KEY UPDATE record_id = VALUES(record_id)"
    ],
};

/// A record as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) number: i64,
    pub(super) aggregate: Aggregate,
}

impl Ratings<'_> {
    /// The number of a user, who is entered if need be.
    pub(super) async fn new_user(&mut self, user: &str) -> Result<i64, StoreError> {
        INSERT_USERS.execute(self.tx, 1, &params![user]).await?;
        let row = self.tx.query_one(SELECT_USER, params![user]).await?;
        row.get(0)
    }

    /// The number of a record, which is entered if need be.
    pub(super) async fn new_record(
        &mut self,
        record: &Record,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let Record { kind, id } = record;
        INSERT_RECORDS
            .execute(self.tx, 3, &params![kind, id, now])
            .await?;
        let row = self.tx.query_one(SELECT_RECORD, params![kind, id]).await?;
        row.get(0)
    }

    /// The numbers of a batch's users by their places. Those of whom `enter` says so are entered if
    /// need be.
    pub(super) async fn users(
        &mut self,
        batch: &Batch,
        enter: &[bool],
    ) -> Result<Vec<Option<i64>>, StoreError> {
        let users = batch.users();
        let mut numbers = vec![None; users.len()];
        let all = SELECT_USERS.query(self.tx, users, &[]).await?;
        note_users(users, &all, &mut numbers)?;
        let news: Vec<String> = (users.iter().zip(&numbers).zip(enter))
            .filter(|((_, number), enter)| number.is_none() && **enter)
            .map(|((user, _), _)| user.clone())
            .collect();
        let params: Vec<Param<'_>> = news.iter().map(Param::from).collect();
        INSERT_USERS.execute(self.tx, 1, &params).await?;
        let entered = SELECT_USERS.query(self.tx, &news, &[]).await?;
        note_users(users, &entered, &mut numbers)?;
        Ok(numbers)
    }

    /// What is stored of a batch's records, by their places. Those of which `enter` says so are
    /// entered if need be.
    pub(super) async fn records(
        &mut self,
        batch: &Batch,
        enter: &[bool],
        now: Timestamp,
    ) -> Result<Vec<Option<Known>>, StoreError> {
        let records = batch.records();
        let mut known = vec![None; records.len()];
        let all: Vec<u32> = (0..).take(records.len()).collect();
        self.note_records(batch, &all, &mut known).await?;
        let news: Vec<u32> = all
            .into_iter()
            .filter(|place| known[*place as usize].is_none() && enter[*place as usize])
            .collect();
        let mut params: Vec<Param<'_>> = Vec::with_capacity(3 * news.len());
        for place in &news {
            let Record { kind, id } = &records[*place as usize];
            params.extend(params![kind, id, now]);
        }
        INSERT_RECORDS.execute(self.tx, 3, &params).await?;
        self.note_records(batch, &news, &mut known).await?;
        Ok(known)
    }

    /// Reads the records at these places, which rise.
    async fn note_records(
        &mut self,
        batch: &Batch,
        places: &[u32],
        known: &mut [Option<Known>],
    ) -> Result<(), StoreError> {
        let record = |place: &u32| &batch.records()[*place as usize];
        for places in places.chunk_by(|one, next| record(one).kind == record(next).kind) {
            for (sql, places) in SELECT_RECORDS.over(places) {
                let kind = &record(&places[0]).kind;
                let mut keys: Vec<Param<'_>> = Vec::with_capacity(1 + places.len());
                keys.push(Param::from(kind));
                keys.extend(places.iter().map(|place| Param::from(&record(place).id)));
                for row in self.tx.query(sql, &keys).await? {
                    let id = row.get::<&str>(0)?;
                    let place = places.binary_search_by(|place| record(place).id.as_str().cmp(id));
                    known[places[found(place)?] as usize] = Some(Known {
                        number: row.get(1)?,
                        aggregate: read_aggregate_at(&row, 2)?,
                    });
                }
            }
        }
        Ok(())
    }
}

fn note_users(
    users: &[String],
    rows: &[Row],
    numbers: &mut [Option<i64>],
) -> Result<(), StoreError> {
    for row in rows {
        let user = row.get::<&str>(1)?;
        let place = users.binary_search_by(|one| one.as_str().cmp(user));
        numbers[found(place)?] = Some(row.get(0)?);
    }
    Ok(())
}

/// A row of an answer has to be one of those asked for.
pub(super) fn found(place: Result<usize, usize>) -> Result<usize, StoreError> {
    place.map_err(|_| StoreError::sql("a row came back that was not asked for"))
}
