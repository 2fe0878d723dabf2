//! What is measured of every call, on either side and every binding.

use super::{Count, Counter, Distribution, Gauge, Histogram, LATENCY_BOUNDS, Level, Metrics};
use backlot_core::Code;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Finished calls, by outcome.
pub const CALLS: Counter<5> = Counter::new(
    "backlot_calls_total",
    "finished calls, by outcome",
    ["service", "method", "side", "binding", "code"],
);
/// How long calls took.
pub const DURATION: Histogram<4> = Histogram::new(
    "backlot_call_duration_seconds",
    "how long calls took",
    ["service", "method", "side", "binding"],
    LATENCY_BOUNDS,
);
/// Calls running now.
pub const IN_FLIGHT: Gauge<4> = Gauge::new(
    "backlot_calls_in_flight",
    "calls running now",
    ["service", "method", "side", "binding"],
);

/// Which end of a call is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that answers.
    Server,
    /// The one that asks.
    Client,
}

/// The metrics of one method on one side of one binding: resolved once, then recorded without a
/// lock. Clones share them.
#[derive(Clone, Debug)]
pub struct CallMetrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    metrics: Metrics,
    labels: [String; 4],
    /// By gRPC number, 0 for OK. A method sees few of the seventeen: each is made on first use.
    by_code: [OnceLock<Count>; 17],
    duration: Distribution,
    in_flight: Level,
}

/// A call counted as running until this is dropped.
#[derive(Debug)]
pub struct InFlight(CallMetrics);

// === impl Side ===

impl Side {
    /// The label's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Side::Server => "server",
            Side::Client => "client",
        }
    }
}

// === impl CallMetrics ===

impl CallMetrics {
    /// Resolves the metrics of one method. `binding` is, for example, `direct`, `grpc` or `rest`.
    #[must_use]
    pub fn new(metrics: &Metrics, service: &str, method: &str, side: Side, binding: &str) -> Self {
        let labels = [service, method, side.name(), binding];
        CallMetrics(Arc::new(Inner {
            metrics: metrics.clone(),
            labels: labels.map(str::to_owned),
            by_code: [const { OnceLock::new() }; 17],
            duration: metrics.histogram(&DURATION, labels),
            in_flight: metrics.gauge(&IN_FLIGHT, labels),
        }))
    }

    /// Counts a finished call and how long it took.
    pub fn record(&self, outcome: Result<(), Code>, took: Duration) {
        let number = outcome.err().map_or(0, Code::number);
        // Code numbers are 1 to 16.
        self.0.by_code[usize::from(number)]
            .get_or_init(|| self.count_of(outcome))
            .inc();
        self.0.duration.observe_duration(took);
    }

    /// Counts a call as running until the guard is dropped.
    #[must_use]
    pub fn enter(&self) -> InFlight {
        self.0.in_flight.inc();
        InFlight(self.clone())
    }

    /// How many calls ended like this.
    #[must_use]
    pub fn count(&self, outcome: Result<(), Code>) -> u64 {
        let number = outcome.err().map_or(0, Code::number);
        self.0.by_code[usize::from(number)]
            .get()
            .map_or(0, Count::get)
    }

    /// How many calls run now.
    #[must_use]
    pub fn in_flight(&self) -> i64 {
        self.0.in_flight.get()
    }

    fn count_of(&self, outcome: Result<(), Code>) -> Count {
        let [service, method, side, binding] = &self.0.labels;
        let code = outcome.err().map_or("OK", Code::name);
        self.0
            .metrics
            .counter(&CALLS, [service, method, side, binding, code])
    }
}

// === impl InFlight ===

impl InFlight {
    /// The metrics this call is counted in.
    #[must_use]
    pub fn metrics(&self) -> &CallMetrics {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.in_flight.dec();
    }
}
