//! A database in memory on the caller's own thread. Whoever finds it idle works off what waits:
//! no thread, no lock held while a closure runs, and always the same order.

use super::connection::Connection;
use super::group;
use super::open::{check_version, migrate_here};
use super::queue::Entry;
use crate::backend::{Backend, Call, Job, Mode};
use crate::{Dialect, Migrations, Refusal, Store, StoreError, Tx};
use backlot_core::{BoxFuture, Clock};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(super) struct Inline {
    state: Mutex<State>,
    home: Memory,
}

struct State {
    waiting: VecDeque<Entry>,
    /// Absent while somebody works with it.
    idle: Option<Tx>,
    closed: bool,
}

impl Inline {
    /// Works with a database that goes back to its home when this is closed or dropped.
    pub(super) fn new(tx: Tx, home: Memory) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            idle: Some(tx),
            closed: false,
        };
        Inline {
            state: Mutex::new(state),
            home,
        }
    }

    /// Takes the database and an entry, if both are there; puts the database back otherwise.
    fn take(&self, back: Option<Tx>) -> Option<(Tx, Entry)> {
        let mut state = self.state.lock();
        if back.is_some() {
            state.idle = back;
        }
        let tx = state.idle.take()?;
        match state.waiting.pop_front() {
            Some(entry) => Some((tx, entry)),
            None if state.closed => {
                self.home.put(tx);
                None
            }
            None => {
                state.idle = Some(tx);
                None
            }
        }
    }

    fn work(&self, entry: Entry) {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            return entry.job.answer(Err(StoreError::Closed));
        }
        state.waiting.push_back(entry);
        drop(state);
        let mut next = self.take(None);
        while let Some((mut tx, entry)) = next {
            // Closures' panics are caught where they run; this is for ours, so that the database
            // is always put back.
            if let Some(entry) = entry.timely()
                && catch_unwind(AssertUnwindSafe(|| run(&mut tx, entry))).is_err()
            {
                drop(group::control(&mut tx, "ROLLBACK"));
                drop(group::control(&mut tx, "PRAGMA query_only = OFF"));
            }
            next = self.take(Some(tx));
        }
    }
}

fn run(tx: &mut Tx, entry: Entry) {
    match entry.call.mode {
        Mode::Read => {
            if let Err(error) = group::control(tx, "PRAGMA query_only = ON") {
                return entry.job.answer(Err(error));
            }
            group::read(tx, entry);
            // Cannot fail: the pragma sets a flag of the connection. If it did, writes would say so.
            drop(group::control(tx, "PRAGMA query_only = OFF"));
        }
        Mode::Write => {
            let health = group::write(tx, entry, &mut |_| None, &mut |tx| {
                group::control(tx, "COMMIT")
            });
            if health == group::Health::Broken {
                // There is no file to open anew; what is in memory is as it was before.
                drop(group::control(tx, "ROLLBACK"));
            }
        }
    }
}

impl Backend for Inline {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn run(&self, call: Call, job: Box<dyn Job>) -> BoxFuture<'static, ()> {
        self.work(Entry { call, job });
        Box::pin(std::future::ready(()))
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        let mut state = self.state.lock();
        state.closed = true;
        if let Some(tx) = state.idle.take() {
            self.home.put(tx);
        }
        drop(state);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        if let Some(tx) = self.state.get_mut().idle.take() {
            self.home.put(tx);
        }
    }
}

/// A database in memory that outlives the stores opened on it, one at a time: for services that
/// stop and start again in one test. Clones are the same database.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Place>>);

#[derive(Default)]
enum Place {
    /// Not made yet.
    #[default]
    New,
    /// A store works with it.
    Out,
    Home(Box<Tx>),
}

impl Memory {
    /// Opens it, as [`memory`](super::memory) does an empty one.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an old SQLite, a migration that fails, or while another store
    /// has it open.
    pub fn open(&self, migrations: Migrations, clock: Clock) -> Result<Store, StoreError> {
        check_version(rusqlite::version_number())?;
        let mut tx = self.take()?;
        let migrated = migrate_here(&mut tx, migrations, &clock);
        let inline = Inline::new(tx, self.clone());
        migrated?;
        Ok(Store::over(Arc::new(inline), clock))
    }

    fn take(&self) -> Result<Tx, StoreError> {
        let mut place = self.0.lock();
        let tx = match std::mem::replace(&mut *place, Place::Out) {
            Place::Home(tx) => *tx,
            Place::New => Tx::local(Connection::in_memory().inspect_err(|_| *place = Place::New)?),
            Place::Out => {
                return Err(Refusal::InUse.because(
                    "the database in memory is open already: close the store that has it",
                ));
            }
        };
        Ok(tx)
    }

    fn put(&self, tx: Tx) {
        *self.0.lock() = Place::Home(Box::new(tx));
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sqlite in memory")
    }
}

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sqlite in memory")
    }
}
