//! Transactions on a local connection: reads together on one snapshot, writes together in one
//! commit.

use super::queue::Entry;
use crate::backend::Outcome;
use crate::{StoreError, Tx};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

const BROKEN: &str = "a local transaction has no connection";

/// Runs one statement of our own.
pub(super) fn control(tx: &mut Tx, sql: &str) -> Result<(), StoreError> {
    let connection = tx.connection().ok_or_else(|| StoreError::sql(BROKEN))?;
    connection.execute(sql, &[]).map(drop)
}

fn in_transaction(tx: &mut Tx) -> bool {
    tx.connection()
        .is_some_and(|connection| connection.in_transaction())
}

/// Runs a read on one snapshot and answers it.
pub(super) fn read(tx: &mut Tx, entry: Entry) {
    reads(tx, entry, &mut || None);
}

/// Runs reads on one snapshot, which is taken after `first` was given and before `next` gives any
/// more; answers each as soon as it has run.
pub(super) fn reads(tx: &mut Tx, first: Entry, next: &mut dyn FnMut() -> Option<Entry>) {
    let mut entry = Some(first);
    while let Some(mut current) = entry {
        // A read that failed badly may have ended the transaction: the next begins another one.
        let settled = if in_transaction(tx) {
            Ok(())
        } else {
            control(tx, "BEGIN")
        };
        let settled = settled.and_then(|()| attempt(tx, &mut current).map(drop));
        current.job.answer(settled);
        entry = next();
    }
    // Nothing was changed: both ends of the transaction only let go of the snapshot.
    if control(tx, "COMMIT").is_err() && in_transaction(tx) {
        drop(control(tx, "ROLLBACK"));
    }
}

/// How a group ended for the connection it ran on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Ready for the next group.
    Sound,
    /// Its last commit failed: to be closed, never to be tried again.
    Broken,
}

/// Runs writes in one transaction, each in a savepoint of its own, commits once and answers them
/// all. `next` gives one more write until the group is full; `commit` commits.
pub(super) fn write(
    tx: &mut Tx,
    first: Entry,
    next: &mut dyn FnMut(usize) -> Option<Entry>,
    commit: &mut dyn FnMut(&mut Tx) -> Result<(), StoreError>,
) -> Health {
    if let Err(error) = control(tx, "BEGIN IMMEDIATE") {
        first.job.answer(Err(error));
        return Health::Sound;
    }
    let mut committing = Vec::new();
    let mut taken = 1;
    let mut entry = Some(first);
    while let Some(mut current) = entry {
        match savepoint(tx, &mut current) {
            Step::Kept => committing.push(current),
            Step::Undone(settled) => current.job.answer(settled),
            Step::Lost(settled) => {
                current.job.answer(settled);
                fail(committing, &lost());
                return if in_transaction(tx) {
                    Health::Broken
                } else {
                    Health::Sound
                };
            }
        }
        entry = next(taken);
        taken += 1;
    }
    match commit(tx) {
        Ok(()) => {
            for entry in committing {
                entry.job.answer(Ok(()));
            }
            Health::Sound
        }
        // A deferred foreign key speaks at the commit. Only its own write shall fail.
        Err(StoreError::Constraint { .. }) if committing.len() > 1 && in_transaction(tx) => {
            if let Err(error) = control(tx, "ROLLBACK") {
                fail(committing, &error);
                return Health::Broken;
            }
            let mut health = Health::Sound;
            for entry in committing {
                match health {
                    Health::Sound => health = write(tx, entry, &mut |_| None, commit),
                    Health::Broken => entry
                        .job
                        .answer(Err(StoreError::unavailable("the group's commit failed"))),
                }
            }
            health
        }
        Err(error) => {
            fail(committing, &error);
            let refused = matches!(error, StoreError::Constraint { .. });
            if refused && in_transaction(tx) && control(tx, "ROLLBACK").is_ok() {
                return Health::Sound;
            }
            tracing::error!(
                error = backlot_core::error::chain(&error),
                "a commit failed; the store is opened anew"
            );
            Health::Broken
        }
    }
}

fn fail(entries: Vec<Entry>, error: &StoreError) {
    for entry in entries {
        entry.job.answer(Err(error.clone()));
    }
}

/// SQLite itself rolls a whole transaction back when the disk is full or fails.
fn lost() -> StoreError {
    StoreError::unavailable("the transaction was rolled back by the database")
}

/// What one write left in its group's transaction.
enum Step {
    /// Everything.
    Kept,
    /// Nothing, and this is its answer.
    Undone(Result<(), StoreError>),
    /// The group's transaction is gone, or cannot be trusted; this is the write's own answer.
    Lost(Result<(), StoreError>),
}

/// Runs one write so that it leaves everything or nothing in the transaction.
fn savepoint(tx: &mut Tx, entry: &mut Entry) -> Step {
    if let Err(error) = control(tx, "SAVEPOINT one_write") {
        return Step::Lost(Err(error));
    }
    let attempted = attempt(tx, entry);
    if !in_transaction(tx) {
        return Step::Lost(match attempted {
            Ok(Ended::Well) => Err(lost()),
            Ok(Ended::Badly) => Ok(()),
            Err(error) => Err(error),
        });
    }
    let kept = attempted == Ok(Ended::Well);
    let closed = if kept {
        Ok(())
    } else {
        control(tx, "ROLLBACK TO one_write")
    };
    match closed.and_then(|()| control(tx, "RELEASE one_write")) {
        Ok(()) if kept => Step::Kept,
        Ok(()) => Step::Undone(attempted.map(drop)),
        Err(error) => Step::Lost(if kept {
            Err(error)
        } else {
            attempted.map(drop)
        }),
    }
}

/// What a closure returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Well,
    Badly,
}

/// Runs the closure: everything it awaits through its transaction completes at once, so it is
/// polled once, and being pending is its fault.
fn attempt(tx: &mut Tx, entry: &mut Entry) -> Result<Ended, StoreError> {
    let job = &mut entry.job;
    tx.take_failure();
    let polled = catch_unwind(AssertUnwindSafe(|| {
        job.attempt(tx)
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    }));
    match polled {
        Ok(Poll::Ready(Outcome::Commit)) => match tx.take_failure() {
            None => Ok(Ended::Well),
            Some(passed_over) => Err(passed_over),
        },
        Ok(Poll::Ready(Outcome::RollBack)) => Ok(Ended::Badly),
        Ok(Poll::Ready(Outcome::Panicked(words))) => Err(entry.call.panicked(&words)),
        Ok(Poll::Pending) => Err(entry.call.pending()),
        Err(panic) => Err(entry.call.panicked(&crate::job::words(panic))),
    }
}
