//! Groups that are no longer than their members, and groups removed.

use super::cursors;
use super::topics::millis;
use backlot_core::Timestamp;
use backlot_storage::{Sql, StoreError, Tx, params, sql};
use std::time::Duration;

const ALL: Sql = sql!(
    "SELECT grp.id, topic.name, grp.name, grp.alive_at, grp.lease_ms
     FROM grp JOIN topic ON topic.id = grp.topic WHERE grp.ephemeral = 1 ORDER BY grp.id"
);
const ALIVE: Sql = sql!("UPDATE grp SET alive_at = ? WHERE id = ?");
const ATTACHED: Sql = sql!("UPDATE grp SET alive_at = ?, lease_ms = MAX(lease_ms, ?) WHERE id = ?");
const REMOVE: [Sql; 3] = [
    sql!("DELETE FROM pending WHERE grp = ?"),
    sql!("DELETE FROM cursor WHERE grp = ?"),
    sql!("DELETE FROM grp WHERE id = ?"),
];

/// A group that is no longer than its members.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct Ephemeral {
    pub(in crate::embedded) id: i64,
    pub(in crate::embedded) topic: String,
    pub(in crate::embedded) group: String,
    /// When it was last known to have members.
    pub(in crate::embedded) alive_at: Timestamp,
    pub(in crate::embedded) lease: Duration,
}

/// All of them.
pub(in crate::embedded) async fn all(tx: &mut Tx) -> Result<Vec<Ephemeral>, StoreError> {
    let rows = tx.query(ALL, params![]).await?;
    rows.iter()
        .map(|row| {
            Ok(Ephemeral {
                id: row.get(0)?,
                topic: row.get(1)?,
                group: row.get(2)?,
                alive_at: row.get(3)?,
                lease: Duration::from_millis(row.get(4)?),
            })
        })
        .collect()
}

/// Says that groups have members.
pub(in crate::embedded) async fn say_alive(
    tx: &mut Tx,
    groups: &[i64],
    now: Timestamp,
) -> Result<(), StoreError> {
    for group in groups {
        tx.execute(ALIVE, params![now, *group]).await?;
    }
    Ok(())
}

/// A member comes, with this lease.
pub(in crate::embedded) async fn attached(
    tx: &mut Tx,
    group: i64,
    lease: Duration,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = params![now, millis(lease), group];
    tx.execute(ATTACHED, values).await.map(drop)
}

/// Removes a group with all that is known of it; answers whether it was there.
pub(in crate::embedded) async fn remove(
    tx: &mut Tx,
    topic: i64,
    name: &str,
) -> Result<bool, StoreError> {
    let Some(group) = cursors::group(tx, topic, name).await? else {
        return Ok(false);
    };
    for sql in REMOVE {
        tx.execute(sql, params![group.id]).await?;
    }
    Ok(true)
}
