//! What is counted of the endpoints of a service.

use super::endpoint::State;
use super::set::Shared;
use super::standing::Why;
use backlot_service::telemetry::{Count, Counter, Gauge, Level, Metrics};

/// Instances as a client sees them.
pub const ENDPOINTS: Gauge<2> = Gauge::new(
    "backlot_endpoints",
    "instances as their callers see them: ready, connecting, failed, ejected",
    ["target", "state"],
);
/// Instances that got no calls for a while.
pub const EJECTED: Counter<2> = Counter::new(
    "backlot_endpoint_ejections_total",
    "instances that got no calls for a while, by why; spared: too many others got none",
    ["target", "why"],
);

/// The series of one service.
#[derive(Debug)]
pub(super) struct Counts {
    ready: Level,
    connecting: Level,
    failed: Level,
    out: Level,
    ejected: [Count; 3],
    spared: Count,
}

impl Counts {
    pub(super) fn of(metrics: &Metrics, target: &str) -> Self {
        let state = |state| metrics.gauge(&ENDPOINTS, [target, state]);
        Counts {
            ready: state("ready"),
            connecting: state("connecting"),
            failed: state("failed"),
            out: state("ejected"),
            ejected: Why::ALL.map(|why| metrics.counter(&EJECTED, [target, why.name()])),
            spared: metrics.counter(&EJECTED, [target, "spared"]),
        }
    }

    pub(super) fn ejected(&self, why: Why) {
        let at = Why::ALL.iter().position(|known| *known == why);
        if let Some(count) = at.and_then(|at| self.ejected.get(at)) {
            count.inc();
        }
    }

    pub(super) fn spared(&self) {
        self.spared.inc();
    }

    /// Counts all anew.
    pub(super) fn stand(&self, shared: &Shared) {
        let endpoints = shared.endpoints.load();
        let mut counts = [0; 4];
        for kept in &endpoints.all {
            let state = *kept.state.borrow();
            let place = match state {
                State::Ready if kept.endpoint.standing.is_out() => 3,
                State::Ready => 0,
                State::Connecting => 1,
                State::Failed => 2,
            };
            counts[place] += 1;
        }
        let levels = [&self.ready, &self.connecting, &self.failed, &self.out];
        for (level, count) in levels.into_iter().zip(counts) {
            level.set(count);
        }
    }
}
