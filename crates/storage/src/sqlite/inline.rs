//! A database in memory on the caller's own thread. Whoever finds it idle works off what waits:
//! no thread, no lock held while a closure runs, and always the same order.

use super::group;
use super::queue::Entry;
use crate::backend::{Backend, Call, Job, Mode};
use crate::{Dialect, StoreError, Tx};
use backlot_core::BoxFuture;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) struct Inline(Mutex<State>);

struct State {
    waiting: VecDeque<Entry>,
    /// Absent while somebody works with it.
    idle: Option<Tx>,
    closed: bool,
}

impl Inline {
    pub(super) fn new(tx: Tx) -> Self {
        Inline(Mutex::new(State {
            waiting: VecDeque::new(),
            idle: Some(tx),
            closed: false,
        }))
    }

    /// Takes the database and an entry, if both are there; puts the database back otherwise.
    fn take(&self, back: Option<Tx>) -> Option<(Tx, Entry)> {
        let mut state = self.0.lock();
        if back.is_some() {
            state.idle = back;
        }
        let tx = state.idle.take()?;
        match state.waiting.pop_front() {
            Some(entry) => Some((tx, entry)),
            None => {
                if !state.closed {
                    state.idle = Some(tx);
                }
                None
            }
        }
    }

    fn work(&self, entry: Entry) {
        let mut state = self.0.lock();
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
        let mut state = self.0.lock();
        state.closed = true;
        drop(state.idle.take());
        drop(state);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sqlite in memory")
    }
}
