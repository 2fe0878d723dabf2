//! The admin routes of a process: metrics, probes, and the configuration in force. They belong on
//! a listener of their own, which is on loopback unless told otherwise.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use backlot_service::health::Health;
use backlot_service::telemetry::Metrics;

/// `/metrics`, `/live`, `/ready` and `/config`. `config` is shown as it is: secrets masked already.
pub fn router(metrics: Metrics, health: Health, config: String) -> Router {
    let (live, ready) = (health.clone(), health);
    Router::new()
        .route(
            "/metrics",
            get(move || std::future::ready(exposition(&metrics))),
        )
        .route(
            "/live",
            get(move || std::future::ready(probe(live.liveness(), "live", &live))),
        )
        .route(
            "/ready",
            get(move || std::future::ready(probe(ready.readiness(), "ready", &ready))),
        )
        .route(
            "/config",
            get(move || {
                std::future::ready(([(header::CONTENT_TYPE, "application/toml")], config.clone()))
            }),
        )
}

fn exposition(metrics: &Metrics) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.encode()).into_response()
}

fn probe(good: bool, word: &str, health: &Health) -> Response {
    let status = if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let degraded: String = health
        .report()
        .degraded
        .iter()
        .map(|(name, why)| format!("degraded: {name}: {why}\n"))
        .collect();
    let word = if good {
        word.to_owned()
    } else {
        format!("not {word}")
    };
    (status, format!("{word}\n{degraded}")).into_response()
}
