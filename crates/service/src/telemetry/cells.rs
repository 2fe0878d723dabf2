//! The cells values are kept in: atomics, never a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// One series of a counter. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicU64>);

/// One series of a gauge. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Level(Arc<AtomicI64>);

/// One series of a histogram. Clones share it.
#[derive(Clone, Debug)]
pub struct Distribution(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    bounds: &'static [f64],
    /// One for each bound and one for what is above the last.
    counts: Box<[AtomicU64]>,
    /// The sum's bits.
    sum: AtomicU64,
}

/// A series of any kind.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Count(Count),
    Level(Level),
    Distribution(Distribution),
}

// === impl Count ===

impl Count {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Level ===

impl Level {
    /// Adds one.
    pub fn inc(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one away.
    pub fn dec(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Moves the level by so much.
    pub fn add(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// Sets the level.
    pub fn set(&self, level: i64) {
        self.0.store(level, Ordering::Relaxed);
    }

    /// The level now.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Distribution ===

impl Distribution {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Distribution(Arc::new(Buckets {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0f64.to_bits()),
        }))
    }

    /// Counts one value, in the unit of the metric's name.
    pub fn observe(&self, value: f64) {
        let buckets = &*self.0;
        let at = buckets
            .bounds
            .iter()
            .position(|bound| value <= *bound)
            .unwrap_or(buckets.bounds.len());
        buckets.counts[at].fetch_add(1, Ordering::Relaxed);
        let mut sum = buckets.sum.load(Ordering::Relaxed);
        loop {
            let next = (f64::from_bits(sum) + value).to_bits();
            match buckets
                .sum
                .compare_exchange_weak(sum, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => sum = now,
            }
        }
    }

    /// Counts one duration of a metric in seconds.
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }

    /// The sum of all values.
    #[must_use]
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.0.sum.load(Ordering::Relaxed))
    }

    /// Upper bound and count of each bucket; the last bound is infinite.
    pub(super) fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self.0.bounds.iter().copied().chain([f64::INFINITY]);
        bounds
            .zip(
                self.0
                    .counts
                    .iter()
                    .map(|count| count.load(Ordering::Relaxed)),
            )
            .collect()
    }
}

// === impl Cell ===

impl Cell {
    pub(super) fn kind(&self) -> std::mem::Discriminant<Cell> {
        std::mem::discriminant(self)
    }
}
