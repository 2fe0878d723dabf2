//! The metrics of caches.

use backlot_service::telemetry::{Count, Counter, Gauge, Level, Metrics};

/// What callers got, by cache: `fresh`, `stale` (what is older, at once), `late` (what is older, after
/// waiting for what is not), `fetched`, `joined` (what was fetched for another), `failed`.
pub const ASKED: Counter<2> = Counter::new(
    "backlot_cache_asked_total",
    "what callers got from caches: fresh, stale, late, fetched, joined, failed",
    ["cache", "outcome"],
);
/// Fetches, by cache: `done`, `failed`, `given up` because the process ends.
pub const FETCHED: Counter<2> = Counter::new(
    "backlot_cache_fetches_total",
    "fetches of caches: done, failed, given up",
    ["cache", "outcome"],
);
/// What left a cache, by why: `outdated` by a change (and stays as the answer for bad times),
/// `evicted` for lack of room, `forgotten` because an operator said so.
pub const LEFT: Counter<2> = Counter::new(
    "backlot_cache_left_total",
    "values of caches that are no longer served as fresh: outdated, evicted, forgotten",
    ["cache", "why"],
);
/// Values held now.
pub const VALUES: Gauge<1> = Gauge::new("backlot_cache_values", "values held now", ["cache"]);
/// What they weigh.
pub const BYTES: Gauge<1> = Gauge::new(
    "backlot_cache_held_bytes",
    "memory of the values held now, in bytes",
    ["cache"],
);

/// The series of one cache.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) fresh: Count,
    pub(crate) stale: Count,
    pub(crate) late: Count,
    pub(crate) fetched: Count,
    pub(crate) joined: Count,
    pub(crate) failed: Count,
    pub(crate) fetch_done: Count,
    pub(crate) fetch_failed: Count,
    pub(crate) fetch_given_up: Count,
    pub(crate) outdated: Count,
    pub(crate) evicted: Count,
    pub(crate) forgotten: Count,
    pub(crate) values: Level,
    pub(crate) bytes: Level,
}

impl Series {
    pub(crate) fn of(name: &str, metrics: &Metrics) -> Self {
        let asked = |outcome| metrics.counter(&ASKED, [name, outcome]);
        let fetched = |outcome| metrics.counter(&FETCHED, [name, outcome]);
        let left = |why| metrics.counter(&LEFT, [name, why]);
        Series {
            fresh: asked("fresh"),
            stale: asked("stale"),
            late: asked("late"),
            fetched: asked("fetched"),
            joined: asked("joined"),
            failed: asked("failed"),
            fetch_done: fetched("done"),
            fetch_failed: fetched("failed"),
            fetch_given_up: fetched("given up"),
            outdated: left("outdated"),
            evicted: left("evicted"),
            forgotten: left("forgotten"),
            values: metrics.gauge(&VALUES, [name]),
            bytes: metrics.gauge(&BYTES, [name]),
        }
    }
}
