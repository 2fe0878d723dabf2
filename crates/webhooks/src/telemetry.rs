//! What is counted of deliveries.

use backlot_service::telemetry::{Counter, Gauge, Histogram, LATENCY_BOUNDS};

/// Deliveries, by endpoint and outcome: `done`, `failed`, `gone`.
pub(crate) const DELIVERIES: Counter<2> = Counter::new(
    "backlot_webhooks_deliveries_total",
    "deliveries to endpoints, by endpoint and outcome",
    ["endpoint", "outcome"],
);
/// How long a delivery took, in seconds, by endpoint.
pub(crate) const DURATION: Histogram<1> = Histogram::new(
    "backlot_webhooks_delivery_duration_seconds",
    "how long a delivery took, by endpoint",
    ["endpoint"],
    LATENCY_BOUNDS,
);
/// Endpoints that are pushed to by this instance.
pub(crate) const ENDPOINTS: Gauge<0> = Gauge::new(
    "backlot_webhooks_endpoints",
    "endpoints that this instance pushes to",
    [],
);
