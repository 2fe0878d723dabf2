//! The index of dead letters: rows written with the letters, marked, removed.

pub(in crate::embedded) mod list;

use super::log::number;
use crate::Record;
use crate::dead::{Class, Entry, Id, QUEUE, Stamp, Status};
use crate::engine::Position;
use backlot_core::Timestamp;
use backlot_storage::{In, Param, Row, Rows, Sql, StoreError, Tx, in_list, params, rows, sql};
use std::collections::BTreeMap;

const INSERT: Rows = rows! {
    "INSERT INTO dead (queue, part, off, grp, class, msg_key, msg, kind, at, status, redrives, edits, error) VALUES ",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, ?)",
    "",
};
const COLUMNS: usize = 11;
const GROUP: Sql = sql!("SELECT id FROM dead_group WHERE queue = ? AND topic = ? AND grp = ?");
const INSERT_GROUP: Sql = sql!("INSERT INTO dead_group (queue, topic, grp) VALUES (?, ?, ?)");
const IS_GROUP: Sql = sql!(
    "SELECT grp.id FROM topic JOIN grp ON grp.topic = topic.id WHERE topic.name = ? AND grp.name = ?"
);
const ENTRIES: In = in_list!(
    "SELECT dead.id, dead.part, dead.off, topic.name, dead_group.topic, dead_group.grp, dead.class, dead.msg_key,
         dead.msg, dead.kind, dead.at, dead.status, dead.redrives, dead.error, dead.edits, dead.queue
     FROM dead JOIN dead_group ON dead_group.id = dead.grp JOIN topic ON topic.id = dead.queue
     WHERE dead.id IN (",
    ")"
);
const AT: Sql = sql!(
    "SELECT dead.id FROM topic JOIN dead ON dead.queue = topic.id
     WHERE topic.name = ? AND dead.part = ? AND dead.off = ?"
);
/// Of a letter that is as it was found.
const MARK: Sql =
    sql!("UPDATE dead SET status = 1, redriven_at = ? WHERE id = ? AND status = 0 AND edits = ?");
const REMOVE: In = in_list!("DELETE FROM dead WHERE id IN (", ")");
const REMOVE_BELOW: Sql = sql!("DELETE FROM dead WHERE queue = ? AND part = ? AND off < ?");
const COUNT_EDIT: Sql =
    sql!("UPDATE dead SET edits = edits + 1 WHERE id = ? AND status = 0 AND edits = ?");
const INSERT_EDIT: Sql =
    sql!("INSERT INTO dead_edit (letter, edit, at, by, payload) VALUES (?, ?, ?, ?, ?)");
const EDITS: Sql = sql!("SELECT at, by, payload FROM dead_edit WHERE letter = ? ORDER BY edit");

/// A letter that comes into the log.
#[derive(Debug)]
pub(in crate::embedded) struct Arrival<'r> {
    pub(in crate::embedded) queue: i64,
    pub(in crate::embedded) queue_name: &'r str,
    pub(in crate::embedded) part: u32,
    pub(in crate::embedded) offset: u64,
    pub(in crate::embedded) record: &'r Record,
}

/// A row of the index.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct Indexed {
    pub(in crate::embedded) row: i64,
    pub(in crate::embedded) queue: i64,
    pub(in crate::embedded) entry: Entry,
}

/// Whether letters lie in a topic of this name.
pub(in crate::embedded) fn is_queue(topic: &str) -> bool {
    topic.ends_with(QUEUE)
}

