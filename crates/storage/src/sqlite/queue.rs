//! A bounded queue in front of threads that sleep while it is empty.

use crate::StoreError;
use crate::backend::{Call, Job};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;

/// A job that waits for its transaction.
pub(super) struct Entry {
    pub(super) call: Call,
    pub(super) job: Box<dyn Job>,
}

impl Entry {
    /// The entry again, if its work is still worth beginning. Nobody waits for an abandoned one;
    /// a late one is answered here.
    pub(super) fn timely(self) -> Option<Entry> {
        if self.job.is_abandoned() {
            return None;
        }
        if self.call.deadline.has_passed() {
            let late = self.call.late();
            self.job.answer(Err(late));
            return None;
        }
        Some(self)
    }
}

/// First in, first out; full and closed queues answer at once.
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    bound: usize,
}

struct State {
    entries: VecDeque<Entry>,
    closed: bool,
    /// Threads that sleep and that nobody has woken yet: a push wakes one only when there is one.
    asleep: usize,
}

impl Queue {
    pub(super) fn new(bound: usize) -> Self {
        let state = State {
            entries: VecDeque::new(),
            closed: false,
            asleep: 0,
        };
        Queue {
            state: Mutex::new(state),
            arrived: Condvar::new(),
            bound: bound.max(1),
        }
    }

    /// Adds an entry, or answers it: full, or closed.
    pub(super) fn push(&self, entry: Entry) {
        let mut state = self.state.lock();
        let refusal = if state.closed {
            StoreError::Closed
        } else if state.entries.len() >= self.bound {
            StoreError::Full {
                waiting: state.entries.len(),
            }
        } else {
            state.entries.push_back(entry);
            let wake = state.asleep > 0;
            if wake {
                state.asleep -= 1;
            }
            drop(state);
            if wake {
                self.arrived.notify_one();
            }
            return;
        };
        drop(state);
        entry.job.answer(Err(refusal));
    }

    /// The next entry, waiting for it; nothing when the queue is closed and empty.
    pub(super) fn pop(&self) -> Option<Entry> {
        let mut state = self.state.lock();
        loop {
            if let Some(entry) = state.entries.pop_front() {
                return Some(entry);
            }
            if state.closed {
                return None;
            }
            state.asleep += 1;
            self.arrived.wait(&mut state);
        }
    }

    /// The next entry, if there is one now.
    pub(super) fn try_pop(&self) -> Option<Entry> {
        self.state.lock().entries.pop_front()
    }

    /// Refuses what comes from now on; what is in it is still handed out.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.asleep = 0;
        drop(state);
        self.arrived.notify_all();
    }
}
