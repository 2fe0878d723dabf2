//! Metrics: declared as typed constants, resolved once, an atomic addition afterwards.
//!
//! ```
//! use backlot_service::telemetry::{Counter, Metrics};
//!
//! /// Films looked at, by genre.
//! const LOOKS: Counter<1> = Counter::new("films_looks_total", "films looked at, by genre", ["genre"]);
//!
//! let metrics = Metrics::new();
//! let westerns = metrics.counter(&LOOKS, ["Western"]);
//! westerns.inc();
//! assert!(metrics.encode().contains("films_looks_total{genre=\"Western\"} 1"));
//! ```
//!
//! The unit is in the name (`_seconds`, `_bytes`; `_total` for counters). Label values must be few:
//! after [`MAX_SERIES`] combinations of one metric the rest is counted under `overflow`.

mod call;
mod cells;
mod exposition;

pub use call::{
    CALLS, CallMetrics, DURATION as CALL_DURATION, IN_FLIGHT as CALLS_IN_FLIGHT, InFlight, Side,
};
pub use cells::{Count, Distribution, Level};

use cells::Cell;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most combinations of label values one metric keeps.
pub const MAX_SERIES: usize = 2_000;
/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Bounds for latencies, in seconds: 100 µs to 10 s.
pub const LATENCY_BOUNDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// A number that only grows; declared as a constant. Its name ends in `_total`.
#[derive(Clone, Copy, Debug)]
pub struct Counter<const LABELS: usize> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; LABELS],
}

/// A number that goes up and down; declared as a constant.
#[derive(Clone, Copy, Debug)]
pub struct Gauge<const LABELS: usize> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; LABELS],
}

/// How values are spread; declared as a constant. Its name ends in its unit.
#[derive(Clone, Copy, Debug)]
pub struct Histogram<const LABELS: usize> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; LABELS],
    bounds: &'static [f64],
}

impl<const LABELS: usize> Counter<LABELS> {
    /// Declares a counter.
    #[must_use]
    pub const fn new(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; LABELS],
    ) -> Self {
        Counter { name, help, labels }
    }
}

impl<const LABELS: usize> Gauge<LABELS> {
    /// Declares a gauge.
    #[must_use]
    pub const fn new(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; LABELS],
    ) -> Self {
        Gauge { name, help, labels }
    }
}

impl<const LABELS: usize> Histogram<LABELS> {
    /// Declares a histogram. `bounds` are upper bounds in growing order, in the unit of the name;
    /// what is above the last is counted too.
    #[must_use]
    pub const fn new(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; LABELS],
        bounds: &'static [f64],
    ) -> Self {
        Histogram {
            name,
            help,
            labels,
            bounds,
        }
    }
}

/// All metrics of a process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<Families>>);

/// By name, so that the text has the same order every time.
type Families = BTreeMap<&'static str, Family>;

#[derive(Debug)]
struct Family {
    help: &'static str,
    labels: Vec<&'static str>,
    series: BTreeMap<Vec<String>, Cell>,
}

// === impl Metrics ===

impl Metrics {
    /// No metrics yet.
    #[must_use]
    pub fn new() -> Self {
        Metrics::default()
    }

    /// The counter of these label values: resolve once, keep it.
    #[must_use]
    pub fn counter<const LABELS: usize>(
        &self,
        counter: &Counter<LABELS>,
        values: [&str; LABELS],
    ) -> Count {
        match self.resolve(counter.name, counter.help, &counter.labels, &values, || {
            Cell::Count(Count::default())
        }) {
            Some(Cell::Count(count)) => count,
            _ => Count::default(),
        }
    }

    /// The gauge of these label values: resolve once, keep it.
    #[must_use]
    pub fn gauge<const LABELS: usize>(
        &self,
        gauge: &Gauge<LABELS>,
        values: [&str; LABELS],
    ) -> Level {
        match self.resolve(gauge.name, gauge.help, &gauge.labels, &values, || {
            Cell::Level(Level::default())
        }) {
            Some(Cell::Level(level)) => level,
            _ => Level::default(),
        }
    }

    /// The histogram of these label values: resolve once, keep it.
    #[must_use]
    pub fn histogram<const LABELS: usize>(
        &self,
        histogram: &Histogram<LABELS>,
        values: [&str; LABELS],
    ) -> Distribution {
        let new = || Cell::Distribution(Distribution::new(histogram.bounds));
        match self.resolve(
            histogram.name,
            histogram.help,
            &histogram.labels,
            &values,
            new,
        ) {
            Some(Cell::Distribution(distribution)) => distribution,
            _ => Distribution::new(histogram.bounds),
        }
    }

    /// All metrics as OpenMetrics text, in order of name and label values.
    #[must_use]
    pub fn encode(&self) -> String {
        exposition::encode(self)
    }

    fn resolve(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[&'static str],
        values: &[&str],
        new: impl Fn() -> Cell,
    ) -> Option<Cell> {
        let mut families = self.0.lock();
        let family = families.entry(name).or_insert_with(|| Family {
            help,
            labels: labels.to_vec(),
            series: BTreeMap::new(),
        });
        let fresh = new();
        let same_kind = family
            .series
            .values()
            .next()
            .is_none_or(|cell| cell.kind() == fresh.kind());
        if family.labels != labels || !same_kind {
            // Two declarations of one name: the second counts where nobody reads, and says so.
            tracing::error!(
                metric = name,
                "metric {name} is declared twice with different kinds or labels"
            );
            return None;
        }
        let mut values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        if family.series.len() >= MAX_SERIES && !family.series.contains_key(&values) {
            values.fill("overflow".to_owned());
        }
        Some(family.series.entry(values).or_insert(fresh).clone())
    }
}

#[cfg(test)]
mod tests;
