//! Whether a call that failed is made again, and when.
//!
//! | what is known of the callee | a method that may be repeated | any other |
//! |---|---|---|
//! | it refused the stream before it read it, left before it came to it, or was not sent it | at once, once | the same |
//! | it answered UNAVAILABLE, INTERNAL, UNKNOWN or ABORTED, or the connection broke | after a pause | never |
//! | it did not answer in the time of one attempt | after a pause | (has no such time) |
//! | it answered RESOURCE_EXHAUSTED | if it says when | never |
//! | it answered anything else | never | never |
//!
//! What may be repeated its contract says: a method without side effects or one whose second call
//! changes nothing more (`idempotency_level` of `NO_SIDE_EFFECTS` or `IDEMPOTENT`). All attempts of
//! a write carry one idempotency key. An answer that refuses a write after an attempt that may have
//! been done does not hide that ([`is_in_doubt`](crate::is_in_doubt)). A callee that says how long to
//! wait is obeyed; one that says never, too. Only one layer repeats: a call that is itself made again
//! for somebody else is not repeated below.

use super::exchange::Failure;
use crate::contract::Effect;
use crate::policy::Retry;
use backlot_core::backoff::Backoff;
use backlot_core::{Code, Context, Dice, Error};
use std::time::Duration;

/// The longest that a callee is obeyed who says how long to wait.
const LONGEST: Duration = Duration::from_secs(30);

/// Whether a call is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    No,
    /// Nobody has seen it: it counts as no attempt.
    AtOnce,
    /// After this time.
    After(Duration),
}

/// The attempts of one call.
#[derive(Debug)]
pub(super) struct Attempts {
    /// How many there may be.
    most: u32,
    pauses: Backoff,
    patience: Option<Duration>,
    /// How many have failed.
    failed: u32,
    /// How many since a callee last said how long to wait.
    since_told: u32,
    was_refused: bool,
}

impl Attempts {
    /// Before the first.
    pub(super) fn new(effect: Effect, cx: &Context, bytes: usize, policy: &Retry) -> Self {
        let is_safe = effect != Effect::Once;
        let may_repeat = is_safe && bytes <= policy.replay && cx.attempt() == 0;
        Attempts {
            most: if may_repeat { policy.attempts } else { 1 },
            pauses: Backoff {
                base: policy.pause,
                cap: policy.longest_pause,
            },
            patience: match (may_repeat, policy.patience) {
                (false, _) | (true, Duration::ZERO) => None,
                (true, patience) => Some(patience),
            },
            failed: 0,
            since_told: 0,
            was_refused: false,
        }
    }

    /// How many attempts failed before the next.
    pub(super) fn failed(&self) -> u32 {
        self.failed
    }

    /// There is one.
    pub(super) fn once(&mut self) {
        self.most = 1;
    }

    /// Whether another may follow the next.
    pub(super) fn may_repeat(&self) -> bool {
        self.failed + 1 < self.most
    }

    /// How long the next may take, where another may follow it.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.patience.filter(|_| self.may_repeat())
    }

    /// Whether another comes after this failure, which becomes `error` to the caller.
    pub(super) fn after(
        &mut self,
        outcome: Outcome,
        error: &Error,
        left: Duration,
        dice: &Dice,
    ) -> Again {
        if outcome == Outcome::Unseen && !self.was_refused {
            self.was_refused = true;
            return Again::AtOnce;
        }
        self.failed += 1;
        self.since_told += 1;
        if self.failed >= self.most || error.is_final() {
            return Again::No;
        }
        let told = error.pushback();
        let is_passing = match error.code() {
            Code::Unavailable | Code::Internal | Code::Unknown | Code::Aborted => true,
            Code::ResourceExhausted => told.is_some(),
            _ => outcome == Outcome::Late,
        };
        if !is_passing {
            return Again::No;
        }
        let wait = match told {
            Some(told) => {
                self.since_told = 0;
                if told > LONGEST {
                    return Again::No;
                }
                told
            }
            None => self.pauses.wait(self.since_told.max(1), dice),
        };
        // A pause that leaves no time to be answered is none.
        match wait < left {
            true => Again::After(wait),
            false => Again::No,
        }
    }
}

/// What is known of an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its error says all.
    Told,
    /// The callee never began it.
    Unseen,
    /// It was given up before the call had to be.
    Late,
    /// It was not answered when the call had to be, or the callee says so of itself.
    Expired,
}

impl Outcome {
    pub(super) fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Unsent(_) => Outcome::Unseen,
            Failure::Broken(error) if was_refused(error) => Outcome::Unseen,
            Failure::Late(_) => Outcome::Late,
            Failure::Expired => Outcome::Expired,
            Failure::Told(status) if status.code() == tonic::Code::DeadlineExceeded => {
                Outcome::Expired
            }
            Failure::Broken(_) | Failure::Told(_) | Failure::Malformed(_) | Failure::Own(_) => {
                Outcome::Told
            }
        }
    }
}

/// Whether the peer never began the stream: it says so, or it left (GOAWAY) and named a last one
/// before it (RFC 9113, section 6.8). Streams up to that one end otherwise, when it goes.
fn was_refused(error: &h2::Error) -> bool {
    let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

/// Whether a failure says nothing of how busy the instance is, but that it is there: it did not begin
/// the work.
pub(super) fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::Unimplemented
            | Code::Unauthenticated
            | Code::PermissionDenied
            | Code::InvalidArgument
    )
}

