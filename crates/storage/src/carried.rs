//! What a transaction carries besides its statements, and what others learn of its commit.

use crate::origin::Setting;
use crate::outbox::Outgoing;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// Belongs to one attempt; the next begins with a fresh one.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) setting: Option<Setting>,
    /// Written at the end.
    pub(crate) outgoing: Outgoing,
    /// How many rows went into the inbox.
    pub(crate) entered: u64,
}

impl Carried {
    pub(crate) fn new(setting: Setting) -> Self {
        Carried {
            setting: Some(setting),
            ..Carried::default()
        }
    }

    pub(crate) fn left(&self) -> Left {
        Left {
            outgoing: self.outgoing.messages().len() as u64,
            entered: self.entered,
        }
    }
}

/// What a commit leaves for others to act on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Left {
    outgoing: u64,
    entered: u64,
}

/// What the commits of one store left.
#[derive(Debug)]
pub(crate) struct Signals {
    /// How many messages went into the outbox.
    pub(crate) added: watch::Sender<u64>,
    /// How many rows went into the inbox since somebody tidied up.
    pub(crate) entered: AtomicU64,
}

impl Default for Signals {
    fn default() -> Self {
        Signals {
            added: watch::Sender::new(0),
            entered: AtomicU64::new(0),
        }
    }
}

impl Signals {
    pub(crate) fn committed(&self, left: Left) {
        if left.outgoing > 0 {
            self.added.send_modify(|added| *added += left.outgoing);
        }
        if left.entered > 0 {
            self.entered.fetch_add(left.entered, Ordering::Relaxed);
        }
    }
}
