//! Batches: written, read, dropped, put aside.

use super::timers::Due;
use super::topics;
use crate::embedded::codec::{self, Blob, checksum};
use backlot_core::Timestamp;
use backlot_storage::{Row, Sql, StoreError, Tx, Value, params, sql};
use bytes::Bytes;
use std::collections::BTreeMap;

const HEAD: Sql = sql!("SELECT first, head, last_at FROM part WHERE topic = ? AND part = ?");
const INSERT: Sql = sql!(
    "INSERT INTO batch (topic, part, base, cnt, at, size, crc, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
);
const GROW: Sql =
    sql!("UPDATE part SET head = ?, bytes = bytes + ?, last_at = ? WHERE topic = ? AND part = ?");
/// The batch that holds an offset, or would.
const AT: Sql = sql!(
    "SELECT id, base, cnt, at, crc, data FROM batch
     WHERE topic = ? AND part = ? AND base <= ? ORDER BY base DESC LIMIT 1"
);
const BASE_AT: Sql = sql!(
    "SELECT base, cnt FROM batch WHERE topic = ? AND part = ? AND base <= ? ORDER BY base DESC LIMIT 1"
);
const SIZES: Sql = sql!(
    "SELECT base, cnt, size, at FROM batch WHERE topic = ? AND part = ? AND base >= ? ORDER BY base LIMIT ?"
);
const BETWEEN: Sql = sql!(
    "SELECT id, base, cnt, at, crc, data FROM batch
     WHERE topic = ? AND part = ? AND base >= ? AND base <= ? ORDER BY base"
);
const DROP: Sql = sql!("DELETE FROM batch WHERE topic = ? AND part = ? AND base < ?");
const SHRINK: Sql =
    sql!("UPDATE part SET first = ?, bytes = bytes - ? WHERE topic = ? AND part = ?");
const PUT_ASIDE: Sql = sql!(
    "INSERT INTO quarantine (topic, part, base, cnt, at, crc, data, found_at)
     SELECT ?, ?, ?, ?, at, crc, data, ? FROM batch WHERE id = ?"
);
const PUT_TIMER_ASIDE: Sql = sql!(
    "INSERT INTO quarantine (topic, part, base, cnt, at, crc, data, found_at) VALUES (?, ?, ?, 0, ?, 0, ?, ?)"
);
const REMOVE: Sql = sql!("DELETE FROM batch WHERE id = ?");
const IS_THERE: Sql = sql!("SELECT size FROM batch WHERE id = ?");
const ASIDE: Sql =
    sql!("SELECT part, base, base + cnt FROM quarantine WHERE topic = ? ORDER BY part, base");

/// The most batches that one read looks at.
const MOST_BATCHES: u32 = 256;
/// The most batches that one commit drops.
pub(in crate::embedded) const SLICE: u32 = 1000;

/// A batch as it was read.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct Batch {
    pub(in crate::embedded) id: i64,
    pub(in crate::embedded) base: u64,
    pub(in crate::embedded) count: u64,
    pub(in crate::embedded) at: Timestamp,
    pub(in crate::embedded) crc: u32,
    pub(in crate::embedded) data: Bytes,
}

impl Batch {
    /// Whether it is what was written, at the place where it was written.
    pub(in crate::embedded) fn is_sound(&self, topic: i64, part: u32) -> bool {
        let (Ok(base), Ok(count)) = (i64::try_from(self.base), i64::try_from(self.count)) else {
            return false;
        };
        checksum(&self.data, [topic, i64::from(part), base, count]) == self.crc
    }

    /// One past its last offset.
    pub(in crate::embedded) fn end(&self) -> u64 {
        self.base.saturating_add(self.count)
    }
}

