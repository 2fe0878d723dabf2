//! How a handler fails, and what that asks for.

use crate::engine;
use crate::event::Undecodable;
use backlot_core::{Code, Error, Timestamp};
use backlot_storage::StoreError;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The most bytes that are kept of what a failure says.
const MESSAGE_BYTES: usize = 1024;
/// When a message that is not to blame is tried again.
const AWAY: Duration = Duration::from_secs(1);

/// Why a message failed or died, as the header `dlq-class` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Class {
    /// It may succeed another time. Of attempts alone.
    Transient,
    /// It can never succeed.
    Permanent,
    /// It failed as often as its group allows.
    Exhausted,
    /// It is not the event that its reader reads.
    Undecodable,
    /// A newer program published it.
    UnknownVersion,
    /// It failed for longer than its group allows.
    Expired,
    /// Its handler panicked.
    Panic,
    /// Deliveries of it had no end: it may kill its process.
    CrashLoop,
    /// What is stored of it is damaged.
    Corrupt,
}

impl Class {
    /// The name in headers and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Class::Transient => "transient",
            Class::Permanent => "permanent",
            Class::Exhausted => "exhausted",
            Class::Undecodable => "undecodable",
            Class::UnknownVersion => "unknown-version",
            Class::Expired => "expired",
            Class::Panic => "panic",
            Class::CrashLoop => "crash-loop",
            Class::Corrupt => "corrupt",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an attempt failed: transient unless it is said otherwise.
#[derive(Clone, Debug)]
pub struct Failure {
    class: Class,
    code: Code,
    message: String,
    verdict: Verdict,
    /// Which events of a batch it is about, and how each failed.
    among: Vec<(usize, Failure)>,
}

/// What becomes of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is tried again, as often as the group allows.
    Retry,
    /// The same, after this time instead of a growing pause.
    RetryAfter(Duration),
    /// It goes to the dead letters.
    Dead,
    /// It goes there as one that failed as often as it may.
    Exhausted,
    /// It is tried again after this time, and no attempt is used up.
    Later(Duration),
    /// The store was not done in time, and the handler was not what kept it: no attempt is used up.
    /// It may have come to its commit, so that a dead letter could be of something that is done.
    Late,
    /// Nothing can be done for any message now, and none is to blame.
    Away,
    /// The handler has no form for batches: it is called for each event.
    Unbatched,
}

/// What a failure asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Another attempt, after this time or a growing pause.
    Retry(Option<Duration>),
    /// The same attempt after this time.
    Later(Duration),
    /// None.
    Dead,
}

