//! Full-jitter exponential backoff: a wait drawn evenly from zero to a doubling, capped bound.
//!
//! Source: *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015 ("full jitter").

use crate::Dice;
use std::time::Duration;

/// Bounds of the wait before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The bound before the second attempt.
    pub base: Duration,
    /// The largest bound.
    pub cap: Duration,
}

impl Backoff {
    /// The largest wait after `failures` failures in a row (1 for the first).
    #[must_use]
    pub fn bound(&self, failures: u32) -> Duration {
        self.base
            .saturating_mul(
                1u32.checked_shl(failures.saturating_sub(1))
                    .unwrap_or(u32::MAX),
            )
            .min(self.cap)
    }

    /// A wait drawn from `[0, bound)`.
    #[must_use]
    pub fn wait(&self, failures: u32, dice: &Dice) -> Duration {
        self.bound(failures).mul_f64(dice.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wait_stays_below_its_bound(failures in 0u32..200, seed: u64) {
            let backoff = Backoff { base: Duration::from_millis(25), cap: Duration::from_secs(1) };
            prop_assert!(backoff.wait(failures, &Dice::seeded(seed)) <= backoff.bound(failures));
            prop_assert!(backoff.bound(failures) <= Duration::from_secs(1));
        }
    }
}