/// Whether a failure says that the instance is sick, rather than that the request is wrong or that
/// there is too much of them.
pub(super) fn is_sick(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::Internal | Code::Unknown | Code::DataLoss
    )
}

/// Whether the callee accepted a call that failed: it is there, and does its work, if not this.
pub(super) fn is_accepted(outcome: Outcome, code: Code) -> bool {
    outcome == Outcome::Told && code != Code::Unavailable
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlot_core::Idempotency;
    use std::sync::Arc;

    const LEFT: Duration = Duration::from_secs(5);

    fn trying(effect: Effect, cx: &Context, bytes: usize) -> Attempts {
        Attempts::new(effect, cx, bytes, &Retry::default())
    }

    fn after(effect: Effect, error: &Error) -> Again {
        let mut attempts = trying(effect, &Context::background(), 10);
        attempts.after(Outcome::Told, error, LEFT, &Dice::seeded(1))
    }

    #[tokio::test]
    async fn only_what_may_be_repeated_and_may_pass_is_repeated() {
        for code in Code::ALL {
            let error = Error::new(code, "as told");
            let passes = matches!(
                code,
                Code::Unavailable | Code::Internal | Code::Unknown | Code::Aborted
            );
            for effect in [Effect::Read, Effect::Idempotent] {
                let again = after(effect, &error);
                assert_eq!(matches!(again, Again::After(_)), passes, "{code}");
            }
            assert_eq!(after(Effect::Once, &error), Again::No, "{code}");
        }
    }

    #[tokio::test]
    async fn a_key_alone_makes_no_write_safe_to_repeat() {
        let key = Idempotency::parse("5bd3e7b2-6c6e-4a4e-9f0c-0d7f3c1a9e11").unwrap();
        let cx = Context::background().with_idempotency(Some(Arc::new(key)));
        let mut attempts = trying(Effect::Once, &cx, 10);
        let error = Error::unavailable("away");
        let again = attempts.after(Outcome::Told, &error, LEFT, &Dice::seeded(1));
        assert_eq!(again, Again::No);
    }

    #[tokio::test]
    async fn what_the_callee_says_is_obeyed() {
        let full = Error::resource_exhausted("full");
        assert_eq!(after(Effect::Read, &full), Again::No);
        let told = Duration::from_millis(70);
        let full = Error::resource_exhausted("full").with_pushback(told);
        assert_eq!(after(Effect::Read, &full), Again::After(told));
        let leaving = Error::unavailable("leaving").with_pushback(Duration::ZERO);
        assert_eq!(after(Effect::Read, &leaving), Again::After(Duration::ZERO));
        let never = Error::unavailable("never").as_final();
        assert_eq!(after(Effect::Read, &never), Again::No);
        let late = Error::unavailable("late").with_pushback(LEFT);
        assert_eq!(after(Effect::Read, &late), Again::No);
        let later = Error::unavailable("later").with_pushback(2 * LONGEST);
        assert_eq!(after(Effect::Read, &later), Again::No);
    }

    #[tokio::test]
    async fn there_are_three_attempts_and_one_that_nobody_saw() {
        let (cx, dice) = (Context::background(), Dice::seeded(1));
        let mut attempts = trying(Effect::Once, &cx, 10);
        let error = Error::unavailable("refused");
        assert_eq!(
            attempts.after(Outcome::Unseen, &error, LEFT, &dice),
            Again::AtOnce
        );
        assert_eq!(
            attempts.after(Outcome::Unseen, &error, LEFT, &dice),
            Again::No
        );

        let mut attempts = trying(Effect::Read, &cx, 10);
        for bound in [25, 50] {
            let Again::After(wait) = attempts.after(Outcome::Told, &error, LEFT, &dice) else {
                panic!("there is another");
            };
            assert!(wait <= Duration::from_millis(bound));
        }
        assert_eq!(
            attempts.after(Outcome::Told, &error, LEFT, &dice),
            Again::No
        );
    }

    #[tokio::test]
    async fn one_layer_repeats_and_a_large_request_is_not_kept() {
        let (error, dice) = (Error::unavailable("away"), Dice::seeded(1));
        let again = Context::background().with_attempt(1);
        let mut below = trying(Effect::Read, &again, 10);
        assert_eq!(below.after(Outcome::Told, &error, LEFT, &dice), Again::No);
        let cx = Context::background();
        let mut large = trying(Effect::Read, &cx, Retry::default().replay + 1);
        assert_eq!(large.after(Outcome::Told, &error, LEFT, &dice), Again::No);
    }

    #[tokio::test]
    async fn an_attempt_that_may_be_followed_has_a_time_of_its_own() {
        let policy = Retry {
            patience: LEFT / 10,
            ..Retry::default()
        };
        let (cx, dice) = (Context::background(), Dice::seeded(1));
        let mut read = Attempts::new(Effect::Read, &cx, 10, &policy);
        let late = Error::deadline_exceeded("it took longer than one attempt may");
        for _ in 0..2 {
            assert_eq!(read.patience(), Some(policy.patience));
            let again = read.after(Outcome::Late, &late, LEFT, &dice);
            assert!(matches!(again, Again::After(_)));
        }
        assert_eq!(read.patience(), None, "the last has all that is left");
        let write = Attempts::new(Effect::Once, &cx, 10, &policy);
        assert_eq!(write.patience(), None);
    }
}
