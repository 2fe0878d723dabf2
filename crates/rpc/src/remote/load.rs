//! How busy an endpoint is: how long its answers took lately, times how many are awaited.
//!
//! An answer that took longer than those before counts at once, one that was faster little by
//! little (a moving average that follows peaks, as in Finagle's `peakEwma`). What is awaited counts
//! as it grows old: who stops to answer gets no further calls before the first is given up. A call that
//! failed counts as if it had taken a second at least, for a few seconds: who fails fast must not look
//! fast. One that was never called looks like those it is compared with.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer takes at least: after a quiet time, too, what is awaited has to count.
const LEAST: f64 = 0.001;
/// What a failure counts at least, in seconds.
const FAILURE: f64 = 1.0;
/// How slowly a failure is forgotten: to a third in this time, in seconds. A second costs all calls
/// where others answer in milliseconds; who goes on failing is ejected.
const FORGIVENESS: f64 = 1.0;

/// What is known of one endpoint.
#[derive(Debug)]
pub(super) struct Load(Mutex<Known>);

#[derive(Debug)]
struct Known {
    epoch: Instant,
    awaited: u32,
    /// When those that are awaited began, in seconds since the epoch, summed up.
    begun: f64,
    /// How long answers took, in seconds, as of a time; nothing before the first.
    took: Option<(f64, Instant)>,
    failed: Option<Instant>,
}

/// A moment's load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// How long answers took.
    took: Option<f64>,
    /// What a failure counts still.
    penalty: f64,
    /// How old those that are awaited are.
    age: f64,
    pub(super) awaited: u32,
}

impl Load {
    /// Of an endpoint that was never called.
    pub(super) fn new(now: Instant) -> Self {
        Load(Mutex::new(Known {
            epoch: now,
            awaited: 0,
            begun: 0.0,
            took: None,
            failed: None,
        }))
    }

    /// As of now, where what was measured is forgotten to a third in `decay`.
    pub(super) fn seen(&self, decay: Duration, now: Instant) -> Seen {
        let known = self.0.lock();
        let took = known.took(decay, now);
        let penalty = |at| FAILURE * weight(at, now, FORGIVENESS);
        let age = match known.awaited {
            0 => 0.0,
            some => known.since(now) - known.begun / f64::from(some),
        };
        Seen {
            took,
            penalty: known.failed.map_or(0.0, penalty),
            age,
            awaited: known.awaited,
        }
    }

    /// A call begins.
    pub(super) fn begin(&self, now: Instant) {
        let mut known = self.0.lock();
        known.awaited += 1;
        known.begun += known.since(now);
    }

    /// A call that began then has ended, and how long it took says nothing.
    pub(super) fn left(&self, began: Instant) {
        self.0.lock().end(began);
    }

    /// A call that began then was given up: its answer would have taken longer.
    pub(super) fn given_up(&self, began: Instant, decay: Duration, now: Instant) {
        let mut known = self.0.lock();
        known.end(began);
        let waited = now.saturating_duration_since(began).as_secs_f64();
        match known.took(decay, now) {
            Some(took) => known.took = Some((took.max(waited), now)),
            // Nothing is known but that it takes longer.
            None if waited > LEAST => known.took = Some((waited, now)),
            None => {}
        }
    }

    /// A call that began then is answered.
    pub(super) fn answered(&self, began: Instant, failed: bool, decay: Duration, now: Instant) {
        let mut known = self.0.lock();
        known.end(began);
        let seconds = now.saturating_duration_since(began).as_secs_f64();
        let decayed = known.took(decay, now);
        if failed {
            known.failed = Some(now);
            // That it failed fast makes nothing faster.
            known.took = decayed.map(|took| (took.max(seconds), now));
            return;
        }
        let took = match (decayed, known.took) {
            (Some(decayed), Some((_, at))) if seconds < decayed => {
                decayed + seconds * (1.0 - weight(at, now, decay.as_secs_f64()))
            }
            _ => seconds,
        };
        known.took = Some((took, now));
    }

    /// A call that was answered failed after all.
    pub(super) fn failed(&self, now: Instant) {
        self.0.lock().failed = Some(now);
    }

    /// It was started anew: how long it took is of another. That it failed counts on: it may fail
    /// with each call that it gets.
    pub(super) fn forget(&self) {
        self.0.lock().took = None;
    }
}

impl Known {
    fn since(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.epoch).as_secs_f64()
    }

    fn took(&self, decay: Duration, now: Instant) -> Option<f64> {
        self.took
            .map(|(seconds, at)| seconds * weight(at, now, decay.as_secs_f64()))
    }

    fn end(&mut self, began: Instant) {
        self.awaited = self.awaited.saturating_sub(1);
        self.begun -= self.since(began);
        if self.awaited == 0 {
            // What additions and subtractions lost does not add up.
            self.begun = 0.0;
        }
    }
}

