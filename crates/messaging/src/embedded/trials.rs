//! One trial at a time in all of an engine.
//!
//! A process that dies ends whatever was on trial in it, in every group. If two groups had messages
//! on trial, a death would be laid to both, and what is innocent in the one would be given up for
//! what kills in the other.

use super::group::Group;
use super::part::until;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Which group has messages on trial. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Trials(Arc<Place>);

#[derive(Debug, Default)]
struct Place {
    taken: Mutex<Option<Taken>>,
    /// How many trials there were, and whether one ended: told when another may begin.
    begun: AtomicU64,
    freed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Taken {
    number: u64,
    group: Weak<Group>,
    /// Nobody waits for it longer than this: what is held for an hour is no trial any more.
    until: Instant,
}

/// The right to have messages on trial, until it is dropped or its time is over.
#[derive(Debug)]
pub(super) struct Permit {
    number: u64,
    place: Arc<Place>,
}

impl Trials {
    /// The right to a trial, for so long at most, if nobody has it.
    pub(super) fn begin(&self, group: Weak<Group>, longest: Duration) -> Option<Permit> {
        let now = Instant::now();
        let mut taken = self.0.taken.lock();
        if taken.as_ref().is_some_and(|taken| taken.until > now) {
            return None;
        }
        let number = self.0.begun.fetch_add(1, Ordering::Relaxed);
        *taken = Some(Taken {
            number,
            group,
            until: until(now, longest),
        });
        Some(Permit {
            number,
            place: Arc::clone(&self.0),
        })
    }

    /// Whether messages are on trial, or about to be.
    pub(super) fn is_taken(&self) -> bool {
        let taken = self.0.taken.lock();
        let now = Instant::now();
        taken.as_ref().is_some_and(|taken| taken.until > now)
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.0.freed.subscribe()
    }

    /// Whoever waits for the trial of another group looks whether that group's members are there
    /// still: it may have nobody else who would. Answers when to look again.
    pub(super) fn look_after(&self, group: &Arc<Group>, now_ms: i64) -> Option<Instant> {
        let (other, until) = {
            let taken = self.0.taken.lock();
            let taken = taken.as_ref()?;
            (taken.group.upgrade(), taken.until)
        };
        let other = other.filter(|other| !Arc::ptr_eq(other, group));
        let look = other.and_then(|other| other.look_after(now_ms));
        look.into_iter().chain([until]).min()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.place.taken.lock();
        if taken.as_ref().is_some_and(|it| it.number == self.number) {
            *taken = None;
            drop(taken);
            self.place.freed.send_modify(|freed| *freed += 1);
        }
    }
}
