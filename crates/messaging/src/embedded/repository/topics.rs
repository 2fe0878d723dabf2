//! Topics and their partitions.

use crate::engine::TopicSpec;
use backlot_core::Timestamp;
use backlot_storage::{Row, Sql, StoreError, Tx, params, sql};

const ALL: Sql = sql!(
    "SELECT id, name, partitions, retention_ms, retention_bytes, dedupe_ms, incarnation FROM topic ORDER BY id"
);
const ONE: Sql = sql!(
    "SELECT id, name, partitions, retention_ms, retention_bytes, dedupe_ms, incarnation FROM topic WHERE name = ?"
);
const INSERT: Sql = sql!(
    "INSERT INTO topic (name, partitions, retention_ms, retention_bytes, dedupe_ms, incarnation, created)
     VALUES (?, ?, ?, ?, ?, ?, ?)"
);
const UPDATE: Sql =
    sql!("UPDATE topic SET retention_ms = ?, retention_bytes = ?, dedupe_ms = ? WHERE id = ?");
const INSERT_PART: Sql =
    sql!("INSERT INTO part (topic, part, first, head, bytes, last_at) VALUES (?, ?, 0, 0, 0, 0)");
const PARTS: Sql = sql!("SELECT part, first, head, bytes FROM part WHERE topic = ? ORDER BY part");
const RESET_INCARNATION: Sql = sql!("UPDATE topic SET incarnation = ? WHERE id = ?");
const RESET_PARTS: Sql =
    sql!("UPDATE part SET first = 0, head = 0, bytes = 0, last_at = 0 WHERE topic = ?");
const RESET_CURSORS: Sql = sql!(
    "UPDATE cursor SET acked = 0, ahead = x'', ahead_cnt = 0, epoch = epoch + 1, clean = 1, incarnation = ?
     WHERE grp IN (SELECT id FROM grp WHERE topic = ?)"
);
const EMPTY: [Sql; 6] = [
    sql!("DELETE FROM batch WHERE topic = ?"),
    sql!("DELETE FROM quarantine WHERE topic = ?"),
    sql!("DELETE FROM timer WHERE topic = ?"),
    sql!("DELETE FROM seen WHERE topic = ?"),
    sql!("DELETE FROM dead WHERE queue = ?"),
    sql!("DELETE FROM pending WHERE grp IN (SELECT id FROM grp WHERE topic = ?)"),
];

/// A topic as it is stored.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct Stored {
    pub(in crate::embedded) id: i64,
    pub(in crate::embedded) spec: TopicSpec,
    pub(in crate::embedded) incarnation: i64,
}

/// A partition as it is stored.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Range {
    pub(in crate::embedded) first: u64,
    pub(in crate::embedded) head: u64,
    pub(in crate::embedded) bytes: u64,
}

fn stored(row: &Row) -> Result<Stored, StoreError> {
    let millis = std::time::Duration::from_millis;
    Ok(Stored {
        id: row.get(0)?,
        spec: TopicSpec {
            name: row.get(1)?,
            partitions: row.get(2)?,
            retention: row.get::<Option<u64>>(3)?.map(millis),
            retention_bytes: row.get(4)?,
            dedupe: millis(row.get(5)?),
        },
        incarnation: row.get(6)?,
    })
}

/// Milliseconds as they are stored.
pub(in crate::embedded) fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(in crate::embedded) async fn all(tx: &mut Tx) -> Result<Vec<Stored>, StoreError> {
    let rows = tx.query(ALL, params![]).await?;
    rows.iter().map(stored).collect()
}

/// Makes the topic if it is not there, and gives it what may change if it has the same number of
/// partitions; answers it as it was found or made.
pub(in crate::embedded) async fn ensure(
    tx: &mut Tx,
    spec: &TopicSpec,
    incarnation: i64,
    now: Timestamp,
) -> Result<Stored, StoreError> {
    let retention = spec.retention.map(millis);
    let bytes = spec
        .retention_bytes
        .map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let dedupe = millis(spec.dedupe);
    if let Some(row) = tx.query_opt(ONE, params![&spec.name]).await? {
        let found = stored(&row)?;
        if found.spec.partitions == spec.partitions && found.spec != *spec {
            tx.execute(UPDATE, params![&retention, &bytes, dedupe, found.id])
                .await?;
        }
        return Ok(found);
    }
    tx.execute(
        INSERT,
        params![
            &spec.name,
            spec.partitions,
            &retention,
            &bytes,
            dedupe,
            incarnation,
            now
        ],
    )
    .await?;
    let made = stored(&tx.query_one(ONE, params![&spec.name]).await?)?;
    for part in 0..spec.partitions {
        tx.execute(INSERT_PART, params![made.id, part]).await?;
    }
    Ok(made)
}

/// The ranges of all partitions of a topic.
pub(in crate::embedded) async fn ranges(tx: &mut Tx, topic: i64) -> Result<Vec<Range>, StoreError> {
    let rows = tx.query(PARTS, params![topic]).await?;
    rows.iter()
        .map(|row| {
            Ok(Range {
                first: row.get(1)?,
                head: row.get(2)?,
                bytes: row.get(3)?,
            })
        })
        .collect()
}

/// Empties a topic: the log begins anew, and every bookmark in it with it.
pub(in crate::embedded) async fn purge(
    tx: &mut Tx,
    topic: i64,
    incarnation: i64,
) -> Result<(), StoreError> {
    for sql in EMPTY {
        tx.execute(sql, params![topic]).await?;
    }
    tx.execute(RESET_PARTS, params![topic]).await?;
    tx.execute(RESET_CURSORS, params![incarnation, topic])
        .await?;
    tx.execute(RESET_INCARNATION, params![incarnation, topic])
        .await
        .map(drop)
}
