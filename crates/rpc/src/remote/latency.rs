//! How long a method takes lately at least: to know which calls cannot be answered in time. Not on average: what a
//! request asks for may take longer than what another does.

use parking_lot::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::Instant;

/// For how long answers count: as long, and up to twice as long.
const LENGTH: Duration = Duration::from_secs(10);
/// How often it is found anew.
const LOOK: Duration = Duration::from_secs(1);
/// Of fewer answers it says little.
const ENOUGH: u32 = 20;
/// One in so many took less.
const FAST: u32 = 20;
/// Four to each doubling: a bound is at most a quarter above what it stands for.
const BUCKETS: usize = 128;

/// The latencies of one method.
#[derive(Debug)]
pub(super) struct Latency(Mutex<Known>);

#[derive(Debug)]
struct Known {
    /// By bucket, of this length of time and of the one before.
    counts: [[u32; BUCKETS]; 2],
    since: Instant,
    looked: Instant,
    least: Option<Duration>,
    median: Option<Duration>,
}

impl Latency {
    pub(super) fn new(now: Instant) -> Self {
        Latency(Mutex::new(Known {
            counts: [[0; BUCKETS]; 2],
            since: now,
            looked: now,
            least: None,
            median: None,
        }))
    }

    /// An answer took so long.
    pub(super) fn took(&self, took: Duration, now: Instant) {
        let mut known = self.0.lock();
        known.turn(now);
        known.counts[0][bucket(took)] += 1;
    }

    /// How long all answers but one in twenty took at least, to a quarter; nothing while there are few.
    pub(super) fn least(&self, now: Instant) -> Option<Duration> {
        self.look(now).least
    }

    /// How long half of the answers took at least, to a quarter; nothing while there are few.
    pub(super) fn median(&self, now: Instant) -> Option<Duration> {
        self.look(now).median
    }

    fn look(&self, now: Instant) -> MutexGuard<'_, Known> {
        let mut known = self.0.lock();
        known.turn(now);
        if now.saturating_duration_since(known.looked) >= LOOK {
            known.looked = now;
            known.least = known.find(FAST);
            known.median = known.find(2);
        }
        known
    }
}

impl Known {
    fn turn(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        if passed < LENGTH {
            return;
        }
        let before = std::mem::replace(&mut self.counts[0], [0; BUCKETS]);
        let is_recent = passed < 2 * LENGTH;
        self.counts[1] = if is_recent { before } else { [0; BUCKETS] };
        self.since = now;
    }

    /// What one answer in so many did not exceed.
    fn find(&self, one_in: u32) -> Option<Duration> {
        let all: u32 = self.counts.iter().flatten().sum();
        if all < ENOUGH {
            return None;
        }
        let mut passed = 0;
        let fast = (0..BUCKETS).find(|&at| {
            passed += self.counts[0][at] + self.counts[1][at];
            passed * one_in > all
        });
        fast.map(least)
    }
}

/// Where a time is counted.
fn bucket(took: Duration) -> usize {
    let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
    if micros < 4 {
        return micros as usize;
    }
    let doublings = micros.ilog2();
    let quarter = (micros >> (doublings - 2)) & 3;
    ((doublings - 1) * 4 + quarter) as usize
}

/// The shortest time that is counted there.
fn least(bucket: usize) -> Duration {
    let micros = match bucket as u64 {
        few if few < 4 => few,
        at => (4 + at % 4) << (at / 4 - 1),
    };
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test]
    async fn it_is_of_the_last_seconds_and_of_enough() {
        let now = Instant::now();
        let latency = Latency::new(now);
        for _ in 0..19 {
            latency.took(Duration::from_millis(100), now);
        }
        assert_eq!(latency.least(now + LOOK), None);
        for _ in 0..30 {
            latency.took(Duration::from_millis(10), now);
        }
        let least = latency.least(now + 2 * LOOK).unwrap();
        assert!((8..=10).contains(&least.as_millis()), "{least:?}");
        let median = latency.median(now + 2 * LOOK).unwrap();
        assert!((8..=10).contains(&median.as_millis()), "{median:?}");
        assert!(latency.least(now + LENGTH + LOOK).is_some());
        assert_eq!(latency.least(now + 4 * LENGTH), None);
    }

    proptest! {
        #[test]
        fn a_bucket_begins_at_most_a_quarter_below_what_is_in_it(micros in 0u32..) {
            let took = Duration::from_micros(micros.into());
            let place = bucket(took);
            prop_assert!(place < BUCKETS);
            prop_assert!(least(place) <= took);
            prop_assert!(took < least(place) * 5 / 4 + Duration::from_micros(1));
            prop_assert_eq!(bucket(least(place)), place);
        }
    }
}
