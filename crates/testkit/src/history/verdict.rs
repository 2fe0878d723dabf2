//! What the checker says.

use std::collections::BTreeSet;
use std::fmt;

/// A kind of what cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Acknowledged, and not there.
    Lost,
    /// There, and never sent.
    Phantom,
    /// Its sender was told that nothing happened, and it is there.
    Refused,
    /// An id is in the log more than once.
    StoredTwice,
    /// Offsets are not unique, not contiguous, or not where the sender was told.
    Offsets,
    /// A key or a partition lost its order.
    Order,
    /// An effect was made more than once.
    DoubledEffect,
    /// An effect was never made.
    MissingEffect,
    /// What was put back did not come again.
    NotAgain,
    /// What was put back came before its time.
    TooEarly,
    /// Dead letters are not exactly those that must be.
    DeadLetters,
    /// A group was told of a gap, and none was made on purpose.
    Skipped,
    /// A client saw something wrong by itself.
    Wrong,
    /// A line is none of a history.
    Malformed,
}

/// One thing that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which kind.
    pub kind: Kind,
    /// What exactly.
    pub text: String,
}

/// What a history comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What cannot be, in the order it was found.
    pub violations: Vec<Violation>,
    /// How many processes began.
    pub starts: usize,
    /// How many messages were sent.
    pub sent: usize,
    /// How many of them were acknowledged.
    pub acknowledged: usize,
    /// How many are in the log.
    pub stored: usize,
    /// How many deliveries there were, repeated ones counted each.
    pub deliveries: usize,
}

/// The most violations that are printed.
const PRINTED: usize = 20;

impl Verdict {
    pub(super) fn add(&mut self, kind: Kind, text: String) {
        self.violations.push(Violation { kind, text });
    }

    pub(super) fn extend(&mut self, found: Vec<(Kind, String)>) {
        for (kind, text) in found {
            self.add(kind, text);
        }
    }

    /// The kinds of what cannot be.
    #[must_use]
    pub fn kinds(&self) -> BTreeSet<Kind> {
        let kinds = self.violations.iter();
        kinds.map(|violation| violation.kind).collect()
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.violations.is_empty()
    }

    /// Expects that nothing is wrong.
    ///
    /// # Panics
    /// When something is, with what.
    #[track_caller]
    pub fn expect_sound(&self) {
        assert!(self.is_sound(), "{self}");
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} sent, {} acknowledged, {} stored, {} deliveries, {} starts, {} violations",
            self.sent,
            self.acknowledged,
            self.stored,
            self.deliveries,
            self.starts,
            self.violations.len()
        )?;
        for kind in self.kinds() {
            let of_kind = self.violations.iter();
            let count = of_kind.filter(|violation| violation.kind == kind).count();
            writeln!(f, "{kind:?}: {count} times")?;
        }
        for violation in self.violations.iter().take(PRINTED) {
            writeln!(f, "{:?}: {}", violation.kind, violation.text)?;
        }
        match self.violations.len().checked_sub(PRINTED) {
            Some(more) if more > 0 => writeln!(f, "and {more} more"),
            _ => Ok(()),
        }
    }
}