/// An offset as it is stored; beyond what a database can count there is nothing.
pub(in crate::embedded) fn number(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

fn batch(row: Row) -> Result<Batch, StoreError> {
    let (id, base, count) = (row.get(0)?, row.get::<u64>(1)?, row.get::<u64>(2)?);
    let (at, crc) = (row.get(3)?, row.get::<u32>(4)?);
    let data = match row.into_values().pop() {
        Some(Value::Blob(data)) => Bytes::from(data),
        _ => Bytes::new(),
    };
    Ok(Batch {
        id,
        base,
        count,
        at,
        crc,
        data,
    })
}

/// Adds batches to a partition; answers the offset of the first record, and the time they are stored under.
pub(in crate::embedded) async fn append(
    tx: &mut Tx,
    topic: i64,
    part: u32,
    blobs: &[Blob],
    now: Timestamp,
) -> Result<(u64, Timestamp), StoreError> {
    let row = tx.query_one(HEAD, params![topic, part]).await?;
    let (mut head, last) = (row.get::<i64>(1)?, row.get::<Timestamp>(2)?);
    let base = row.get::<u64>(1)?;
    // Times of a partition never go back, so that they can be searched.
    let at = now.max(last);
    let mut bytes = 0;
    for blob in blobs {
        let (count, size) = (number(blob.count), blob.data.len() as i64);
        let crc = checksum(&blob.stored, [topic, i64::from(part), head, count]);
        tx.execute(
            INSERT,
            params![topic, part, head, count, at, size, crc, &*blob.stored],
        )
        .await?;
        head += count;
        bytes += size;
    }
    tx.execute(GROW, params![head, bytes, at, topic, part])
        .await?;
    Ok((base, at))
}

/// What one look at a partition found.
#[derive(Debug)]
pub(in crate::embedded) struct Found {
    pub(in crate::embedded) first: u64,
    pub(in crate::embedded) head: u64,
    pub(in crate::embedded) batches: Vec<Batch>,
    /// Whether there may be more batches after these.
    pub(in crate::embedded) more: bool,
}

/// The batches from the one that holds `offset`, to about `bytes` in all but at least one.
pub(in crate::embedded) async fn read(
    tx: &mut Tx,
    topic: i64,
    part: u32,
    offset: u64,
    bytes: u64,
) -> Result<Found, StoreError> {
    let row = tx.query_one(HEAD, params![topic, part]).await?;
    let (first, head) = (row.get(0)?, row.get(1)?);
    let at = params![topic, part, number(offset)];
    let from = match tx.query_opt(BASE_AT, at).await? {
        Some(row) if row.get::<u64>(0)? + row.get::<u64>(1)? > offset => row.get::<i64>(0)?,
        _ => number(offset),
    };
    let sizes = params![topic, part, from, MOST_BATCHES];
    let sizes = tx.query(SIZES, sizes).await?;
    let (mut last, mut total, mut taken) = (None, 0, 0);
    for row in &sizes {
        total += row.get::<u64>(2)?;
        if last.is_some() && total > bytes {
            break;
        }
        last = Some(row.get::<i64>(0)?);
        taken += 1;
    }
    let mut batches = Vec::new();
    if let Some(last) = last {
        let rows = tx.query(BETWEEN, params![topic, part, from, last]).await?;
        for row in rows {
            batches.push(batch(row)?);
        }
    }
    Ok(Found {
        first,
        head,
        batches,
        more: taken < sizes.len() || sizes.len() >= MOST_BATCHES as usize,
    })
}

/// The batches that hold these offsets, which are in order, each once; to about `bytes` in all but
/// at least one. Answers too which offset was not looked for any more.
pub(in crate::embedded) async fn read_some(
    tx: &mut Tx,
    topic: i64,
    part: u32,
    offsets: &[u64],
    bytes: usize,
) -> Result<(Vec<Batch>, Option<u64>), StoreError> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut total = 0;
    for offset in offsets {
        if batches.last().is_some_and(|batch| *offset < batch.end()) {
            continue;
        }
        if !batches.is_empty() && total >= bytes {
            return Ok((batches, Some(*offset)));
        }
        let row = tx
            .query_opt(AT, params![topic, part, number(*offset)])
            .await?;
        if let Some(row) = row {
            let found = batch(row)?;
            if found.end() > *offset {
                total += codec::size(&found.data);
                batches.push(found);
            }
        }
    }
    Ok((batches, None))
}

/// What of a partition may go.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Keep {
    /// What was stored before this.
    pub(in crate::embedded) since: Option<Timestamp>,
    /// The oldest, while there are more bytes.
    pub(in crate::embedded) bytes: Option<u64>,
}

impl Keep {
    fn may_go(&self, at: Timestamp, held: u64) -> bool {
        self.since.is_some_and(|since| at < since) || self.bytes.is_some_and(|most| held > most)
    }
}

/// The partitions of which something may go.
pub(in crate::embedded) async fn overdue(
    tx: &mut Tx,
    topic: i64,
    keep: Keep,
) -> Result<Vec<u32>, StoreError> {
    let mut overdue = Vec::new();
    for (part, range) in (0..).zip(topics::ranges(tx, topic).await?) {
        let first = number(range.first);
        let oldest = tx.query(SIZES, params![topic, part, first, 1]).await?;
        if let Some(row) = oldest.first()
            && keep.may_go(row.get(3)?, range.bytes)
        {
            overdue.push(part);
        }
    }
    Ok(overdue)
}

