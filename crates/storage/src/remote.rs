//! Databases on the other side of a wire: what each must say, and the one loop that drives them.
//!
//! An adapter implements [`Remote`] and [`Transaction`]; attempts, conflicts, panics and rollbacks
//! are here. `Store::remote` makes a store of it.

use crate::backend::{Backend, Call, Job, Mode, Outcome};
use crate::{Dialect, Param, Row, StoreError, Tx};
use backlot_core::idempotency::fingerprint;
use backlot_core::{BoxFuture, Deadline};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::RwLock;

/// The most attempts a transaction gets when others are in the way.
pub const MAX_ATTEMPTS: u32 = 20;
/// The pause before the second attempt; it doubles with each, up to [`LONGEST_PAUSE`], and is cut
/// short by up to a half, so that replicas do not meet again.
pub const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause between two attempts.
pub const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// From this attempt on a write runs while no other write of this store does.
const ALONE: u32 = 3;

/// The right to change a schema, until it is dropped.
pub type SchemaLock = Box<dyn Send>;

/// A database on the other side of a wire.
pub trait Remote: Send + Sync + fmt::Debug {
    /// Which SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// Begins a transaction. One of [`Mode::Read`] sees one snapshot and refuses changes. After
    /// the deadline nobody waits for it any more: the database should end it by itself then.
    ///
    /// # Errors (of the future)
    /// [`StoreError::Conflict`] asks for another attempt; everything else is final.
    fn begin(
        &self,
        mode: Mode,
        deadline: Deadline,
    ) -> BoxFuture<'static, Result<Box<dyn Transaction>, StoreError>>;

    /// Takes the lock that all programs share that change this database's schema; dropping it lets
    /// go. Without one of its own, a database is only ever used by one program.
    ///
    /// # Errors (of the future)
    /// What the database says, and [`StoreError::TimedOut`] at the deadline.
    fn lock_schema(
        &self,
        deadline: Deadline,
    ) -> BoxFuture<'static, Result<SchemaLock, StoreError>> {
        let _nobody_to_wait_for = deadline;
        Box::pin(std::future::ready(Ok(Box::new(()) as SchemaLock)))
    }

    /// Finishes what runs, refuses the rest with [`StoreError::Closed`], and lets go.
    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>>;
}

/// A transaction on the other side of a wire. One that is dropped must be rolled back there.
///
/// Every error of [`StoreError::Conflict`] makes the whole transaction be rolled back and begun
/// again, whatever the closure does with it.
pub trait Transaction: Send {
    /// Runs a statement; answers how many rows it changed.
    fn execute<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Param<'a>],
    ) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Runs a statement; answers all its rows.
    fn query<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Param<'a>],
    ) -> BoxFuture<'a, Result<Vec<Row>, StoreError>>;

    /// Runs several statements separated by semicolons.
    fn batch<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Commits. [`StoreError::Conflict`] means that it certainly did not; after any other error
    /// nobody knows.
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Rolls back.
    fn rollback(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>>;
}

/// The backend over a [`Remote`]. The caller's own task drives it: whoever drops the future of a
/// write before its commit undoes it.
#[derive(Debug)]
pub(crate) struct Over {
    remote: Arc<dyn Remote>,
    /// Writes run beside each other; one that others were in the way of twice runs alone, or it
    /// might never get through.
    writes: Arc<RwLock<()>>,
    /// How many pauses there were, for the next one's length.
    pauses: Arc<AtomicU64>,
}

impl Over {
    pub(crate) fn new(remote: Arc<dyn Remote>) -> Self {
        Over {
            remote,
            writes: Arc::default(),
            pauses: Arc::default(),
        }
    }
}

impl Backend for Over {
    fn dialect(&self) -> Dialect {
        self.remote.dialect()
    }

    fn run(&self, call: Call, mut job: Box<dyn Job>) -> BoxFuture<'static, ()> {
        let (remote, writes) = (Arc::clone(&self.remote), Arc::clone(&self.writes));
        let pauses = Arc::clone(&self.pauses);
        Box::pin(async move {
            let settled = drive(&*remote, &writes, &pauses, &call, &mut *job).await;
            job.answer(settled);
        })
    }

    fn lock_schema(
        &self,
        deadline: Deadline,
    ) -> BoxFuture<'static, Result<SchemaLock, StoreError>> {
        self.remote.lock_schema(deadline)
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.remote.close()
    }
}

/// Attempts until the job is settled, or too many others were in the way.
async fn drive(
    remote: &dyn Remote,
    writes: &RwLock<()>,
    pauses: &AtomicU64,
    call: &Call,
    job: &mut dyn Job,
) -> Result<(), StoreError> {
    let mut pause = FIRST_PAUSE;
    let mut attempts = 1;
    loop {
        let attempted = match call.mode {
            Mode::Read => attempt(remote, call, job).await,
            Mode::Write if attempts < ALONE => {
                let _beside = writes.read().await;
                attempt(remote, call, job).await
            }
            Mode::Write => {
                let _alone = writes.write().await;
                attempt(remote, call, job).await
            }
        };
        match attempted {
            Err(StoreError::Conflict { .. }) if attempts < MAX_ATTEMPTS => {
                let drawn = fingerprint(&pauses.fetch_add(1, Ordering::Relaxed).to_le_bytes());
                let cut = (pause.as_micros() as u64 / 2 * (drawn >> 32)) >> 32;
                tokio::time::sleep(pause - Duration::from_micros(cut)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                attempts += 1;
            }
            settled => return settled,
        }
    }
}

async fn attempt(remote: &dyn Remote, call: &Call, job: &mut dyn Job) -> Result<(), StoreError> {
    let mut tx = Tx::remote(
        remote.begin(call.mode, call.deadline).await?,
        remote.dialect(),
    );
    let outcome = job.attempt(&mut tx).await;
    let failed = tx.take_failure();
    let (transaction, conflict) = tx.into_remote();
    let Some(transaction) = transaction else {
        return Err(call.lost());
    };
    let settled = match (conflict, outcome) {
        (None, Outcome::Commit) => match failed {
            None => return transaction.commit().await,
            Some(passed_over) => Err(passed_over),
        },
        (None, Outcome::RollBack) => Ok(()),
        (_, Outcome::Panicked(words)) => Err(call.panicked(&words)),
        (Some(conflict), Outcome::Commit | Outcome::RollBack) => Err(conflict),
    };
    if let Err(error) = transaction.rollback().await {
        // Nothing was committed either way: the database ends what its client abandons.
        tracing::debug!(%error, "a rollback failed");
    }
    settled
}
