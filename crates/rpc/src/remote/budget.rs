//! How many calls may be made again: a share of those that were made in the last ten seconds, and a
//! few more, so that a client of few calls can repeat some.
//!
//! Without it a callee that fails gets several times the calls of one that does not, when it can
//! bear them least: the load stays after its cause is gone.

use super::window::Window;
use crate::policy::Retry;
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// For how long calls count.
const LENGTH: Duration = Duration::from_secs(10);
const CALLS: usize = 0;
const AGAIN: usize = 1;

/// Counts calls and repetitions.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Window>);

impl Budget {
    /// Nothing was called yet.
    pub(super) fn new(now: Instant) -> Self {
        Budget(Mutex::new(Window::new(LENGTH, now)))
    }

    /// A call is made.
    pub(super) fn called(&self, now: Instant) {
        self.0.lock().count(CALLS, now);
    }

    /// Takes one repetition, if there is one left.
    pub(super) fn take(&self, policy: &Retry, now: Instant) -> bool {
        let mut window = self.0.lock();
        let [calls, again] = window.sums(now);
        let floor = u64::from(policy.floor) * LENGTH.as_secs();
        let is_left = again < calls * u64::from(policy.share) / 100 + floor;
        if is_left {
            window.count(AGAIN, now);
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test]
    async fn a_tenth_of_the_calls_and_one_a_second_may_be_made_again() {
        let (now, policy) = (Instant::now(), Retry::default());
        let budget = Budget::new(now);
        for _ in 0..1000 {
            budget.called(now);
        }
        let taken = (0..1000).filter(|_| budget.take(&policy, now)).count();
        assert_eq!(taken, 110);
        // What was taken comes back when the window has passed, and so do the calls.
        assert!(!budget.take(&policy, now + Duration::from_secs(9)));
        let later = now + LENGTH;
        let taken = (0..1000).filter(|_| budget.take(&policy, later)).count();
        assert_eq!(taken, 10);
    }

    proptest! {
        #[test]
        fn of_what_is_called_steadily_no_more_than_the_share_and_the_floor_is_made_again(
            every in 1u64..2000,
            share in 0u32..=100,
            floor in 0u32..5,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _entered = runtime.enter();
            let began = Instant::now();
            let policy = Retry { share, floor, ..Retry::default() };
            let budget = Budget::new(began);
            let (mut calls, mut again) = (0, 0);
            for step in 0..300 {
                let now = began + Duration::from_millis(step * every);
                budget.called(now);
                calls += 1;
                again += u64::from(budget.take(&policy, now));
            }
            let seconds = 300 * every / 1000 + 10;
            let most = calls * u64::from(share) / 100 + seconds * u64::from(floor);
            prop_assert!(again <= most, "{again} of {calls}, {most} at most");
        }
    }
}
