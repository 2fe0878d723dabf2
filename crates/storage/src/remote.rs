//! Databases on the other side of a wire: what each must say, and the one loop that drives them.
//!
//! An adapter implements [`Remote`] and [`Transaction`]; attempts, conflicts, panics and rollbacks
//! are here. `Store::remote` makes a store of it.

use crate::backend::{Backend, Call, Job, Mode, Outcome};
use crate::{Dialect, Param, Row, StoreError, Tx};
use backlot_core::{BoxFuture, Deadline};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The most attempts a transaction gets when others are in the way.
pub const MAX_ATTEMPTS: u32 = 8;
/// The pause before the second attempt; it doubles with each.
pub const FIRST_PAUSE: Duration = Duration::from_millis(1);

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
pub(crate) struct Over(Arc<dyn Remote>);

impl Over {
    pub(crate) fn new(remote: Arc<dyn Remote>) -> Self {
        Over(remote)
    }
}

impl Backend for Over {
    fn dialect(&self) -> Dialect {
        self.0.dialect()
    }

    fn run(&self, call: Call, mut job: Box<dyn Job>) -> BoxFuture<'static, ()> {
        let remote = Arc::clone(&self.0);
        Box::pin(async move {
            let settled = drive(&*remote, &call, &mut *job).await;
            job.answer(settled);
        })
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.0.close()
    }
}

/// Attempts until the job is settled, or too many others were in the way.
async fn drive(remote: &dyn Remote, call: &Call, job: &mut dyn Job) -> Result<(), StoreError> {
    let mut pause = FIRST_PAUSE;
    let mut attempts = 1;
    loop {
        match attempt(remote, call, job).await {
            Err(StoreError::Conflict { .. }) if attempts < MAX_ATTEMPTS => {
                tokio::time::sleep(pause).await;
                pause *= 2;
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
    let (transaction, conflict) = tx.into_remote();
    let Some(transaction) = transaction else {
        return Err(call.lost());
    };
    let settled = match (conflict, outcome) {
        (None, Outcome::Commit) => return transaction.commit().await,
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
