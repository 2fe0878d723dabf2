//! The relay's side: what waits, the oldest first, and what was sent.

use super::lease::{self, Lease};
use super::message::Message;
use crate::{Param, Row, Sql, Store, StoreError, Tx, params, sql};
use backlot_core::{Context, Timestamp};
use std::time::Duration;
use tokio::sync::watch;

pub(super) const SIZES: Sql =
    sql!("SELECT id, size FROM backlot_outbox WHERE id > 0 ORDER BY id LIMIT ?");
pub(super) const ROWS: Sql = sql!(
    "SELECT id, topic, message_id, message_key, payload, at FROM backlot_outbox WHERE id >= ? AND id <= ? ORDER BY id"
);
/// From the ends of the index: counting would read all that waits.
pub(super) const DEPTH: Sql = sql!(
    "SELECT (SELECT MIN(id) FROM backlot_outbox), (SELECT MAX(id) FROM backlot_outbox),
            (SELECT at FROM backlot_outbox WHERE id > 0 ORDER BY id LIMIT 1)"
);
macro_rules! eight {
    ($of:literal, $with:literal) => {
        concat!(
            $of, $with, $of, $with, $of, $with, $of, $with, $of, $with, $of, $with, $of, $with, $of
        )
    };
    (eight $of:literal, $with:literal) => {
        concat!(
            eight!($of, $with),
            $with,
            eight!($of, $with),
            $with,
            eight!($of, $with),
            $with,
            eight!($of, $with),
            $with,
            eight!($of, $with),
            $with,
            eight!($of, $with),
            $with,
            eight!($of, $with),
            $with,
            eight!($of, $with)
        )
    };
}
/// Exactly these: a row with a lower number than one that was sent may have been committed since.
///
/// MySQL and MariaDB would answer a list with a walk through a small table, and wait there for rows
/// that others have not committed yet. Joined one by one, each is looked up, and nothing else locked.
const DELETE: [(usize, Sql); 3] = [
    (
        64,
        sql! {
            default: concat!("DELETE FROM backlot_outbox WHERE id IN (", eight!(eight "?", ", "), ")"),
            mysql: concat!(
                "DELETE waiting FROM (",
                eight!(eight "SELECT CAST(? AS SIGNED) AS id", " UNION ALL "),
                ") AS sent STRAIGHT_JOIN backlot_outbox AS waiting ON waiting.id = sent.id"
            ),
        },
    ),
    (
        8,
        sql! {
            default: concat!("DELETE FROM backlot_outbox WHERE id IN (", eight!("?", ", "), ")"),
            mysql: concat!(
                "DELETE waiting FROM (",
                eight!("SELECT CAST(? AS SIGNED) AS id", " UNION ALL "),
                ") AS sent STRAIGHT_JOIN backlot_outbox AS waiting ON waiting.id = sent.id"
            ),
        },
    ),
    (1, sql!("DELETE FROM backlot_outbox WHERE id = ?")),
];

/// The most messages of a batch.
pub const MAX_BATCH: usize = 1000;

/// How much a relay takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most messages, from 1 to [`MAX_BATCH`].
    pub messages: usize,
    /// The most bytes of payload; one message is taken however large.
    pub bytes: usize,
}

impl Default for Limits {
    /// 500 messages, 4 MiB.
    fn default() -> Self {
        Limits {
            messages: 500,
            bytes: 4 * 1024 * 1024,
        }
    }
}

/// Messages to send, the oldest first.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Batch {
    /// In the order in which they are to be sent.
    pub messages: Vec<Message>,
    /// When the oldest was written.
    pub oldest: Option<Timestamp>,
    /// The fencing number of the lease they are sent under; 0 before there is one. A broker that
    /// knows the highest may refuse lower ones.
    pub fence: u64,
    receipt: Receipt,
}

impl Batch {
    /// What to confirm once the messages are sent, wherever they themselves have gone.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        self.receipt.clone()
    }
}

/// Which messages a batch had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    ids: Vec<i64>,
}

