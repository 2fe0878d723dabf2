//! Groups, where they stand, and their messages that are not ordinary.

use super::log::number;
use super::topics;
use crate::Tracker;
use crate::embedded::codec::checksum;
use crate::engine::{Begin, Failure};
use backlot_core::Timestamp;
use backlot_storage::{Row, Sql, StoreError, Tx, params, sql};
use std::collections::BTreeMap;
use std::time::Duration;

const GROUP: Sql = sql!("SELECT id, paused, ephemeral FROM grp WHERE topic = ? AND name = ?");
const GROUPS: Sql =
    sql!("SELECT id, name, paused, ephemeral FROM grp WHERE topic = ? ORDER BY name");
const INSERT_GROUP: Sql = sql!(
    "INSERT INTO grp (topic, name, paused, created, ephemeral, lease_ms, alive_at) VALUES (?, ?, 0, ?, ?, ?, ?)"
);
const PAUSE: Sql = sql!("UPDATE grp SET paused = ? WHERE id = ?");
const INSERT_CURSOR: Sql = sql!(
    "INSERT INTO cursor (grp, part, acked, ahead, ahead_cnt, epoch, owner, clean, span, incarnation)
     SELECT ?, part, CASE WHEN ? THEN head ELSE first END, x'', 0, 0, '', 1, 0, ? FROM part WHERE topic = ?"
);
const CURSOR: Sql = sql!(
    "SELECT acked, ahead, ahead_cnt, epoch, clean, span, incarnation, grp, part, suspects, trial
     FROM cursor WHERE grp = ? AND part = ?"
);
const CLAIM: Sql =
    sql!("UPDATE cursor SET epoch = ?, owner = ?, clean = 0, span = ? WHERE grp = ? AND part = ?");
const ADVANCE: Sql = sql!(
    "UPDATE cursor SET acked = ?, ahead = ?, ahead_cnt = ? WHERE grp = ? AND part = ? AND epoch = ?"
);
const CLEAN: Sql = sql!(
    "UPDATE cursor SET clean = 1, owner = '', suspects = 0, trial = 0
     WHERE grp = ? AND part = ? AND epoch = ?"
);
const MARK: Sql =
    sql!("UPDATE cursor SET suspects = ?, trial = ? WHERE grp = ? AND part = ? AND epoch = ?");
const RESTART: Sql = sql!("UPDATE pending SET starts = ? WHERE grp = ? AND part = ? AND off = ?");
const MOVE: Sql = sql!(
    "UPDATE cursor SET acked = ?, ahead = x'', ahead_cnt = 0, epoch = epoch + 1, clean = 1, incarnation = ?,
         suspects = 0, trial = 0
     WHERE grp = ? AND part = ?"
);
const PENDING: Sql = sql!(
    "SELECT off, starts, attempts, not_before, failures FROM pending WHERE grp = ? AND part = ? ORDER BY off"
);
const UPSERT: Sql = sql!(
    "INSERT INTO pending (grp, part, off, starts, attempts, not_before, failures) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (grp, part, off) DO UPDATE SET starts = excluded.starts, attempts = excluded.attempts,
         not_before = excluded.not_before, failures = excluded.failures"
);
const DELETE: Sql = sql!("DELETE FROM pending WHERE grp = ? AND part = ? AND off = ?");
const DELETE_ALL: Sql = sql!("DELETE FROM pending WHERE grp = ? AND part = ?");
const COUNTS: Sql = sql!("SELECT part, COUNT(*) FROM pending WHERE grp = ? GROUP BY part");
const ALL: Sql = sql!(
    "SELECT acked, ahead, ahead_cnt, epoch, clean, span, incarnation, grp, part, suspects, trial
     FROM cursor WHERE grp = ? ORDER BY part"
);

/// Where a group stands in a partition.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct Cursor {
    pub(in crate::embedded) acked: u64,
    pub(in crate::embedded) ahead: Vec<u8>,
    pub(in crate::embedded) ahead_count: u64,
    pub(in crate::embedded) epoch: u64,
    /// Whether its last owner said that nothing died.
    pub(in crate::embedded) is_clean: bool,
    /// The most messages that the last owner had out.
    pub(in crate::embedded) span: u32,
    pub(in crate::embedded) incarnation: i64,
    pub(in crate::embedded) marks: Marks,
    /// Whether it is as it was written: one flipped bit would pass over messages in silence.
    pub(in crate::embedded) is_sound: bool,
}

/// What of a partition can have killed a process that dies now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::embedded) struct Marks {
    /// One past the last message that is suspect; 0 while none is: then all may be out.
    pub(in crate::embedded) suspects: u64,
    /// One past the last message that is out while some are on trial; 0 while none are.
    pub(in crate::embedded) trial: u64,
}

/// The form of what is stored beyond a prefix: this, a checksum of four bytes, and the runs.
const SEALED: u8 = 2;

