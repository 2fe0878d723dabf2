//! How many calls may be made again: a share of those that were made in the last ten seconds, and a
//! few more, so that a client of few calls can repeat some.
//!
//! Without it a callee that fails gets several times the calls of one that does not, when it can
//! bear them least: the load stays after its cause is gone.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// The share, in a hundred.
const SHARE: u64 = 10;
/// Repetitions allowed beside the share, in the whole window: one a second.
const FLOOR: u64 = 10;
/// The window, in slots of a second.
const SLOTS: usize = 10;
const SLOT: Duration = Duration::from_secs(1);

/// Counts calls and repetitions.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Window>);

#[derive(Debug)]
struct Window {
    began: Instant,
    /// Which second of the window's time the last slot in use stands for.
    now: u64,
    /// Calls and repetitions by second.
    slots: [(u64, u64); SLOTS],
}

impl Budget {
    /// Nothing was called yet.
    pub(super) fn new(now: Instant) -> Self {
        Budget(Mutex::new(Window {
            began: now,
            now: 0,
            slots: [(0, 0); SLOTS],
        }))
    }

    /// A call is made.
    pub(super) fn called(&self, now: Instant) {
        let mut window = self.0.lock();
        window.turn(now).0 += 1;
    }

    /// Takes one repetition, if there is one left.
    pub(super) fn take(&self, now: Instant) -> bool {
        let mut window = self.0.lock();
        window.turn(now);
        let sums = window.slots.iter().fold((0, 0), |(calls, again), slot| {
            (calls + slot.0, again + slot.1)
        });
        let (calls, again): (u64, u64) = sums;
        let is_left = again < calls * SHARE / 100 + FLOOR;
        if is_left {
            window.turn(now).1 += 1;
        }
        is_left
    }
}

impl Window {
    /// The slot of now; those that are over are emptied.
    fn turn(&mut self, now: Instant) -> &mut (u64, u64) {
        let second = now.saturating_duration_since(self.began).as_millis() / SLOT.as_millis();
        let second = u64::try_from(second).unwrap_or(u64::MAX);
        let passed = second.saturating_sub(self.now).min(SLOTS as u64);
        for step in 1..=passed {
            // From the oldest that is over to that of now.
            let slot = second - passed + step;
            self.slots[place(slot)] = (0, 0);
        }
        self.now = self.now.max(second);
        &mut self.slots[place(self.now)]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "below ten")]
fn place(second: u64) -> usize {
    (second % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test]
    async fn a_tenth_of_the_calls_and_one_a_second_may_be_made_again() {
        let now = Instant::now();
        let budget = Budget::new(now);
        for _ in 0..1000 {
            budget.called(now);
        }
        let taken = (0..1000).filter(|_| budget.take(now)).count();
        assert_eq!(taken, 110);
        // What was taken comes back when the window has passed, and so do the calls.
        assert!(!budget.take(now + Duration::from_secs(9)));
        let later = now + Duration::from_secs(10);
        let taken = (0..1000).filter(|_| budget.take(later)).count();
        assert_eq!(taken, 10);
    }

    proptest! {
        #[test]
        fn in_no_window_are_more_repetitions_than_allowed(
            steps in proptest::collection::vec((0u64..700, 0u8..4), 1..300),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _entered = runtime.enter();
            let began = Instant::now();
            let budget = Budget::new(began);
            let mut now = 0;
            // When calls and repetitions were, in milliseconds.
            let (mut calls, mut again) = (Vec::new(), Vec::new());
            for (wait, what) in steps {
                now += wait;
                let at = began + Duration::from_millis(now);
                if what == 0 {
                    budget.called(at);
                    calls.push(now);
                } else if budget.take(at) {
                    again.push(now);
                }
                // Slots are whole seconds: of the tenth last a part may be over.
                let recent = |all: &[u64], seconds: u64| {
                    all.iter().filter(|time| **time / 1000 + seconds > now / 1000).count() as u64
                };
                let most = recent(&calls, 10) * SHARE / 100 + FLOOR;
                // A call that left the window may have allowed what is still in it.
                let ever = calls.len() as u64 * SHARE / 100 + FLOOR;
                prop_assert!(recent(&again, 10) <= most.max(ever));
            }
        }
    }
}
