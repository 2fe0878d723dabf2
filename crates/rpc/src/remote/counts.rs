//! What is counted of the endpoints of a service.

use super::endpoint::State;
use super::set::Shared;
use super::standing::Why;
use backlot_service::telemetry::{Count, Counter, Gauge, Level, Metrics};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Instances as a client sees them.
pub const ENDPOINTS: Gauge<2> = Gauge::new(
    "backlot_endpoints",
    "instances as callers see them, each client of a contract for itself: ready, connecting, failed, ejected",
    ["target", "state"],
);
/// Instances that got no calls for a while.
pub const EJECTED: Counter<2> = Counter::new(
    "backlot_endpoint_ejections_total",
    "instances that got no calls for a while, by why; spared: too many others got none",
    ["target", "why"],
);

/// The series of one service, as one client sees it: several may add to the same.
#[derive(Debug)]
pub(super) struct Counts {
    /// By [`PLACES`].
    levels: [Level; 4],
    ejected: [Count; 3],
    spared: Count,
    /// What this client has added to the levels.
    added: Mutex<[i64; 4]>,
    ready: AtomicUsize,
    out: AtomicUsize,
}

const PLACES: [&str; 4] = ["ready", "connecting", "failed", "ejected"];

impl Counts {
    pub(super) fn of(metrics: &Metrics, target: &str) -> Self {
        Counts {
            levels: PLACES.map(|state| metrics.gauge(&ENDPOINTS, [target, state])),
            ejected: Why::ALL.map(|why| metrics.counter(&EJECTED, [target, why.name()])),
            spared: metrics.counter(&EJECTED, [target, "spared"]),
            added: Mutex::new([0; 4]),
            ready: AtomicUsize::new(0),
            out: AtomicUsize::new(0),
        }
    }

    /// How many are ejected.
    pub(super) fn out(&self) -> usize {
        self.out.load(Ordering::Relaxed)
    }

    /// How many are connected and not ejected.
    pub(super) fn usable(&self) -> usize {
        self.ready.load(Ordering::Relaxed)
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
        // One at a time: the last to look tells.
        let mut added = self.added.lock();
        let endpoints = shared.endpoints.load();
        let (mut counts, mut out) = ([0; 4], 0);
        for kept in &endpoints.all {
            let is_out = kept.endpoint.standing.is_out();
            out += usize::from(is_out);
            let place = match *kept.state.borrow() {
                State::Ready if is_out => 3,
                State::Ready => 0,
                State::Connecting => 1,
                State::Failed => 2,
            };
            counts[place] += 1;
        }
        self.out.store(out, Ordering::Relaxed);
        let ready = usize::try_from(counts[0]).unwrap_or_default();
        self.ready.store(ready, Ordering::Relaxed);
        self.add(&mut added, counts);
    }

    fn add(&self, added: &mut [i64; 4], counts: [i64; 4]) {
        for ((level, count), added) in self.levels.iter().zip(counts).zip(added) {
            level.add(count - *added);
            *added = count;
        }
    }
}

impl Drop for Counts {
    fn drop(&mut self) {
        let mut added = *self.added.lock();
        self.add(&mut added, [0; 4]);
    }
}