/// What a group has settled, with a checksum of that and of whose it is.
fn seal(group: i64, part: i64, acked: i64, runs: &[u8]) -> Vec<u8> {
    let sum = checksum(runs, [group, part, acked, i64::from(SEALED)]);
    let mut sealed = vec![SEALED];
    sealed.extend(sum.to_le_bytes());
    sealed.extend(runs);
    sealed
}

/// The runs, if they and the prefix are what was written. Those without a checksum are of an older
/// program, or nothing was settled since the group was put there.
fn unseal(group: i64, part: i64, acked: i64, stored: &[u8]) -> Option<&[u8]> {
    match stored {
        [SEALED, sum @ ..] => {
            let (sum, runs) = sum.split_at_checked(4)?;
            let place = [group, part, acked, i64::from(SEALED)];
            (checksum(runs, place).to_le_bytes() == *sum).then_some(runs)
        }
        older => Some(older),
    }
}

/// A message that is not ordinary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::embedded) struct Exception {
    /// Deliveries without an end.
    pub(in crate::embedded) starts: u32,
    pub(in crate::embedded) attempts: u32,
    pub(in crate::embedded) not_before: i64,
    pub(in crate::embedded) failures: Vec<Failure>,
}

/// A group as it is stored.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct Stored {
    pub(in crate::embedded) id: i64,
    pub(in crate::embedded) name: String,
    pub(in crate::embedded) is_paused: bool,
    /// Whether it is no longer than its members.
    pub(in crate::embedded) is_ephemeral: bool,
}

/// The group of this name.
pub(in crate::embedded) async fn group(
    tx: &mut Tx,
    topic: i64,
    name: &str,
) -> Result<Option<Stored>, StoreError> {
    let row = tx.query_opt(GROUP, params![topic, name]).await?;
    row.map(|row| {
        Ok(Stored {
            id: row.get(0)?,
            name: name.to_owned(),
            is_paused: row.get(1)?,
            is_ephemeral: row.get(2)?,
        })
    })
    .transpose()
}

/// All groups of a topic, by name.
pub(in crate::embedded) async fn groups(
    tx: &mut Tx,
    topic: i64,
) -> Result<Vec<Stored>, StoreError> {
    let rows = tx.query(GROUPS, params![topic]).await?;
    rows.iter()
        .map(|row| {
            Ok(Stored {
                id: row.get(0)?,
                name: row.get(1)?,
                is_paused: row.get(2)?,
                is_ephemeral: row.get(3)?,
            })
        })
        .collect()
}

/// The group of this name, made if it is new: one that is no longer than its members, if they have
/// a lease.
pub(in crate::embedded) async fn ensure(
    tx: &mut Tx,
    (topic, incarnation): (i64, i64),
    name: &str,
    begin: Begin,
    now: Timestamp,
    lease: Option<Duration>,
) -> Result<Stored, StoreError> {
    if let Some(found) = group(tx, topic, name).await? {
        return Ok(found);
    }
    let lease_ms = lease.map_or(0, topics::millis);
    let values = params![topic, name, now, lease.is_some(), lease_ms, now];
    tx.execute(INSERT_GROUP, values).await?;
    let made = group(tx, topic, name).await?;
    let made = made.ok_or(StoreError::Rows { found: 0 })?;
    let at_head = begin == Begin::Newest;
    tx.execute(INSERT_CURSOR, params![made.id, at_head, incarnation, topic])
        .await?;
    Ok(made)
}

/// Says whether a group is paused.
pub(in crate::embedded) async fn pause(
    tx: &mut Tx,
    group: i64,
    paused: bool,
) -> Result<(), StoreError> {
    tx.execute(PAUSE, params![paused, group]).await.map(drop)
}

/// Where the group stands.
pub(in crate::embedded) async fn cursor(
    tx: &mut Tx,
    group: i64,
    part: u32,
) -> Result<Cursor, StoreError> {
    read(&tx.query_one(CURSOR, params![group, part]).await?)
}

