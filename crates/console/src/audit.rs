//! Who did what: a line in the log for each action, and the latest of them on the page.

use crate::access::Operator;
use backlot_core::{Clock, Timestamp};
use backlot_service::logs::AUDIT;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many are kept for the page; the log has all.
const KEPT: usize = 200;

/// An action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    pub(crate) who: Arc<str>,
    /// For example `redrive`.
    pub(crate) what: &'static str,
    /// To what, with what.
    pub(crate) to: String,
    /// What became of it.
    pub(crate) outcome: String,
}

/// Keeps actions. Clones share it.
#[derive(Clone)]
pub(crate) struct Audit {
    clock: Clock,
    kept: Arc<Mutex<VecDeque<Entry>>>,
}

impl Audit {
    pub(crate) fn new(clock: Clock) -> Self {
        Audit {
            clock,
            kept: Arc::default(),
        }
    }

    /// Somebody did something.
    pub(crate) fn note(
        &self,
        Operator(who): &Operator,
        what: &'static str,
        to: impl Into<String>,
        outcome: impl Into<String>,
    ) {
        let (to, outcome) = (to.into(), outcome.into());
        tracing::info!(target: AUDIT, %who, what, to, outcome, "{what} by {who}");
        let mut kept = self.kept.lock();
        if kept.len() == KEPT {
            kept.pop_back();
        }
        kept.push_front(Entry {
            at: self.clock.wall(),
            who: Arc::clone(who),
            what,
            to,
            outcome,
        });
    }

    /// The latest, newest first.
    pub(crate) fn latest(&self) -> Vec<Entry> {
        self.kept.lock().iter().cloned().collect()
    }
}