impl Failure {
    /// An attempt failed, and another may succeed. What is said is for people who look after the
    /// system.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        Failure {
            class: Class::Transient,
            code,
            message,
            verdict: Verdict::Retry,
            among: Vec::new(),
        }
    }

    /// Of a batch these events failed, by their places in it: the others are handled again without
    /// them. A batch that fails otherwise is handled again in halves, until what fails is found.
    ///
    /// ```
    /// use backlot_core::Error;
    /// use backlot_messaging::consume::{Failing, Failure};
    ///
    /// let failed = vec![(3, Error::invalid_argument("value: must be 0.5 to 5 stars").permanent())];
    /// let failure = Failure::among(failed);
    /// # drop(failure);
    /// ```
    pub fn among(failed: impl IntoIterator<Item = (usize, Failure)>) -> Self {
        let among: Vec<(usize, Failure)> = failed.into_iter().collect();
        let said = among
            .first()
            .map_or("nothing failed", |(_, failure)| failure.message());
        let text = format!("of a batch: {said}");
        Failure {
            among,
            ..Failure::new(Code::Aborted, text)
        }
    }

    /// How each of these events failed, by their places in a batch of `count`; nothing when it is
    /// about the batch.
    pub(super) fn take_among(&mut self, count: usize) -> BTreeMap<usize, Failure> {
        let mut among: BTreeMap<usize, Failure> =
            std::mem::take(&mut self.among).into_iter().collect();
        among.retain(|place, _| *place < count);
        among
    }

    /// The same, and no attempt will ever succeed: the message goes to the dead letters.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.class = Class::Permanent;
        self.verdict = Verdict::Dead;
        self
    }

    /// The same, to be tried again after this time; it uses no attempt.
    #[must_use]
    pub fn later(mut self, wait: Duration) -> Self {
        self.verdict = Verdict::Later(wait);
        self
    }

    /// The same, to be tried again after this time instead of a growing pause; it uses an attempt.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.verdict = Verdict::RetryAfter(wait);
        self
    }

    /// It was the last attempt, whatever the group allows.
    pub(crate) fn exhausted(mut self) -> Self {
        self.verdict = Verdict::Exhausted;
        self
    }

    /// What becomes of a message that failed so, for whoever counts its attempts elsewhere.
    pub(crate) fn asks(&self) -> Asks {
        match self.verdict {
            Verdict::Dead | Verdict::Exhausted => Asks::Dead,
            Verdict::Retry | Verdict::Unbatched => Asks::Retry(None),
            Verdict::RetryAfter(wait) => Asks::Retry(Some(wait)),
            Verdict::Later(wait) => Asks::Later(wait),
            Verdict::Late | Verdict::Away => Asks::Later(AWAY),
        }
    }

    /// Which kind it is.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// What it says.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The handler was at work when the time was over: that is an attempt.
    pub(super) fn attempted(mut self) -> Self {
        if self.verdict == Verdict::Late {
            self.verdict = Verdict::Retry;
        }
        self
    }

    pub(super) fn is_unbatched(&self) -> bool {
        self.verdict == Verdict::Unbatched
    }

    pub(super) fn away(message: &str) -> Self {
        Failure {
            verdict: Verdict::Away,
            ..Failure::new(Code::Unavailable, message)
        }
    }

    pub(super) fn unbatched() -> Self {
        Failure {
            verdict: Verdict::Unbatched,
            ..Failure::new(
                Code::Unimplemented,
                "this handler takes one event at a time",
            )
        }
    }

    pub(crate) fn panicked(words: &str) -> Self {
        Failure {
            class: Class::Panic,
            ..Failure::new(Code::Internal, format!("the handler panicked: {words}"))
        }
    }

    pub(crate) fn late() -> Self {
        let said = "the handler was not done by its deadline";
        Failure::new(Code::DeadlineExceeded, said)
    }

    /// As it is kept with the message.
    pub(super) fn kept(&self, now: Timestamp) -> engine::Failure {
        engine::Failure {
            at_ms: now.0,
            class: format!("{}:{}", self.class, self.code),
            message: self.message.clone(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let source = std::error::Error::source(&error);
        let store = source.and_then(|source| source.downcast_ref::<StoreError>());
        // The code is kept beside what is said.
        let (code, chain) = (error.code(), error.chain());
        let said = chain.strip_prefix(&format!("{code}: ")).unwrap_or(&chain);
        let failure = Failure::new(code, said);
        match store {
            Some(store) => Failure {
                message: failure.message,
                ..Failure::from(store.clone())
            },
            None => failure,
        }
    }
}

impl From<StoreError> for Failure {
    /// A store that cannot serve is no message's fault.
    fn from(error: StoreError) -> Self {
        if let StoreError::Panicked { cause, .. } = &error {
            return Failure::panicked(&cause.to_string());
        }
        let verdict = match &error {
            StoreError::Full { .. }
            | StoreError::Closed
            | StoreError::Late { .. }
            | StoreError::Unavailable { .. }
            | StoreError::Conflict { .. }
            | StoreError::Lost { .. }
            | StoreError::Position { .. } => Verdict::Away,
            StoreError::TimedOut { .. } => Verdict::Late,
            _ => Verdict::Retry,
        };
        Failure {
            verdict,
            ..Failure::new(error.code(), backlot_core::error::chain(&error))
        }
    }
}

impl From<Undecodable> for Failure {
    fn from(error: Undecodable) -> Self {
        let class = match error {
            Undecodable::UnknownVersion { .. } => Class::UnknownVersion,
            _ => Class::Undecodable,
        };
        Failure {
            class,
            ..Failure::new(Code::InvalidArgument, error.to_string()).permanent()
        }
    }
}

/// Says of an error what it asks for: `error.permanent()`, `error.later(a_minute)`.
pub trait Failing: Into<Failure> {
    /// No attempt will ever succeed.
    fn permanent(self) -> Failure {
        self.into().permanent()
    }

    /// To be tried again after this time; it uses no attempt.
    fn later(self, wait: Duration) -> Failure {
        self.into().later(wait)
    }
}

impl Failing for Error {}
impl Failing for StoreError {}
impl Failing for crate::Error {}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        Failure::from(Error::from(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_away_is_no_messages_fault_however_it_is_wrapped() {
        let away = StoreError::unavailable("the disk is gone");
        assert_eq!(Failure::from(away.clone()).verdict(), Verdict::Away);
        let wrapped = Failure::from(Error::from(away));
        assert_eq!(wrapped.verdict(), Verdict::Away);
        assert!(wrapped.message().contains("the disk is gone"), "{wrapped}");
        let wrong = Failure::from(StoreError::sql("no such table"));
        assert_eq!(wrong.verdict(), Verdict::Retry);
    }

    #[test]
    fn an_error_says_what_it_asks_for() {
        let error = || Error::invalid_argument("no such film");
        assert_eq!(Failure::from(error()).class(), Class::Transient);
        assert_eq!(error().permanent().class(), Class::Permanent);
        let kept = error().permanent().kept(Timestamp(0));
        assert_eq!(kept.class, "permanent:INVALID_ARGUMENT");
        assert_eq!(kept.message, "no such film");
        let wait = Duration::from_secs(3);
        assert_eq!(error().later(wait).verdict(), Verdict::Later(wait));
        let long = Failure::new(Code::Internal, "é".repeat(1000));
        assert_eq!(long.message().len(), 1024);
    }
}
