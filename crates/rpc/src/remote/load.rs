//! How busy an endpoint is: how long its answers took lately, times how many are awaited.
//!
//! An answer that took longer than those before counts at once, one that was faster little by
//! little (a moving average that follows peaks, as in Finagle's `peakEwma`). What is not called is
//! forgotten: after a while it looks as good as the others, and is tried again. A call that failed
//! counts as if it had taken a second at least: who fails fast must not look fast.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How slowly what was measured is forgotten: to a third in this time.
const DECAY: Duration = Duration::from_secs(10);
/// How long the first answer is taken to take.
const UNKNOWN: Duration = Duration::from_millis(30);
/// How long an answer takes at least: after a quiet time, too, what is awaited has to count.
const LEAST: Duration = Duration::from_millis(1);
/// How long a failure counts at least.
const FAILURE: Duration = Duration::from_secs(1);

/// What is known of one endpoint.
#[derive(Debug)]
pub(super) struct Load {
    awaited: AtomicU32,
    took: Mutex<Took>,
}

/// How long answers took, in seconds, as of a time.
#[derive(Clone, Copy, Debug)]
struct Took {
    seconds: f64,
    at: Instant,
}

impl Load {
    /// Of an endpoint that was never called.
    pub(super) fn new(now: Instant) -> Self {
        Load {
            awaited: AtomicU32::new(0),
            took: Mutex::new(Took {
                seconds: UNKNOWN.as_secs_f64(),
                at: now,
            }),
        }
    }

    /// How busy it is: the less the better.
    pub(super) fn now(&self, now: Instant) -> f64 {
        let took = self.took.lock().at(now).seconds.max(LEAST.as_secs_f64());
        took * f64::from(self.awaited.load(Ordering::Relaxed).saturating_add(1))
    }

    /// A call begins.
    pub(super) fn begin(&self) {
        self.awaited.fetch_add(1, Ordering::Relaxed);
    }

    /// A call that began was given up after so long: its answer would have taken longer.
    pub(super) fn given_up(&self, waited: Duration, now: Instant) {
        self.left();
        let mut known = self.took.lock();
        let decayed = known.at(now);
        known.seconds = decayed.seconds.max(waited.as_secs_f64());
        known.at = now;
    }

    /// A call that began has ended, and how long it took says nothing.
    pub(super) fn left(&self) {
        self.awaited.fetch_sub(1, Ordering::Relaxed);
    }

    /// A call that began is answered, after so long.
    pub(super) fn answered(&self, took: Duration, failed: bool, now: Instant) {
        self.left();
        let took = if failed { took.max(FAILURE) } else { took };
        let seconds = took.as_secs_f64();
        let mut known = self.took.lock();
        let decayed = known.at(now).seconds;
        let weight = weight(known.at, now);
        known.seconds = if seconds > decayed {
            seconds
        } else {
            decayed + seconds * (1.0 - weight)
        };
        known.at = now;
    }
}

impl Took {
    /// As of now, if nothing was measured since.
    fn at(self, now: Instant) -> Took {
        Took {
            seconds: self.seconds * weight(self.at, now),
            at: now,
        }
    }
}

/// What is left after the time between.
fn weight(then: Instant, now: Instant) -> f64 {
    let passed = now.saturating_duration_since(then).as_secs_f64();
    (-passed / DECAY.as_secs_f64()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    fn called(load: &Load, took: Duration, failed: bool, now: Instant) {
        load.begin();
        load.answered(took, failed, now);
    }

    #[tokio::test]
    async fn a_peak_counts_at_once_and_is_forgotten_slowly() {
        let now = Instant::now();
        let load = Load::new(now);
        called(&load, 500 * MS, false, now);
        assert!((load.now(now) - 0.5).abs() < 1e-9);
        called(&load, MS, false, now + MS);
        assert!(load.now(now + MS) > 0.49, "one fast answer changes little");
        let later = now + DECAY;
        assert!((load.now(later) - 0.5 / std::f64::consts::E).abs() < 0.01);
        let quiet = now + 20 * DECAY;
        assert!((load.now(quiet) - 0.001).abs() < 1e-9, "it is tried again");
        load.begin();
        assert!((load.now(quiet) - 0.002).abs() < 1e-9, "what waits counts");
    }

    #[tokio::test]
    async fn who_fails_fast_looks_slow() {
        let now = Instant::now();
        let (well, sick) = (Load::new(now), Load::new(now));
        called(&well, 100 * MS, false, now);
        called(&sick, MS, true, now);
        assert!(sick.now(now) > 9.0 * well.now(now));
    }

    #[tokio::test]
    async fn what_is_awaited_counts() {
        let now = Instant::now();
        let load = Load::new(now);
        let idle = load.now(now);
        load.begin();
        load.begin();
        assert!((load.now(now) - 3.0 * idle).abs() < 1e-9);
        load.given_up(MS, now);
        load.given_up(MS, now);
        assert!(
            (load.now(now) - idle).abs() < 1e-9,
            "nothing is known but that"
        );
        load.begin();
        load.given_up(2 * FAILURE, now);
        assert!((load.now(now) - 2.0).abs() < 1e-9, "it hangs");
    }

    proptest! {
        #[test]
        fn it_stays_between_nothing_and_the_longest_answer(
            calls in proptest::collection::vec((0u64..5000, 0u64..3000, any::<bool>()), 0..100),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _entered = runtime.enter();
            let mut now = Instant::now();
            let load = Load::new(now);
            let mut longest = UNKNOWN.as_secs_f64();
            for (wait, took, failed) in calls {
                now += Duration::from_millis(wait);
                let took = Duration::from_millis(took);
                called(&load, took, failed, now);
                longest = longest.max(took.as_secs_f64());
                if failed {
                    longest = longest.max(FAILURE.as_secs_f64());
                }
                let is = load.now(now);
                prop_assert!((0.001..=longest * 1.000_001).contains(&is), "{is} of {longest}");
            }
        }
    }
}
