//! What queues count.

use crate::telemetry::{LEASED, LEASES, WAITING};
use backlot_service::telemetry::{Count, Level, Metrics};

/// What a queue counts.
#[derive(Debug)]
pub(super) struct OfQueue {
    pub(super) given: Count,
    pub(super) done: Count,
    pub(super) failed: Count,
    pub(super) returned: Count,
    pub(super) rejected: Count,
    pub(super) expired: Count,
    pub(super) exhausted: Count,
    pub(super) extended: Count,
    pub(super) late: Count,
    pub(super) leased: Level,
    pub(super) waiting: Level,
}

impl OfQueue {
    pub(super) fn new(metrics: &Metrics, topic: &str, group: &str) -> Self {
        let leases = |outcome| metrics.counter(&LEASES, [topic, group, outcome]);
        OfQueue {
            given: leases("given"),
            done: leases("done"),
            failed: leases("failed"),
            returned: leases("returned"),
            rejected: leases("rejected"),
            expired: leases("expired"),
            exhausted: leases("exhausted"),
            extended: leases("extended"),
            late: leases("late"),
            leased: metrics.gauge(&LEASED, [topic, group]),
            waiting: metrics.gauge(&WAITING, [topic, group]),
        }
    }
}