/// Where the group stands in all partitions, in their order.
pub(in crate::embedded) async fn all(tx: &mut Tx, group: i64) -> Result<Vec<Cursor>, StoreError> {
    let rows = tx.query(ALL, params![group]).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Cursor, StoreError> {
    let stored: Vec<u8> = row.get(1)?;
    let runs = unseal(row.get(7)?, row.get(8)?, row.get(0)?, &stored);
    Ok(Cursor {
        acked: row.get(0)?,
        is_sound: runs.is_some(),
        ahead: runs.unwrap_or_default().to_vec(),
        ahead_count: row.get(2)?,
        epoch: row.get(3)?,
        is_clean: row.get(4)?,
        span: row.get(5)?,
        incarnation: row.get(6)?,
        // What cannot be meant is as if nothing was said: it only says what is tried first.
        marks: Marks {
            suspects: row.get::<i64>(9)?.try_into().unwrap_or(0),
            trial: row.get::<i64>(10)?.try_into().unwrap_or(0),
        },
    })
}

/// Begins an epoch.
pub(in crate::embedded) async fn claim(
    tx: &mut Tx,
    group: i64,
    part: u32,
    epoch: u64,
    (owner, span): (&str, u32),
) -> Result<(), StoreError> {
    tx.execute(CLAIM, params![number(epoch), owner, span, group, part])
        .await
        .map(drop)
}

/// Stores what is settled; answers whether the epoch was still this one.
pub(in crate::embedded) async fn advance(
    tx: &mut Tx,
    group: i64,
    part: u32,
    epoch: u64,
    tracker: &Tracker,
) -> Result<bool, StoreError> {
    let acked = number(tracker.prefix());
    let ahead = seal(group, i64::from(part), acked, &tracker.encode());
    let count = number(tracker.ahead());
    let changed = tx
        .execute(
            ADVANCE,
            params![acked, &ahead, count, group, part, number(epoch)],
        )
        .await?;
    Ok(changed == 1)
}

/// Says that nothing died in this epoch and nothing is suspect; answers whether it was still this
/// one.
pub(in crate::embedded) async fn say_clean(
    tx: &mut Tx,
    group: i64,
    part: u32,
    epoch: u64,
) -> Result<bool, StoreError> {
    let values = params![group, part, number(epoch)];
    Ok(tx.execute(CLEAN, values).await? == 1)
}

/// Says what can have killed a process that dies from now on; answers whether the epoch was still
/// this one.
pub(in crate::embedded) async fn mark(
    tx: &mut Tx,
    group: i64,
    part: u32,
    epoch: u64,
    marks: Marks,
) -> Result<bool, StoreError> {
    let Marks { suspects, trial } = marks;
    let values = params![number(suspects), number(trial), group, part, number(epoch)];
    Ok(tx.execute(MARK, values).await? == 1)
}

/// Says how many starts of a message had no end, if anything is known of it.
pub(in crate::embedded) async fn restart(
    tx: &mut Tx,
    group: i64,
    part: u32,
    offset: u64,
    starts: u32,
) -> Result<(), StoreError> {
    let values = params![starts, group, part, number(offset)];
    tx.execute(RESTART, values).await.map(drop)
}

/// Moves the group: a new epoch, and nothing settled beyond.
pub(in crate::embedded) async fn move_to(
    tx: &mut Tx,
    group: i64,
    part: u32,
    offset: u64,
    incarnation: i64,
) -> Result<(), StoreError> {
    tx.execute(DELETE_ALL, params![group, part]).await?;
    tx.execute(MOVE, params![number(offset), incarnation, group, part])
        .await
        .map(drop)
}

/// The messages of a partition that are not ordinary, by offset.
pub(in crate::embedded) async fn exceptions(
    tx: &mut Tx,
    group: i64,
    part: u32,
) -> Result<Vec<(u64, Exception)>, StoreError> {
    let rows = tx.query(PENDING, params![group, part]).await?;
    rows.iter()
        .map(|row| {
            // What cannot be read of the past keeps no message from being delivered.
            let failures = serde_json::from_str(row.get::<&str>(4)?).unwrap_or_default();
            let exception = Exception {
                starts: row.get(1)?,
                attempts: row.get(2)?,
                not_before: row.get(3)?,
                failures,
            };
            Ok((row.get(0)?, exception))
        })
        .collect()
}

/// How many messages are not ordinary, of the partitions that have any.
pub(in crate::embedded) async fn count_exceptions(
    tx: &mut Tx,
    group: i64,
) -> Result<BTreeMap<u32, u64>, StoreError> {
    let rows = tx.query(COUNTS, params![group]).await?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect()
}

/// Keeps what is known of a message.
pub(in crate::embedded) async fn except(
    tx: &mut Tx,
    group: i64,
    part: u32,
    offset: u64,
    exception: &Exception,
) -> Result<(), StoreError> {
    let failures = serde_json::to_string(&exception.failures)
        .map_err(|error| StoreError::sql(format!("failures cannot be written: {error}")))?;
    let Exception {
        starts,
        attempts,
        not_before,
        ..
    } = exception;
    tx.execute(
        UPSERT,
        params![
            group,
            part,
            number(offset),
            starts,
            attempts,
            not_before,
            &failures
        ],
    )
    .await
    .map(drop)
}

/// Forgets what was known of a message.
pub(in crate::embedded) async fn forget(
    tx: &mut Tx,
    group: i64,
    part: u32,
    offset: u64,
) -> Result<(), StoreError> {
    tx.execute(DELETE, params![group, part, number(offset)])
        .await
        .map(drop)
}
