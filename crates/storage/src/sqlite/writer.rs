//! The writer thread: groups what waits into one commit, answers, and moves the log into the file.

use super::connection::Connection;
use super::group::{self, Health};
use super::queue::{Entry, Queue};
use super::readers::Readers;
use crate::{StoreError, Tx};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// When a group ends, and when the log is moved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) writes: usize,
    pub(super) time: Duration,
    pub(super) log_pages: u32,
}

/// Opens the file's writing connection.
pub(super) type Connect = Box<dyn Fn() -> Result<Connection, StoreError> + Send>;

/// Commits a group; tests put failing ones in.
pub(super) type Commit = Box<dyn FnMut(&mut Tx) -> Result<(), StoreError> + Send>;

pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) limits: Limits,
    pub(super) connect: Connect,
    /// Absent after a failed commit, until the file could be opened anew.
    pub(super) tx: Option<Tx>,
    /// The size of the log at which it is next moved, in pages.
    pub(super) move_at: u32,
    pub(super) commit: Commit,
}

thread_local! {
    /// The size of the log after this thread's last commit, in pages.
    static LOG_PAGES: Cell<u32> = const { Cell::new(0) };
}

/// Watches the size of the log. To be called after `wal_autocheckpoint` was set, which shares the
/// hook.
pub(super) fn watch_log(connection: &Connection) {
    connection.raw().wal_hook(Some(|_log, pages| {
        LOG_PAGES.set(pages.unsigned_abs());
        Ok(())
    }));
}

pub(super) fn commit(tx: &mut Tx) -> Result<(), StoreError> {
    group::control(tx, "COMMIT")
}

impl Writer {
    /// Works until the queue is closed and empty; then, with the readers gone, moves the whole log
    /// into the file and closes it.
    pub(super) fn serve(mut self, mut readers: Readers) {
        while let Some(entry) = self.queue.pop() {
            let Some(entry) = entry.timely() else {
                continue;
            };
            // Closures' panics are caught where they run; this is for ours: the group's callers
            // are told that it is lost, and the next group finds a fresh connection.
            if catch_unwind(AssertUnwindSafe(|| self.group(entry))).is_err() {
                self.tx = None;
            }
        }
        readers.join();
        if let Some(tx) = &mut self.tx {
            log_failure(move_log(tx, "TRUNCATE"));
        }
    }

    fn group(&mut self, first: Entry) {
        let tx = match self.tx.take() {
            Some(tx) => tx,
            None => match (self.connect)() {
                Ok(connection) => Tx::local(connection),
                Err(error) => return first.job.answer(Err(error)),
            },
        };
        let tx = self.tx.insert(tx);
        let (queue, limits) = (&self.queue, self.limits);
        let began = Instant::now();
        let mut next = |taken: usize| {
            while taken < limits.writes && Instant::now() - began < limits.time {
                if let Some(entry) = queue.try_pop()?.timely() {
                    return Some(entry);
                }
            }
            None
        };
        match group::write(tx, first, &mut next, &mut self.commit) {
            Health::Sound => self.move_log_if_long(),
            Health::Broken => self.tx = None,
        }
    }

    /// Moves the log into the file when it has become long. Readers that still need it keep it
    /// long: then it is tried again only after as much has been added once more.
    fn move_log_if_long(&mut self) {
        let pages = LOG_PAGES.get();
        if pages < self.limits.log_pages {
            self.move_at = self.limits.log_pages;
        }
        if pages >= self.move_at
            && let Some(tx) = &mut self.tx
        {
            self.move_at = pages.saturating_add(self.limits.log_pages);
            log_failure(move_log(tx, "PASSIVE"));
        }
    }
}

fn log_failure(moved: Result<(), StoreError>) {
    if let Err(error) = moved {
        // Nothing is lost: the log itself is durable, and the next attempt comes by itself.
        tracing::warn!(
            error = backlot_core::error::chain(&error),
            "the write-ahead log could not be moved"
        );
    }
}

fn move_log(tx: &mut Tx, how: &'static str) -> Result<(), StoreError> {
    let Some(connection) = tx.connection() else {
        return Ok(());
    };
    connection.batch(&format!("PRAGMA wal_checkpoint({how})"))
}
