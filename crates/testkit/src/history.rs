//! Histories of messaging, and the checker that says what of them cannot be.
//!
//! A client writes a line before it asks for something, and another when it knows what came of it:
//! append-only, so that a client that is killed leaves all it knew. At the end everything is
//! delivered and settled, and lines are added of what was found in the log and in the effects. The
//! [checker](check) is pure: it knows nothing of any engine.
//!
//! | line | meaning |
//! |---|---|
//! | `start` | a process began; deliveries of an older one are over |
//! | `publish ID TOPIC KEY [dead]` | a client begins to publish; `-` is no key; with `dead` every group must put it with its dead letters, and make no effect |
//! | `ok ID [PARTITION OFFSET]` | it was told that the message is kept, and where, if it was told that |
//! | `fail ID` | it was told that nothing happened |
//! | `unknown ID` | it was told that nobody knows; the same as no line at all |
//! | `deliver GROUP TOPIC PARTITION OFFSET EPOCH ATTEMPTS STARTS AT ID` | a group got a message, at this millisecond; attempts and starts as the engine counts those before |
//! | `again GROUP TOPIC ID NOT_BEFORE` | it was told that the message will come again, not before this millisecond |
//! | `skip GROUP TOPIC PARTITION FIRST END CAUSE` | a group was told that these will never come |
//! | `wrong TEXT` | a client saw what it can tell to be wrong by itself, such as a payload nobody sent |
//! | `stored TOPIC PARTITION OFFSET ID` | at the end: a message of the log; the lines of a partition in the order of a reader |
//! | `effect GROUP ID` | at the end: one made effect, in the order in which they were made |
//! | `dead GROUP ID` | at the end: one dead letter |
//!
//! Ids, topics, keys and groups hold no white space. Lines that begin with `#`, and empty ones, are
//! for people.
//!
//! What is checked: nothing acknowledged is lost, nothing refused or never sent is there, offsets
//! are unique and contiguous and where the client was told, keys keep their order in the log, each
//! partition is delivered in order, effects are made exactly once by every group, what was put back
//! comes again and not too early, dead letters are exactly those that must be, and no group is told
//! of gaps.
//!
//! ```
//! use backlot_testkit::history::{Kind, Rules, check};
//!
//! let rules = Rules::new([("billing", "orders")]);
//! let good = "publish 1 orders ann\nok 1 0 0\nstored orders 0 0 1\neffect billing 1\n";
//! check(good, &rules).expect_sound();
//!
//! let lost = "publish 1 orders ann\nok 1 0 0\n";
//! let found = check(lost, &rules);
//! assert!(found.kinds().contains(&Kind::Lost), "{found}");
//! ```

mod book;
mod judge;
mod line;
mod verdict;

use book::Book;
use line::Line;
pub use verdict::{Kind, Verdict, Violation};

/// What a history must keep.
#[derive(Clone, Debug)]
pub struct Rules {
    groups: Vec<(String, String)>,
    stored_once: bool,
    gaps_told: bool,
}

impl Rules {
    /// Every one of these groups makes the effect of each message of its topic, once. An id is in
    /// the log once, and nothing is missing from it.
    #[must_use]
    pub fn new<'a>(groups: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(group, topic): (&str, &str)| (group.to_owned(), topic.to_owned());
        Rules {
            groups: groups.into_iter().map(owned).collect(),
            stored_once: true,
            gaps_told: false,
        }
    }

    /// The same id may be in the log more than once: for publishers that try again without asking
    /// for deduplication.
    #[must_use]
    pub fn with_repeats(mut self) -> Self {
        self.stored_once = false;
        self
    }

    /// Messages may be missing where every group was told so by a `skip` line: for disks that were
    /// damaged on purpose.
    #[must_use]
    pub fn with_told_gaps(mut self) -> Self {
        self.gaps_told = true;
        self
    }
}

/// Checks a history against rules.
#[must_use]
pub fn check(history: &str, rules: &Rules) -> Verdict {
    let mut book = Book::default();
    for (index, text) in history.lines().enumerate() {
        let text = text.trim_end();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match Line::parse(text) {
            Some(line) => book.enter(line),
            None => book.verdict.add(
                Kind::Malformed,
                format!("line {} is none of a history: {text:?}", index + 1),
            ),
        }
    }
    book.close(rules)
}

#[cfg(test)]
mod tests;
