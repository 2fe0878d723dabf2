//! The backend over a file: two queues, the threads behind them, and how they end.

use super::connection::Connection;
use super::queue::{Entry, Queue};
use super::readers::Readers;
use super::writer::Writer;
use crate::backend::{Backend, Call, Job, Mode};
use crate::{Dialect, StoreError};
use backlot_core::BoxFuture;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{JoinHandle, ThreadId};
use tokio::sync::watch;

/// Threads end when the queues are closed: by `close`, or when the last store is dropped. The
/// writer ends last: it waits for the readers, moves the log, closes the file and unlocks it.
pub(super) struct Threads {
    path: PathBuf,
    writes: Arc<Queue>,
    reads: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    own: Vec<ThreadId>,
    /// Its sender lives in the writer thread: gone means ended.
    ended: watch::Receiver<()>,
}

impl Threads {
    pub(super) fn start(
        path: PathBuf,
        writer: Writer,
        reads: Arc<Queue>,
        readers: Vec<Connection>,
        lock: File,
    ) -> std::io::Result<Self> {
        let writes = Arc::clone(&writer.queue);
        let readers = Readers::start(Arc::clone(&reads), readers)?;
        let mut own: Vec<ThreadId> = readers.ids().collect();
        let (alive, ended) = watch::channel(());
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                writer.serve(readers);
                // The file is closed now, and not before.
                drop(lock);
                drop(alive);
            })?;
        own.push(thread.thread().id());
        Ok(Threads {
            path,
            writes,
            reads,
            writer: Some(thread),
            own,
            ended,
        })
    }

    fn close_queues(&self) {
        self.writes.close();
        self.reads.close();
    }
}

impl Backend for Threads {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn run(&self, call: Call, job: Box<dyn Job>) -> BoxFuture<'static, ()> {
        let queue = match call.mode {
            Mode::Read => &self.reads,
            Mode::Write => &self.writes,
        };
        queue.push(Entry { call, job });
        // Nothing is allocated for a future without a state.
        Box::pin(std::future::ready(()))
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.close_queues();
        let mut ended = self.ended.clone();
        Box::pin(async move {
            // An error is what is waited for: the sender is gone.
            while ended.changed().await.is_ok() {}
            Ok(())
        })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.close_queues();
        // A closure may hold the last store, and be dropped on a thread of the store itself, which
        // cannot wait for itself. Elsewhere the wait is short: nobody waits for what is queued any
        // more, so none of it is run.
        if !self.own.contains(&std::thread::current().id())
            && let Some(writer) = self.writer.take()
        {
            // It catches panics; one that ended by one all the same is ended.
            drop(writer.join());
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite in {}", self.path.display())
    }
}
