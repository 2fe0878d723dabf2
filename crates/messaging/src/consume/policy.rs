//! What becomes of a message whose attempt failed.

use super::failure::{Class, Failure, Verdict};
use super::group::{Group, Order};
use crate::engine;
use crate::engine::Delivery;
use backlot_core::{Dice, Timestamp};
use std::time::Duration;

/// The most failures that are kept with a message: the first and the last of them.
const MOST_FAILURES: usize = 10;

/// How long a message waits that a store did not take in time.
const LATE: Duration = Duration::from_secs(1);

/// How long a message that nothing waits for is held here before it goes back: to read it from the
/// log again costs more than to keep it, and to keep it for long takes the room of others.
const SHORT: Duration = Duration::from_secs(1);

/// No message waits for longer: clocks count only so far.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// What is done next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// It stays out, and is tried again after this time; the failure is told to the engine.
    Hold(Duration, Option<engine::Failure>),
    /// It goes back, and comes again at this time.
    Back(Timestamp, Option<engine::Failure>),
    /// It goes to the dead letters.
    Dead(Class),
    /// Nothing can be done for any message now.
    Away,
}

/// Whether a message is dead when it comes, before any attempt.
pub(super) fn on_arrival(group: &Group, delivery: &Delivery) -> Option<Class> {
    if delivery.starts > group.starts {
        return Some(Class::CrashLoop);
    }
    (delivery.attempts >= group.attempts).then_some(Class::Exhausted)
}

/// After an attempt. What is known of the message is brought up to date.
pub(super) fn after(
    group: &Group,
    delivery: &mut Delivery,
    failure: &Failure,
    now: Timestamp,
    dice: &Dice,
) -> Next {
    match failure.verdict() {
        Verdict::Away => return Next::Away,
        Verdict::Later(wait) => return wait_for(group, wait, now, None),
        Verdict::Late => return wait_for(group, LATE, now, None),
        Verdict::Retry
        | Verdict::RetryAfter(_)
        | Verdict::Dead
        | Verdict::Exhausted
        | Verdict::Unbatched => {}
    }
    let kept = failure.kept(now);
    delivery.attempts = delivery.attempts.saturating_add(1);
    delivery.failures.push(kept.clone());
    if delivery.failures.len() > MOST_FAILURES {
        delivery.failures.remove(1);
    }
    if failure.verdict() == Verdict::Dead {
        return Next::Dead(failure.class());
    }
    if delivery.attempts >= group.attempts || failure.verdict() == Verdict::Exhausted {
        return Next::Dead(match failure.class() {
            Class::Panic => Class::Panic,
            _ => Class::Exhausted,
        });
    }
    let first = delivery.failures.first().map_or(now.0, |first| first.at_ms);
    if Timestamp(first).plus(group.age) <= now {
        return Next::Dead(Class::Expired);
    }
    let wait = match failure.verdict() {
        Verdict::RetryAfter(wait) => wait,
        _ => group.backoff.wait(delivery.attempts, dice),
    };
    wait_for(group, wait, now, Some(kept))
}

fn wait_for(
    group: &Group,
    wait: Duration,
    now: Timestamp,
    failure: Option<engine::Failure>,
) -> Next {
    match group.order {
        Order::None if wait > SHORT => Next::Back(now.plus(wait), failure),
        Order::None | Order::Key | Order::Partition => Next::Hold(wait.min(LONGEST), failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;
    use crate::engine::Token;
    use backlot_core::Code;

    fn delivery() -> Delivery {
        Delivery {
            token: Token {
                partition: 0,
                offset: 0,
                epoch: 1,
            },
            stored: Timestamp(0),
            starts: 0,
            attempts: 0,
            failures: Vec::new(),
            record: Record::new("1", "Counted", "test", "{}"),
        }
    }

    fn transient() -> Failure {
        Failure::new(Code::Unavailable, "not now")
    }

    #[test]
    fn attempts_are_counted_and_end() {
        let group = Group::new("g").attempts(3);
        let (mut message, dice) = (delivery(), Dice::seeded(1));
        for attempt in 1..3 {
            let next = after(&group, &mut message, &transient(), Timestamp(5), &dice);
            assert!(matches!(next, Next::Hold(_, Some(_))), "{next:?}");
            assert_eq!(message.attempts, attempt);
        }
        let next = after(&group, &mut message, &transient(), Timestamp(5), &dice);
        assert_eq!(next, Next::Dead(Class::Exhausted));
        assert_eq!(message.failures[0].class, "transient:UNAVAILABLE");
        assert_eq!(on_arrival(&group, &message), Some(Class::Exhausted));
        message.starts = 4;
        assert_eq!(on_arrival(&group, &message), Some(Class::CrashLoop));
    }

    #[test]
    fn a_failure_that_names_a_pause_is_tried_after_it_and_uses_an_attempt() {
        let (mut message, dice) = (delivery(), Dice::seeded(1));
        let minute = Duration::from_secs(60);
        let failure = transient().after(minute);
        let next = after(
            &Group::new("g"),
            &mut message,
            &failure,
            Timestamp(5),
            &dice,
        );
        assert!(matches!(next, Next::Hold(wait, Some(_)) if wait == minute));
        assert_eq!(message.attempts, 1);
        let group = Group::new("g").attempts(2);
        let next = after(&group, &mut message, &failure, Timestamp(5), &dice);
        assert_eq!(next, Next::Dead(Class::Exhausted));
    }

    #[test]
    fn a_failure_may_be_the_last_whatever_the_group_allows() {
        let (mut message, dice) = (delivery(), Dice::seeded(1));
        let failure = transient().exhausted();
        let next = after(
            &Group::new("g"),
            &mut message,
            &failure,
            Timestamp(5),
            &dice,
        );
        assert_eq!(next, Next::Dead(Class::Exhausted));
        assert_eq!(message.failures[0].class, "transient:UNAVAILABLE");
    }

    #[test]
    fn a_message_may_fail_for_so_long_from_its_first_failure() {
        let group = Group::new("g").give_up_after(Duration::from_secs(10));
        let (mut message, dice) = (delivery(), Dice::seeded(1));
        let at = |seconds: i64| Timestamp::of_seconds(1_000_000 + seconds);
        let next = after(&group, &mut message, &transient(), at(0), &dice);
        assert!(
            matches!(next, Next::Hold(..)),
            "however old it is: {next:?}"
        );
        let next = after(&group, &mut message, &transient(), at(10), &dice);
        assert_eq!(next, Next::Dead(Class::Expired));
    }

    #[test]
    fn later_uses_no_attempt_and_without_order_a_long_wait_is_not_held() {
        let (mut message, dice) = (delivery(), Dice::seeded(1));
        let minute = Duration::from_secs(60);
        let later = transient().later(minute);
        let keyed = after(&Group::new("g"), &mut message, &later, Timestamp(0), &dice);
        assert_eq!(keyed, Next::Hold(minute, None));
        let group = Group::new("g").order(Order::None);
        let back = after(&group, &mut message, &later, Timestamp(0), &dice);
        assert_eq!(back, Next::Back(Timestamp(60_000), None));
        let soon = transient().later(SHORT);
        let held = after(&group, &mut message, &soon, Timestamp(0), &dice);
        assert_eq!(held, Next::Hold(SHORT, None));
        assert_eq!(message.attempts, 0);
    }
}
