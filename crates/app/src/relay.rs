//! The relay of a store's outbox, with what it does as metrics.

use backlot_core::Clock;
use backlot_messaging::outbox::Carrier;
use backlot_messaging::telemetry::{
    OUTBOX_FAILURES, OUTBOX_LEADING, OUTBOX_OLDEST, OUTBOX_SENT, OUTBOX_WAITING,
};
use backlot_service::telemetry::Metrics;
use backlot_storage::outbox::{Relay, Status};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;

/// How often what it does is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Runs it until `stop` is done and what waits is sent.
pub(crate) async fn run(
    relay: Relay<Carrier>,
    stop: impl Future<Output = ()> + Send,
    clock: Clock,
    metrics: Metrics,
) {
    let status = relay.status();
    let (mut running, mut measuring) = (
        pin!(relay.run(stop)),
        pin!(measure(status, &clock, &metrics)),
    );
    tokio::select! {
        biased;
        _end = &mut running => {}
        () = &mut measuring => {}
    }
}

async fn measure(status: watch::Receiver<Status>, clock: &Clock, metrics: &Metrics) {
    let (waiting, oldest) = (
        metrics.gauge(&OUTBOX_WAITING, []),
        metrics.gauge(&OUTBOX_OLDEST, []),
    );
    let (leading, failures) = (
        metrics.gauge(&OUTBOX_LEADING, []),
        metrics.gauge(&OUTBOX_FAILURES, []),
    );
    let (sent, mut counted) = (metrics.counter(&OUTBOX_SENT, []), 0);
    loop {
        let now = *status.borrow();
        let age = now
            .depth
            .oldest
            .map_or(0, |oldest| clock.wall().0 - oldest.0);
        waiting.set(i64::try_from(now.depth.waiting).unwrap_or(i64::MAX));
        oldest.set(age.max(0) / 1000);
        leading.set(now.leading.into());
        failures.set(now.failures.into());
        sent.add(now.sent.saturating_sub(counted));
        counted = now.sent;
        tokio::time::sleep(LOOK).await;
    }
}
