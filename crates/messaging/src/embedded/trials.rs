//! One trial at a time in all of an engine.
//!
//! A process that dies ends whatever was on trial in it, in every group. If two groups had messages
//! on trial, a death would be laid to both, and what is innocent in the one would be given up for
//! what kills in the other.

use super::group::Group;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use tokio::sync::watch;
use tokio::time::Instant;

/// Which group has messages on trial. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Trials(Arc<Place>);

#[derive(Debug, Default)]
struct Place {
    taken_by: Mutex<Option<Weak<Group>>>,
    /// Told when another trial may begin.
    freed: watch::Sender<u64>,
}

/// The right to have messages on trial, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Place>);

impl Trials {
    /// The right to a trial, if nobody has it.
    pub(super) fn begin(&self, group: Weak<Group>) -> Option<Permit> {
        let mut taken_by = self.0.taken_by.lock();
        if taken_by.is_some() {
            return None;
        }
        *taken_by = Some(group);
        Some(Permit(Arc::clone(&self.0)))
    }

    /// Whether messages are on trial, or about to be.
    pub(super) fn is_taken(&self) -> bool {
        self.0.taken_by.lock().is_some()
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.0.freed.subscribe()
    }

    /// Whoever waits for the trial of another group looks whether that group's members are there
    /// still: it may have nobody else who would. Answers when to look again.
    pub(super) fn look_after(&self, group: &Arc<Group>, now_ms: i64) -> Option<Instant> {
        let taken_by = self.0.taken_by.lock().as_ref().and_then(Weak::upgrade);
        let other = taken_by.filter(|taken_by| !Arc::ptr_eq(taken_by, group))?;
        other.look_after(now_ms)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.taken_by.lock() = None;
        self.0.freed.send_modify(|freed| *freed += 1);
    }
}