/// Drops a slice of the oldest batches; answers how many, and what is the first offset then.
pub(in crate::embedded) async fn trim(
    tx: &mut Tx,
    topic: i64,
    part: u32,
    (held, slice): (u64, u32),
    keep: Keep,
) -> Result<(u64, u64), StoreError> {
    let row = tx.query_one(HEAD, params![topic, part]).await?;
    let (first, head) = (row.get::<i64>(0)?, row.get::<i64>(1)?);
    let sizes = tx.query(SIZES, params![topic, part, first, slice]).await?;
    let (mut dropped, mut bytes, mut left, mut new_first) = (0, 0, held, first);
    for row in &sizes {
        let (size, at) = (row.get::<u64>(2)?, row.get::<Timestamp>(3)?);
        if !keep.may_go(at, left) {
            break;
        }
        left = left.saturating_sub(size);
        bytes += number(size);
        dropped += 1;
        new_first = row.get::<i64>(0)? + row.get::<i64>(1)?;
    }
    if dropped > 0 {
        tx.execute(DROP, params![topic, part, new_first]).await?;
        tx.execute(SHRINK, params![new_first.min(head), bytes, topic, part])
            .await?;
    }
    Ok((dropped, new_first.unsigned_abs()))
}

/// Puts a damaged batch aside; answers whether it was there still.
pub(in crate::embedded) async fn put_aside(
    tx: &mut Tx,
    topic: i64,
    part: u32,
    id: i64,
    (base, count): (u64, u64),
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(row) = tx.query_opt(IS_THERE, params![id]).await? else {
        return Ok(false);
    };
    let size: i64 = row.get(0)?;
    let (base, count) = (number(base), number(count));
    tx.execute(PUT_ASIDE, params![topic, part, base, count, now, id])
        .await?;
    tx.execute(REMOVE, params![id]).await?;
    let first: i64 = tx.query_one(HEAD, params![topic, part]).await?.get(0)?;
    tx.execute(SHRINK, params![first, size, topic, part])
        .await?;
    Ok(true)
}

/// Puts a damaged message aside that was to be published later: it has no place in the log.
pub(in crate::embedded) async fn put_aside_timer(
    tx: &mut Tx,
    due: &Due,
    now: Timestamp,
) -> Result<(), StoreError> {
    let head: i64 = tx
        .query_one(HEAD, params![due.topic, due.part])
        .await?
        .get(1)?;
    let values = params![due.topic, due.part, head, due.due, &due.data, now];
    tx.execute(PUT_TIMER_ASIDE, values).await.map(drop)
}

/// What was put aside of a topic, by partition: first offsets, and one past the last.
pub(in crate::embedded) async fn aside(
    tx: &mut Tx,
    topic: i64,
) -> Result<BTreeMap<u32, Vec<(u64, u64)>>, StoreError> {
    let mut aside: BTreeMap<u32, Vec<(u64, u64)>> = BTreeMap::new();
    for row in tx.query(ASIDE, params![topic]).await? {
        let range = (row.get(1)?, row.get(2)?);
        aside.entry(row.get(0)?).or_default().push(range);
    }
    Ok(aside)
}

/// When the message at `offset`, or the first after it, was stored.
pub(in crate::embedded) async fn stored_at(
    tx: &mut Tx,
    topic: i64,
    part: u32,
    offset: u64,
) -> Result<Option<Timestamp>, StoreError> {
    let at = params![topic, part, number(offset)];
    let from = match tx.query_opt(BASE_AT, at).await? {
        Some(row) if row.get::<u64>(0)? + row.get::<u64>(1)? > offset => row.get::<i64>(0)?,
        _ => number(offset),
    };
    let rows = tx.query(SIZES, params![topic, part, from, 1]).await?;
    rows.first().map(|row| row.get(3)).transpose()
}

/// The first offset stored at or after a time; the head when there is none. Times never go back,
/// so this takes as many looks as the range can be halved.
pub(in crate::embedded) async fn since(
    tx: &mut Tx,
    topic: i64,
    part: u32,
    time: Timestamp,
) -> Result<u64, StoreError> {
    let row = tx.query_one(HEAD, params![topic, part]).await?;
    let (mut low, mut high) = (row.get::<i64>(0)?, row.get::<i64>(1)?);
    while low < high {
        let middle = low + (high - low) / 2;
        let rows = tx.query(SIZES, params![topic, part, middle, 1]).await?;
        match rows.first() {
            Some(row) if row.get::<Timestamp>(3)? < time => {
                low = row.get::<i64>(0)? + row.get::<i64>(1)?;
            }
            // From the middle on everything is late enough; what is before, is not known.
            _ => high = middle,
        }
    }
    // It only ever moved to where a batch begins.
    Ok(low.unsigned_abs())
}
