//! Whether a call that failed is made again, and when.
//!
//! | what is known of the callee | a read | any other |
//! |---|---|---|
//! | it refused the stream before it read it (REFUSED_STREAM) | at once, once | the same |
//! | it answered UNAVAILABLE, INTERNAL, UNKNOWN or ABORTED, or the connection broke | after a pause | never |
//! | it answered RESOURCE_EXHAUSTED | if it says when | never |
//! | it answered anything else | never | never |
//!
//! Reads are methods without side effects (`idempotency_level` of `NO_SIDE_EFFECTS`). Others are not
//! repeated here even where that would change nothing more: their callers have to know that the
//! first attempt may have happened, which a second that certainly did not would hide. A callee that
//! says how long to wait is obeyed; one that says never, too. Only one layer repeats: a call that is
//! itself made again for somebody else is not repeated below.

use super::exchange::Failure;
use crate::contract::{Effect, Method};
use backlot_core::backoff::Backoff;
use backlot_core::{Code, Context, Dice, Error};
use std::time::Duration;

/// The most attempts of one call.
pub(super) const ATTEMPTS: u32 = 3;
/// The pauses before another.
const PAUSES: Backoff = Backoff {
    base: Duration::from_millis(25),
    cap: Duration::from_secs(1),
};
/// The longest that a callee is obeyed who says how long to wait.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest request that is kept to be sent again, in bytes.
pub(super) const REPLAYED: usize = 64 * 1024;

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
    may_repeat: bool,
    /// How many have failed.
    failed: u32,
    /// How many since a callee last said how long to wait.
    since_told: u32,
    was_refused: bool,
}

impl Attempts {
    /// Before the first.
    pub(super) fn new(method: &Method, cx: &Context, bytes: usize) -> Self {
        let is_read = method.effect == Effect::Read;
        Attempts {
            may_repeat: is_read && bytes <= REPLAYED && cx.attempt() == 0,
            failed: 0,
            since_told: 0,
            was_refused: false,
        }
    }

    /// How many attempts failed before the next.
    pub(super) fn failed(&self) -> u32 {
        self.failed
    }

    /// Whether another comes after this failure, which becomes `error` to the caller.
    pub(super) fn after(
        &mut self,
        was_refused: bool,
        error: &Error,
        left: Duration,
        dice: &Dice,
    ) -> Again {
        if was_refused && !self.was_refused {
            self.was_refused = true;
            return Again::AtOnce;
        }
        self.failed += 1;
        self.since_told += 1;
        if !self.may_repeat || self.failed >= ATTEMPTS || error.is_final() {
            return Again::No;
        }
        let told = error.pushback();
        let is_passing = match error.code() {
            Code::Unavailable | Code::Internal | Code::Unknown | Code::Aborted => true,
            Code::ResourceExhausted => told.is_some(),
            _ => false,
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
            None => PAUSES.wait(self.since_told.max(1), dice),
        };
        // A pause that leaves no time to be answered is none.
        match wait < left {
            true => Again::After(wait),
            false => Again::No,
        }
    }
}

/// Whether the callee never began this call.
pub(super) fn was_refused(failure: &Failure) -> bool {
    match failure {
        Failure::Broken(error) => error.reason() == Some(h2::Reason::REFUSED_STREAM),
        Failure::Told(_) | Failure::Malformed(_) | Failure::Own(_) => false,
    }
}

/// Whether a failure says nothing of how busy the instance is: it did not begin the work.
pub(super) fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::ResourceExhausted
            | Code::Unimplemented
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Shape;
    use backlot_core::Idempotency;
    use std::sync::Arc;

    const LEFT: Duration = Duration::from_secs(5);

    fn method(effect: Effect) -> Method {
        Method {
            index: 0,
            service: "s",
            name: "M",
            path: "/s/M",
            effect,
            shape: Shape::Unary,
            input: "I",
            output: "O",
            routes: &[],
        }
    }

    fn after(effect: Effect, error: &Error) -> Again {
        let mut attempts = Attempts::new(&method(effect), &Context::background(), 10);
        attempts.after(false, error, LEFT, &Dice::seeded(1))
    }

    #[tokio::test]
    async fn only_what_may_be_repeated_and_may_pass_is_repeated() {
        for code in Code::ALL {
            let error = Error::new(code, "as told");
            let passes = matches!(
                code,
                Code::Unavailable | Code::Internal | Code::Unknown | Code::Aborted
            );
            let again = after(Effect::Read, &error);
            assert_eq!(matches!(again, Again::After(_)), passes, "{code}");
            for effect in [Effect::Idempotent, Effect::Once] {
                assert_eq!(after(effect, &error), Again::No, "{code}");
            }
        }
    }

    #[tokio::test]
    async fn a_key_makes_no_write_a_read() {
        let key = Idempotency::parse("5bd3e7b2-6c6e-4a4e-9f0c-0d7f3c1a9e11").unwrap();
        let cx = Context::background().with_idempotency(Some(Arc::new(key)));
        let mut attempts = Attempts::new(&method(Effect::Once), &cx, 10);
        let error = Error::unavailable("away");
        let again = attempts.after(false, &error, LEFT, &Dice::seeded(1));
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
        let mut attempts = Attempts::new(&method(Effect::Once), &cx, 10);
        let error = Error::unavailable("refused");
        assert_eq!(attempts.after(true, &error, LEFT, &dice), Again::AtOnce);
        assert_eq!(attempts.after(true, &error, LEFT, &dice), Again::No);

        let mut attempts = Attempts::new(&method(Effect::Read), &cx, 10);
        for bound in [25, 50] {
            let Again::After(wait) = attempts.after(false, &error, LEFT, &dice) else {
                panic!("there is another");
            };
            assert!(wait <= Duration::from_millis(bound));
        }
        assert_eq!(attempts.after(false, &error, LEFT, &dice), Again::No);
    }

    #[tokio::test]
    async fn one_layer_repeats_and_a_large_request_is_not_kept() {
        let (error, dice) = (Error::unavailable("away"), Dice::seeded(1));
        let again = Context::background().with_attempt(1);
        let mut below = Attempts::new(&method(Effect::Read), &again, 10);
        assert_eq!(below.after(false, &error, LEFT, &dice), Again::No);
        let cx = Context::background();
        let mut large = Attempts::new(&method(Effect::Read), &cx, REPLAYED + 1);
        assert_eq!(large.after(false, &error, LEFT, &dice), Again::No);
    }
}