/// What no text of a database may hold is replaced.
pub(in crate::embedded) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Enters letters that are written in this commit.
pub(in crate::embedded) async fn enter(
    tx: &mut Tx,
    arrivals: &[Arrival<'_>],
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut groups: BTreeMap<(i64, String, String), i64> = BTreeMap::new();
    let mut entries = Vec::with_capacity(arrivals.len());
    for arrival in arrivals {
        let stamp = Stamp::read(arrival.queue_name, arrival.record);
        let (topic, group) = match stamp.origin {
            Some(origin) => origin,
            None => guess(tx, arrival.queue_name).await?,
        };
        let known = (arrival.queue, storable(&topic), storable(&group));
        let group = match groups.get(&known) {
            Some(group) => *group,
            None => {
                let made = group_of(tx, &known).await?;
                groups.insert(known, made);
                made
            }
        };
        let record = arrival.record;
        let texts = (
            record.key.as_deref().map(storable),
            storable(&record.id),
            storable(&record.kind),
            storable(&stamp.error),
        );
        entries.push((arrival, group, stamp.class, stamp.redrives, texts));
    }
    let mut params: Vec<Param<'_>> = Vec::with_capacity(entries.len() * COLUMNS);
    for (arrival, group, class, redrives, (key, message, kind, error)) in &entries {
        params.extend(params![
            arrival.queue,
            arrival.part,
            number(arrival.offset),
            group,
            class.name(),
            key,
            message,
            kind,
            at,
            redrives,
            error
        ]);
    }
    INSERT.execute(tx, COLUMNS, &params).await.map(drop)
}

async fn group_of(
    tx: &mut Tx,
    (queue, topic, group): &(i64, String, String),
) -> Result<i64, StoreError> {
    let wanted = params![*queue, topic, group];
    if let Some(row) = tx.query_opt(GROUP, &wanted).await? {
        return row.get(0);
    }
    tx.execute(INSERT_GROUP, &wanted).await?;
    tx.query_one(GROUP, &wanted).await?.get(0)
}

/// Where a letter came from that does not say so: the group there is whose letters lie here, or
/// what the name says if the group's has no dot.
async fn guess(tx: &mut Tx, queue: &str) -> Result<(String, String), StoreError> {
    let stem = queue.strip_suffix(QUEUE).unwrap_or(queue);
    for (dot, _) in stem.rmatch_indices('.') {
        let (topic, group) = (&stem[..dot], &stem[dot + 1..]);
        if is_group(tx, topic, group).await? {
            return Ok((topic.to_owned(), group.to_owned()));
        }
    }
    let (topic, group) = stem.rsplit_once('.').unwrap_or((stem, ""));
    Ok((topic.to_owned(), group.to_owned()))
}

/// Whether there is such a group on such a topic.
pub(in crate::embedded) async fn is_group(
    tx: &mut Tx,
    topic: &str,
    group: &str,
) -> Result<bool, StoreError> {
    let found = tx.query_opt(IS_GROUP, params![topic, group]).await?;
    Ok(found.is_some())
}

/// The row of a letter, if it is there.
pub(in crate::embedded) async fn row_of(tx: &mut Tx, id: &Id) -> Result<Option<i64>, StoreError> {
    let Position { partition, offset } = id.position;
    let queue = storable(&id.queue);
    let row = tx
        .query_opt(AT, params![&queue, partition, number(offset)])
        .await?;
    row.map(|row| row.get(0)).transpose()
}

/// The letters of these rows, in the same order; those that are gone are left out.
pub(in crate::embedded) async fn entries(
    tx: &mut Tx,
    rows: &[i64],
) -> Result<Vec<Indexed>, StoreError> {
    let found = ENTRIES.query(tx, rows, &[]).await?;
    let mut found: BTreeMap<i64, Indexed> = found
        .iter()
        .map(|row| indexed(row).map(|letter| (letter.row, letter)))
        .collect::<Result<_, StoreError>>()?;
    Ok(rows.iter().filter_map(|row| found.remove(row)).collect())
}

fn indexed(row: &Row) -> Result<Indexed, StoreError> {
    let position = Position {
        partition: row.get(1)?,
        offset: row.get(2)?,
    };
    Ok(Indexed {
        row: row.get(0)?,
        queue: row.get(15)?,
        entry: Entry {
            id: Id {
                queue: row.get(3)?,
                position,
            },
            topic: row.get(4)?,
            group: row.get(5)?,
            class: row.get::<&str>(6)?.parse().unwrap_or(Class::Unknown),
            key: row.get(7)?,
            message: row.get(8)?,
            kind: row.get(9)?,
            at: row.get(10)?,
            status: if row.get(11)? {
                Status::Redriven
            } else {
                Status::Waiting
            },
            redrives: row.get(12)?,
            error: row.get(13)?,
            edits: row.get(14)?,
        },
    })
}

/// Marks a letter as sent again; answers whether it was still as it was found.
pub(in crate::embedded) async fn mark(
    tx: &mut Tx,
    letter: &Indexed,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let changed = tx
        .execute(MARK, params![now, letter.row, letter.entry.edits])
        .await?;
    Ok(changed == 1)
}

/// Removes letters; answers how many were there.
pub(in crate::embedded) async fn remove(tx: &mut Tx, rows: &[i64]) -> Result<u64, StoreError> {
    REMOVE.execute(tx, rows, &[]).await
}

/// Removes the letters of a partition below an offset.
pub(in crate::embedded) async fn remove_below(
    tx: &mut Tx,
    queue: i64,
    part: u32,
    offset: u64,
) -> Result<u64, StoreError> {
    let below = params![queue, part, number(offset)];
    tx.execute(REMOVE_BELOW, below).await
}

/// Keeps another payload for a letter; answers whether the letter was still as it was found.
pub(in crate::embedded) async fn edit(
    tx: &mut Tx,
    letter: &Indexed,
    (now, by, payload): (Timestamp, &str, &[u8]),
) -> Result<bool, StoreError> {
    let edits = letter.entry.edits;
    if tx.execute(COUNT_EDIT, params![letter.row, edits]).await? != 1 {
        return Ok(false);
    }
    tx.execute(INSERT_EDIT, params![letter.row, edits, now, by, payload])
        .await?;
    Ok(true)
}

/// The edits of a letter, in order.
pub(in crate::embedded) async fn edits(
    tx: &mut Tx,
    row: i64,
) -> Result<Vec<crate::dead::Edit>, StoreError> {
    let rows = tx.query(EDITS, params![row]).await?;
    rows.iter()
        .map(|row| {
            Ok(crate::dead::Edit {
                at: row.get(0)?,
                by: row.get(1)?,
                payload: row.get::<Vec<u8>>(2)?.into(),
            })
        })
        .collect()
}
