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
    /// How many have been handed out.
    taken: u64,
    closed: bool,
    /// Threads that sleep and that nobody has woken yet: a push wakes one only when there is one.
    asleep: usize,
}

/// A place in the order of arrival.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u64);

impl State {
    fn take(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.taken += 1;
        Some(entry)
    }
}

impl Queue {
    pub(super) fn new(bound: usize) -> Self {
        let state = State {
            entries: VecDeque::new(),
            taken: 0,
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
        self.pop_marking(0).map(|(entry, _mark)| entry)
    }

    /// The next entry as [`pop`](Queue::pop) gives it, and a mark behind those that wait now, at
    /// most `most` of them.
    pub(super) fn pop_marking(&self, most: usize) -> Option<(Entry, Mark)> {
        let mut state = self.state.lock();
        loop {
            if let Some(entry) = state.take() {
                let waiting = state.entries.len().min(most);
                return Some((entry, Mark(state.taken + waiting as u64)));
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
        self.state.lock().take()
    }

    /// The next entry, if there is one before the mark: one that arrived before the mark was made.
    pub(super) fn try_pop_before(&self, mark: Mark) -> Option<Entry> {
        let mut state = self.state.lock();
        if state.taken < mark.0 {
            state.take()
        } else {
            None
        }
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
