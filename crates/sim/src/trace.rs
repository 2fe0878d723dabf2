//! What happened, in order. Words are for people; the hash covers every byte sent as well.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A line of a service's log; not part of the hash.
    Log,
    /// Everyday work.
    Detail,
    /// Worth a line in a short timeline.
    Note,
    /// Something was made to go wrong, or well again.
    Fault,
    /// A promise was broken.
    Violation,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Simulated time since the beginning.
    pub at: Duration,
    /// Where.
    pub host: String,
    /// What kind.
    pub kind: Kind,
    /// In words.
    pub text: String,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.kind {
            Kind::Log => "|",
            Kind::Detail | Kind::Note => " ",
            Kind::Fault => "*",
            Kind::Violation => "!",
        };
        write!(
            f,
            "{:>8.3} s {mark} {:<10} {}",
            self.at.as_secs_f64(),
            self.host,
            self.text
        )
    }
}

/// The event log of one run. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Trace(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    now: Duration,
    hash: u64,
    events: Vec<Event>,
    counts: BTreeMap<&'static str, u64>,
    broken: bool,
}

impl Trace {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Trace::default()
    }

    /// Something went wrong, or well again.
    pub fn fault(&self, host: &str, text: impl Into<String>) {
        self.event(host, Kind::Fault, text.into());
    }

    /// Something worth a line in a short timeline.
    pub fn note(&self, host: &str, text: impl Into<String>) {
        self.event(host, Kind::Note, text.into());
    }

    /// Everyday work.
    pub fn detail(&self, host: &str, text: impl Into<String>) {
        self.event(host, Kind::Detail, text.into());
    }

    /// A promise was broken: the run ends at the next step.
    pub fn violation(&self, host: &str, text: impl Into<String>) {
        self.event(host, Kind::Violation, text.into());
    }

    /// Counts one more of something.
    pub fn count(&self, what: &'static str) {
        *self.0.lock().counts.entry(what).or_default() += 1;
    }

    /// Whether a promise was broken.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.0.lock().broken
    }

    /// The hash of everything so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.0.lock().hash
    }

    /// Makes bytes part of the hash, with the moment and the place.
    pub(crate) fn fold(&self, host: &str, bytes: &[u8]) {
        self.0.lock().fold(host, bytes);
    }

    pub(crate) fn event(&self, host: &str, kind: Kind, text: String) {
        self.0.lock().push(host, kind, text);
    }

    /// For a panic, which may come while the log is held.
    pub(crate) fn panicked(&self, text: String) {
        match self.0.try_lock() {
            Some(mut inner) => inner.push("somewhere", Kind::Violation, text),
            None => eprintln!("{text}"),
        }
    }

    pub(crate) fn set_now(&self, now: Duration) {
        self.0.lock().now = now;
    }

    pub(crate) fn take(&self) -> (u64, Vec<Event>, BTreeMap<&'static str, u64>) {
        let mut inner = self.0.lock();
        (
            inner.hash,
            std::mem::take(&mut inner.events),
            std::mem::take(&mut inner.counts),
        )
    }
}

impl Inner {
    fn push(&mut self, host: &str, kind: Kind, text: String) {
        if kind != Kind::Log {
            self.fold(host, text.as_bytes());
        }
        self.broken |= kind == Kind::Violation;
        self.events.push(Event {
            at: self.now,
            host: host.to_owned(),
            kind,
            text,
        });
    }

    fn fold(&mut self, host: &str, bytes: &[u8]) {
        let at = crate::clock::elapsed().max(self.now).as_nanos() as u64;
        self.hash = xxh3_64_with_seed(host.as_bytes(), self.hash ^ at);
        self.hash = xxh3_64_with_seed(bytes, self.hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_covers_place_words_and_order_but_no_logs() {
        let hash = |events: &[(&str, Kind, &str)]| {
            let trace = Trace::new();
            for (host, kind, text) in events {
                trace.event(host, *kind, (*text).to_owned());
            }
            trace.hash()
        };
        let (one, two) = (("a", Kind::Note, "x"), ("b", Kind::Note, "y"));
        assert_ne!(hash(&[one, two]), hash(&[two, one]));
        assert_ne!(hash(&[one]), hash(&[("b", Kind::Note, "x")]));
        assert_eq!(hash(&[one, ("b", Kind::Log, "y")]), hash(&[one]));
    }
}
