//! Holds calls back at their source when their callee accepts hardly any: refusing costs the callee,
//! too, and one that is down comes up sooner under less.
//!
//! Of `requests` in thirty seconds, of which `accepts` were accepted, the share
//! `(requests - excess * accepts) / (requests + 1)` is held back (*Site Reliability Engineering*, Beyer
//! and others, 2016, chapter 21), of what matters less a larger one; and nothing is made again
//! while any is. Ten accepted in a row end it: at a share near the whole the window alone would take
//! most of a minute to believe it.

use super::window::Window;
use crate::policy::Throttle as Policy;
use backlot_core::{Criticality, Dice};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// For how long calls count.
const LENGTH: Duration = Duration::from_secs(30);
const REQUESTS: usize = 0;
const ACCEPTS: usize = 1;
/// So many accepted in a row end it.
const RECOVERED: u32 = 10;

/// Counts what is sent and what is accepted.
#[derive(Debug)]
pub(super) struct Throttle(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    window: Window,
    /// How many were accepted in a row.
    accepted: u32,
}

impl Throttle {
    pub(super) fn new(now: Instant) -> Self {
        Throttle(Mutex::new(Counted {
            window: Window::new(LENGTH, now),
            accepted: 0,
        }))
    }

    /// A call wants to be sent; whether it may be. One that may not counts as one that was.
    pub(super) fn admits(
        &self,
        criticality: Criticality,
        policy: &Policy,
        dice: &Dice,
        now: Instant,
    ) -> bool {
        let share = self.0.lock().share(policy, now);
        if share <= 0.0 {
            return true;
        }
        let share = match criticality {
            Criticality::Sheddable => 3.0 * share,
            Criticality::SheddablePlus => 2.0 * share,
            Criticality::Critical => share,
            Criticality::CriticalPlus => share / 2.0,
        };
        let admitted = dice.unit() >= share.min(f64::from(policy.most) / 100.0);
        if !admitted {
            self.0.lock().window.count(REQUESTS, now);
        }
        admitted
    }

    /// Whether any is held back: then nothing is made again.
    pub(super) fn is_holding(&self, policy: &Policy, now: Instant) -> bool {
        self.0.lock().share(policy, now) > 0.0
    }

    /// The callee accepted one, or did not. Only now it counts: of those under way nobody knows, and
    /// calls that reach nobody cost nobody anything.
    pub(super) fn heard(&self, accepted: bool, now: Instant) {
        let mut counted = self.0.lock();
        counted.window.count(REQUESTS, now);
        if accepted {
            counted.window.count(ACCEPTS, now);
            counted.accepted += 1;
        } else {
            counted.accepted = 0;
        }
    }
}

impl Counted {
    /// The share that is held back; nothing or less for none.
    fn share(&mut self, policy: &Policy, now: Instant) -> f64 {
        let [requests, accepts] = self.window.sums(now);
        let least = u64::from(policy.least) * LENGTH.as_secs();
        if !policy.on || requests < least {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of half a minute")]
        let share = (requests as f64 - policy.excess * accepts as f64) / (requests as f64 + 1.0);
        if share > 0.0 && self.accepted >= RECOVERED {
            self.window.clear();
            self.accepted = 0;
            return 0.0;
        }
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Room {
        throttle: Throttle,
        policy: Policy,
        dice: Dice,
        now: Instant,
    }

    fn room() -> Room {
        let now = Instant::now();
        Room {
            throttle: Throttle::new(now),
            policy: Policy::default(),
            dice: Dice::seeded(5),
            now,
        }
    }

    impl Room {
        /// So many calls of a criticality, a hundred a second; how many were sent.
        fn calls(&mut self, count: usize, criticality: Criticality, accepted: bool) -> usize {
            let mut sent = 0;
            for _ in 0..count {
                self.now += Duration::from_millis(10);
                let admitted =
                    self.throttle
                        .admits(criticality, &self.policy, &self.dice, self.now);
                if admitted {
                    sent += 1;
                    self.throttle.heard(accepted, self.now);
                }
            }
            sent
        }
    }

    #[tokio::test]
    async fn a_callee_that_accepts_none_gets_a_fifth_and_one_that_accepts_half_gets_all() {
        let mut room = room();
        room.calls(1000, Criticality::Critical, false);
        let sent = room.calls(10_000, Criticality::Critical, false);
        assert!((1800..2200).contains(&sent), "{sent}");

        let mut room = self::room();
        let mut sent = 0;
        for _ in 0..1000 {
            sent += room.calls(1, Criticality::Critical, true);
            sent += room.calls(1, Criticality::Critical, false);
        }
        assert_eq!(sent, 2000);
    }

    #[tokio::test]
    async fn what_matters_less_is_held_back_first() {
        let sent = |criticality| {
            let room = room();
            for number in 0..1000 {
                room.throttle.heard(number % 5 < 2, room.now);
            }
            assert!(room.throttle.is_holding(&room.policy, room.now));
            // Two in five were accepted: a fifth is held back.
            let admits = |_| {
                room.throttle
                    .admits(criticality, &room.policy, &room.dice, room.now)
            };
            (0..100).map(admits).filter(|admitted| *admitted).count()
        };
        let shares = [
            Criticality::CriticalPlus,
            Criticality::Critical,
            Criticality::SheddablePlus,
            Criticality::Sheddable,
        ]
        .map(sent);
        assert!((65..90).contains(&shares[1]), "{shares:?}");
        assert!(shares.is_sorted_by(|more, less| more > less), "{shares:?}");
    }

    #[tokio::test]
    async fn a_few_calls_are_never_held_back() {
        let mut room = room();
        for _ in 0..1000 {
            // Four a second.
            room.now += Duration::from_millis(240);
            assert_eq!(room.calls(1, Criticality::Sheddable, false), 1);
        }
    }

    #[tokio::test]
    async fn it_ends_soon_after_the_callee_is_well() {
        let mut room = room();
        room.calls(5000, Criticality::Critical, false);
        // Ten of which each fifth is sent take half a second.
        room.calls(200, Criticality::Critical, true);
        assert_eq!(room.calls(1000, Criticality::Critical, true), 1000);
    }

    #[tokio::test]
    async fn those_under_way_hold_nothing_back() {
        let room = room();
        let admits = |_| {
            let (policy, dice) = (&room.policy, &room.dice);
            room.throttle
                .admits(Criticality::Sheddable, policy, dice, room.now)
        };
        assert!((0..10_000).all(admits));
    }

    #[tokio::test]
    async fn a_callee_that_stops_after_a_good_time_is_noticed() {
        let mut room = room();
        room.calls(1000, Criticality::Critical, true);
        room.calls(3000, Criticality::Critical, false);
        let sent = room.calls(1000, Criticality::Critical, false);
        assert!(sent < 300, "{sent}");
    }

    #[tokio::test]
    async fn it_can_be_switched_off() {
        let mut room = room();
        room.policy.on = false;
        assert_eq!(room.calls(2000, Criticality::Sheddable, false), 2000);
    }
}