impl Receipt {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there were none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Depth {
    /// At most so many messages; 0 only if there is none. Told from the first and the last number
    /// given: exact on SQLite, while other databases also give numbers to writes that are undone.
    pub waiting: u64,
    /// Since when the oldest waits, by its writer's clock.
    pub oldest: Option<Timestamp>,
}

/// The outbox of a store, as a relay uses it: [`acquire`](Queue::acquire) the lease,
/// [`take`](Queue::take), send, [`confirm`](Queue::confirm).
#[derive(Clone, Debug)]
pub struct Queue {
    store: Store,
}

impl Queue {
    pub(crate) fn of(store: &Store) -> Self {
        Queue {
            store: store.clone(),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// How many messages the commits of this store, in this process, have added. It changes with a
    /// commit, never with what is undone.
    #[must_use]
    pub fn added(&self) -> watch::Receiver<u64> {
        self.store.signals().added.subscribe()
    }

    /// The oldest messages that wait, in order. They go on waiting until they are confirmed.
    ///
    /// # Errors
    /// [`StoreError::Field`] for limits that allow nothing or more than [`MAX_BATCH`], and what
    /// else a read fails with.
    pub async fn take(&self, cx: &Context, limits: Limits) -> Result<Batch, StoreError> {
        if !(1..=MAX_BATCH).contains(&limits.messages) {
            return Err(StoreError::Field {
                field: "the relay's batch".to_owned(),
                problem: format!(
                    "has {} messages at most: choose from 1 to {MAX_BATCH}",
                    limits.messages
                ),
            });
        }
        self.store
            .read(cx, move |tx| Box::pin(take(tx, limits)))
            .await
    }

    /// The messages were sent: they wait no longer, and the lease is kept for `time` from now on.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when somebody else has the lease: then that one sends the messages
    /// again, and nothing is removed here. And what else a write fails with; if its outcome is
    /// unknown, the same messages may be taken once more.
    pub async fn confirm(
        &self,
        cx: &Context,
        lease: &Lease,
        receipt: Receipt,
        time: Duration,
    ) -> Result<Lease, StoreError> {
        let clock = self.store.clock().clone();
        let lease = lease.clone();
        let confirming = self.store.write(cx, move |tx| {
            let (lease, receipt) = (lease.clone(), receipt.clone());
            let until = clock.wall().plus(time);
            Box::pin(async move {
                lease::hold(tx, &lease, until).await?;
                delete(tx, &receipt.ids).await?;
                Ok(lease.kept(until))
            })
        });
        confirming.await
    }

    /// How much waits, and since when. It costs the same however much that is.
    ///
    /// # Errors
    /// What a read fails with.
    pub async fn depth(&self, cx: &Context) -> Result<Depth, StoreError> {
        self.store.read(cx, |tx| Box::pin(depth(tx))).await
    }
}

async fn take(tx: &mut Tx, limits: Limits) -> Result<Batch, StoreError> {
    let sizes = tx.query(SIZES, params![limits.messages as i64]).await?;
    let (mut ends, mut bytes) = (None, 0);
    for row in &sizes {
        let (id, size) = (row.get::<i64>(0)?, row.get::<u64>(1)?);
        bytes += size;
        match &mut ends {
            None => ends = Some((id, id)),
            Some(_) if bytes > limits.bytes as u64 => break,
            Some((_, last)) => *last = id,
        }
    }
    let mut batch = Batch::default();
    let Some((first, last)) = ends else {
        return Ok(batch);
    };
    for row in tx.query(ROWS, params![first, last]).await? {
        if batch.oldest.is_none() {
            batch.oldest = Some(row.get(5)?);
        }
        batch.receipt.ids.push(row.get(0)?);
        batch.messages.push(message(&row)?);
    }
    Ok(batch)
}

fn message(row: &Row) -> Result<Message, StoreError> {
    Ok(Message {
        topic: row.get(1)?,
        id: row.get(2)?,
        key: row.get(3)?,
        payload: row.get(4)?,
    })
}

async fn delete(tx: &mut Tx, ids: &[i64]) -> Result<(), StoreError> {
    let mut rest = ids;
    while !rest.is_empty() {
        let fitting = DELETE.into_iter().find(|(count, _)| *count <= rest.len());
        let (count, sql) = fitting.unwrap_or(DELETE[2]);
        let (some, others) = rest.split_at(count);
        let params: Vec<Param<'_>> = some.iter().map(Param::from).collect();
        tx.execute(sql, params).await?;
        rest = others;
    }
    Ok(())
}

async fn depth(tx: &mut Tx) -> Result<Depth, StoreError> {
    let row = tx.query_one(DEPTH, params![]).await?;
    let ends = (row.get::<Option<i64>>(0)?, row.get::<Option<i64>>(1)?);
    let (Some(first), Some(last)) = ends else {
        return Ok(Depth::default());
    };
    Ok(Depth {
        waiting: last.abs_diff(first) + 1,
        oldest: row.get(2)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite;
    use backlot_core::Clock;

    /// What SQLite says that it will do for a statement, whatever its parameters.
    async fn plan(store: &Store, sql: Sql) -> Vec<String> {
        let text = sql.text(crate::Dialect::Sqlite);
        let explain: &'static str = format!("EXPLAIN QUERY PLAN {text}").leak();
        let count = text.matches('?').count();
        let planned: Result<Vec<String>, StoreError> = store
            .read(&Context::background(), move |tx| {
                Box::pin(async move {
                    let params = vec![Param::Int(1); count];
                    let rows = tx.query(Sql::new(explain), params).await?;
                    rows.iter().map(|row| row.get(3)).collect()
                })
            })
            .await;
        planned.expect("SQLite explains it")
    }

    #[tokio::test]
    async fn no_statement_reads_all_that_waits() {
        let store = sqlite::memory(&[], Clock::real()).expect("memory is there");
        let ours = [SIZES, ROWS, DEPTH]
            .into_iter()
            .chain(DELETE.map(|(_, sql)| sql))
            .chain(lease::STATEMENTS)
            .chain(crate::inbox::STATEMENTS)
            .chain(crate::position::STATEMENTS);
        for sql in ours {
            let plan = plan(&store, sql).await;
            assert!(
                !plan
                    .iter()
                    .any(|step| step.contains("SCAN backlot") || step.contains("B-TREE")),
                "{sql:?}: {plan:?}"
            );
        }
        // The test can fail.
        let bad = sql!("SELECT COUNT(*), SUM(size) FROM backlot_outbox");
        let plan = plan(&store, bad).await;
        assert!(plan[0].contains("SCAN backlot_outbox"), "{plan:?}");
    }
}
