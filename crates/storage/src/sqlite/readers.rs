//! Reader threads: each with a connection of its own, each read on one snapshot. Reads that wait
//! together share one: taking and leaving a snapshot costs as much as a small read.

use super::connection::Connection;
use super::group;
use super::queue::Queue;
use crate::{StoreError, Tx};
use backlot_core::Deadline;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{JoinHandle, ThreadId};

/// SQLite's virtual instructions between two looks at the deadline: some tens of microseconds.
const OPERATIONS_BETWEEN_LOOKS: i32 = 10_000;

/// The most reads that share a snapshot, so that the log can be moved past it soon.
const TOGETHER: usize = 64;

/// The reader threads, owned and joined.
pub(super) struct Readers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// One thread for each connection; they work off `queue` until it is closed and empty.
    pub(super) fn start(queue: Arc<Queue>, connections: Vec<Connection>) -> std::io::Result<Self> {
        let mut readers = Readers {
            queue,
            threads: Vec::new(),
        };
        for connection in connections {
            let queue = Arc::clone(&readers.queue);
            let thread = std::thread::Builder::new().name("store-reader".to_owned());
            readers
                .threads
                .push(thread.spawn(move || serve(connection, &queue))?);
        }
        Ok(readers)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ThreadId> {
        self.threads.iter().map(|thread| thread.thread().id())
    }

    /// Ends them all.
    pub(super) fn join(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // It catches panics; one that ended by one all the same is ended.
            drop(thread.join());
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.join();
    }
}

fn serve(connection: Connection, queue: &Queue) {
    let until = Arc::new(Mutex::new(None));
    if let Err(error) = end_at_deadline(&connection, &until) {
        tracing::warn!(
            error = backlot_core::error::chain(&error),
            "reads will not end at their deadline"
        );
    }
    let mut tx = Tx::local(connection);
    while let Some((first, mark)) = queue.pop_marking(TOGETHER) {
        let mut entry = Some(first);
        let mut next = || {
            while let Some(waiting) = entry.take().or_else(|| queue.try_pop_before(mark)) {
                if let Some(timely) = waiting.timely() {
                    *until.lock() = Some(timely.call.deadline);
                    return Some(timely);
                }
            }
            None
        };
        let Some(first) = next() else { continue };
        // What waited when the mark was made began before the snapshot is taken, and so sees every
        // write that was answered before it began. What arrives later waits for the next snapshot.
        // Closures' panics are caught where they run; this is for ours, so that no reader is lost.
        if catch_unwind(AssertUnwindSafe(|| group::reads(&mut tx, first, &mut next))).is_err() {
            drop(group::control(&mut tx, "ROLLBACK"));
        }
        *until.lock() = None;
    }
}

/// A read whose caller is gone shall not keep a reader from the others.
fn end_at_deadline(
    connection: &Connection,
    until: &Arc<Mutex<Option<Deadline>>>,
) -> Result<(), StoreError> {
    let until = Arc::clone(until);
    let passed = move || until.lock().is_some_and(Deadline::has_passed);
    connection
        .raw()
        .progress_handler(OPERATIONS_BETWEEN_LOOKS, Some(passed))
        .map_err(|error| super::failure::of(error, ""))
}
