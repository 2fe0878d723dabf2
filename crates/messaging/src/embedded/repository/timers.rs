//! What is published later, and which ids were published lately.

use super::log::number;
use crate::embedded::codec::{Blob, checksum};
use backlot_core::Timestamp;
use backlot_storage::{Sql, StoreError, Tx, params, sql};

const INSERT: Sql =
    sql!("INSERT INTO timer (due, topic, part, size, crc, data) VALUES (?, ?, ?, ?, ?, ?)");
const NEXT: Sql = sql!("SELECT due FROM timer ORDER BY due, id LIMIT 1");
const SIZES: Sql = sql!("SELECT id, size FROM timer WHERE due <= ? ORDER BY due, id LIMIT ?");
const ONE: Sql = sql!("SELECT topic, part, crc, data, due FROM timer WHERE id = ?");
const DELETE: Sql = sql!("DELETE FROM timer WHERE id = ?");
/// Takes the id, unless somebody has it still: no row changes then.
const CLAIM: Sql = sql!(
    "INSERT INTO seen (topic, msg, until) VALUES (?, ?, ?)
     ON CONFLICT (topic, msg) DO UPDATE SET until = excluded.until WHERE seen.until <= ?"
);
const FORGET: Sql = sql!(
    "DELETE FROM seen WHERE (topic, msg) IN (SELECT topic, msg FROM seen WHERE until <= ? ORDER BY until LIMIT ?)"
);

/// The most timers, and about the most bytes, that one commit moves.
const MOST: u32 = 1000;
const MOST_BYTES: u64 = 4 << 20;

/// A record whose time has come.
#[derive(Debug)]
pub(in crate::embedded) struct Due {
    pub(in crate::embedded) id: i64,
    pub(in crate::embedded) due: Timestamp,
    pub(in crate::embedded) topic: i64,
    pub(in crate::embedded) part: u32,
    pub(in crate::embedded) is_sound: bool,
    pub(in crate::embedded) data: Vec<u8>,
}

/// Keeps one record until it is due.
pub(in crate::embedded) async fn schedule(
    tx: &mut Tx,
    topic: i64,
    part: u32,
    due: Timestamp,
    blob: &Blob,
) -> Result<(), StoreError> {
    let crc = checksum(&blob.stored, [topic, i64::from(part), due.0, 1]);
    let size = blob.data.len() as i64;
    tx.execute(INSERT, params![due, topic, part, size, crc, &*blob.stored])
        .await
        .map(drop)
}

/// When the next record is due.
pub(in crate::embedded) async fn next(tx: &mut Tx) -> Result<Option<Timestamp>, StoreError> {
    let row = tx.query_opt(NEXT, params![]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// Takes a slice of what is due, in order.
pub(in crate::embedded) async fn take(tx: &mut Tx, now: Timestamp) -> Result<Vec<Due>, StoreError> {
    let mut taken = Vec::new();
    let mut bytes = 0;
    for row in tx.query(SIZES, params![now, MOST]).await? {
        let id: i64 = row.get(0)?;
        bytes += row.get::<u64>(1)?;
        if bytes > MOST_BYTES && !taken.is_empty() {
            break;
        }
        let row = tx.query_one(ONE, params![id]).await?;
        let (topic, part, crc) = (row.get::<i64>(0)?, row.get::<u32>(1)?, row.get::<u32>(2)?);
        let (data, due) = (row.get::<Vec<u8>>(3)?, row.get::<Timestamp>(4)?);
        let is_sound = checksum(&data, [topic, i64::from(part), due.0, 1]) == crc;
        taken.push(Due {
            id,
            due,
            topic,
            part,
            is_sound,
            data,
        });
        tx.execute(DELETE, params![id]).await?;
    }
    Ok(taken)
}

/// Takes an id until a time; answers whether it was free.
pub(in crate::embedded) async fn claim(
    tx: &mut Tx,
    topic: i64,
    id: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let changed = tx.execute(CLAIM, params![topic, id, until, now]).await?;
    Ok(changed > 0)
}

/// Forgets a slice of the ids whose time is over; answers how many.
pub(in crate::embedded) async fn forget(
    tx: &mut Tx,
    now: Timestamp,
    slice: u32,
) -> Result<u64, StoreError> {
    tx.execute(FORGET, params![now, number(u64::from(slice))])
        .await
}