impl Seen {
    /// How long answers took, in seconds; nothing before the first.
    pub(super) fn took(self) -> Option<f64> {
        self.took
    }

    /// What a call here costs, beside one there: the less the better.
    pub(super) fn cost(self, other: Seen) -> f64 {
        let took = self.took.or(other.took).unwrap_or(LEAST);
        took.max(self.penalty).max(self.age).max(LEAST) * f64::from(self.awaited.saturating_add(1))
    }

    /// Whether this one is the less busy of the two.
    pub(super) fn is_less_than(self, other: Seen) -> bool {
        self.cost(other) < other.cost(self)
    }
}

/// What is left after the time between, of what is forgotten to a third in `decay` seconds.
fn weight(then: Instant, now: Instant, decay: f64) -> f64 {
    let passed = now.saturating_duration_since(then).as_secs_f64();
    (-passed / decay).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);
    const DECAY: Duration = Duration::from_secs(10);

    /// A call that takes so long; when it is over.
    fn called(load: &Load, took: Duration, failed: bool, now: Instant) -> Instant {
        load.begin(now);
        load.answered(now, failed, DECAY, now + took);
        now + took
    }

    fn cost(load: &Load, now: Instant) -> f64 {
        let seen = load.seen(DECAY, now);
        seen.cost(seen)
    }

    #[tokio::test]
    async fn a_peak_counts_at_once_and_is_forgotten_slowly() {
        let load = Load::new(Instant::now());
        let now = called(&load, 500 * MS, false, Instant::now());
        assert!((cost(&load, now) - 0.5).abs() < 1e-9);
        let now = called(&load, MS, false, now);
        assert!(cost(&load, now) > 0.49, "one fast answer changes little");
        let later = now + DECAY;
        assert!((cost(&load, later) - 0.5 / std::f64::consts::E).abs() < 0.01);
        let quiet = now + 20 * DECAY;
        assert!(
            (cost(&load, quiet) - LEAST).abs() < 1e-9,
            "it is tried again"
        );
        load.begin(quiet);
        assert!(
            (cost(&load, quiet) - 2.0 * LEAST).abs() < 1e-9,
            "what waits counts"
        );
    }

    #[tokio::test]
    async fn who_fails_fast_looks_slow_for_a_few_seconds() {
        let now = Instant::now();
        let (well, sick) = (Load::new(now), Load::new(now));
        let now = called(&well, 100 * MS, false, now);
        let now = called(&sick, MS, true, now);
        assert!(cost(&sick, now) > 9.0 * cost(&well, now));
        let new = Load::new(now);
        assert!(new.seen(DECAY, now).is_less_than(sick.seen(DECAY, now)));
        let later = now + Duration::from_secs(7);
        let (well, sick) = (well.seen(DECAY, later), sick.seen(DECAY, later));
        assert!(!well.is_less_than(sick), "it is tried again");
    }

    #[tokio::test]
    async fn one_that_was_never_called_looks_like_the_other() {
        let now = Instant::now();
        let (old, new) = (Load::new(now), Load::new(now));
        let now = called(&old, MS, false, now);
        old.begin(now);
        assert!(new.seen(DECAY, now).is_less_than(old.seen(DECAY, now)));
        new.begin(now);
        new.begin(now);
        assert!(old.seen(DECAY, now).is_less_than(new.seen(DECAY, now)));
    }

    #[tokio::test]
    async fn what_is_awaited_counts_the_more_the_older_it_is() {
        let now = Instant::now();
        let load = Load::new(now);
        let now = called(&load, 2 * MS, false, now);
        let idle = cost(&load, now);
        load.begin(now);
        load.begin(now);
        assert!((cost(&load, now) - 3.0 * idle).abs() < 1e-9);
        let later = now + 300 * MS;
        assert!(
            (cost(&load, later) - 0.9).abs() < 1e-6,
            "it stopped to answer"
        );
        load.left(now);
        load.given_up(now, DECAY, later);
        assert!((cost(&load, later) - 0.3).abs() < 1e-6, "it hangs");
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
            let mut longest = LEAST;
            for (wait, took, failed) in calls {
                now += Duration::from_millis(wait);
                let took = Duration::from_millis(took);
                now = called(&load, took, failed, now);
                longest = longest.max(took.as_secs_f64());
                if failed {
                    longest = longest.max(FAILURE);
                }
                let is = cost(&load, now);
                prop_assert!((LEAST..=longest * 1.000_001).contains(&is), "{is} of {longest}");
            }
        }
    }
}
