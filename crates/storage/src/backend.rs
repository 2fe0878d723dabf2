//! The seam under a [`Store`](crate::Store): who runs the transactions.
//!
//! A backend takes a [`Job`], runs it inside a transaction, commits or rolls back as its
//! [`Outcome`] says, and only then lets it [`answer`](Job::answer). Databases on the other side of
//! a wire implement the smaller [`Remote`](crate::remote::Remote) instead.

use crate::remote::SchemaLock;
use crate::{Dialect, StoreError, Tx};
use backlot_core::{BoxFuture, Deadline};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::panic::Location;

/// Runs transactions.
pub trait Backend: Send + Sync + fmt::Debug {
    /// Which SQL the database speaks.
    fn dialect(&self) -> Dialect;

    /// Runs `job` in a transaction. The future is done when it need not be polled any more; the
    /// answer goes through the job, whose caller waits for both. Whoever drops the future before
    /// the commit began undoes the write, unless the backend runs it elsewhere.
    fn run(&self, call: Call, job: Box<dyn Job>) -> BoxFuture<'static, ()>;

    /// Keeps other programs from changing the schema until the lock is dropped. A database of one
    /// process needs none.
    fn lock_schema(
        &self,
        deadline: Deadline,
    ) -> BoxFuture<'static, Result<SchemaLock, StoreError>> {
        let _nobody_to_wait_for = deadline;
        Box::pin(std::future::ready(Ok(Box::new(()) as SchemaLock)))
    }

    /// Finishes what was accepted, refuses the rest with [`StoreError::Closed`], and lets go of
    /// the database. A second call waits for the first.
    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>>;
}

/// Whether a transaction may change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Sees one snapshot, changes nothing, never waits for a write.
    Read,
    /// One transaction, seen by every read that begins after its answer.
    Write,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Read => "read",
            Mode::Write => "write",
        })
    }
}

/// What a backend knows of a call besides its job.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// What was asked for.
    pub mode: Mode,
    /// After this nobody waits for the answer: work that has not begun by then is not begun.
    pub deadline: Deadline,
    /// Where in the service's code the call stands.
    pub site: &'static Location<'static>,
}

impl Call {
    /// The deadline passed before the work began.
    #[must_use]
    pub fn late(&self) -> StoreError {
        StoreError::Late { mode: self.mode }
    }

    /// The deadline passed while the work ran.
    #[must_use]
    pub fn timed_out(&self) -> StoreError {
        StoreError::TimedOut { mode: self.mode }
    }

    /// The closure panicked with these words.
    #[must_use]
    pub fn panicked(&self, words: &str) -> StoreError {
        StoreError::Panicked {
            mode: self.mode,
            site: self.site.to_string(),
            cause: crate::error::Cause::new(words),
        }
    }

    /// The closure awaited something other than its transaction.
    #[must_use]
    pub fn pending(&self) -> StoreError {
        StoreError::Pending {
            mode: self.mode,
            site: self.site.to_string(),
        }
    }

    /// Nobody answered.
    #[must_use]
    pub fn lost(&self) -> StoreError {
        StoreError::Lost {
            mode: self.mode,
            site: self.site.to_string(),
        }
    }
}

/// A caller's closure with the place its answer goes to.
pub trait Job: Send {
    /// Runs the closure once. It may be run again after a rollback; the last run's result counts.
    fn attempt<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Outcome>;

    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;

    /// Answers the caller: with what the last attempt gave, or with this error.
    fn answer(self: Box<Self>, settled: Result<(), StoreError>);
}

/// How an attempt ended, and what the backend owes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The closure succeeded: commit, then answer `Ok(())`, or with the error of the commit.
    Commit,
    /// The closure failed: roll back, then answer `Ok(())`, which hands over the closure's error.
    RollBack,
    /// The closure panicked with these words: roll back, then answer [`StoreError::Panicked`].
    Panicked(String),
}
