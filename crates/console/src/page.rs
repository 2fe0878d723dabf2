//! The page as a whole: what stands behind it, and its routes.

use crate::access::Access;
use crate::audit::Audit;
use crate::route;
use crate::runs::Runs;
use crate::sampler::Sampler;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use backlot_core::Clock;
use backlot_core::env::Shutdown;
use backlot_messaging::Engine;
use backlot_messaging::record::MAX_PAYLOAD;
use backlot_rpc::same_origin;
use backlot_service::Tasks;
use std::sync::Arc;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

/// The largest form: a payload may be three times as long when it is written as one.
const LARGEST_FORM: usize = MAX_PAYLOAD * 3 + 16 * 1024;
/// Everything comes from here, nothing is inline, nobody frames the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What the page stands on.
pub(crate) struct Parts {
    pub(crate) sampler: Sampler,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) access: Access,
    pub(crate) tasks: Tasks,
    pub(crate) shutdown: Shutdown,
    pub(crate) clock: Clock,
}

/// The page. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Page(Arc<Whole>);

struct Whole {
    parts: Parts,
    audit: Audit,
    runs: Runs,
}

impl Page {
    pub(crate) fn new(parts: Parts) -> Self {
        let audit = Audit::new(parts.clock.clone());
        let (engine, tasks) = (Arc::clone(&parts.engine), parts.tasks.clone());
        Page(Arc::new(Whole {
            runs: Runs::new(
                engine,
                tasks,
                parts.clock.clone(),
                parts.shutdown.clone(),
                audit.clone(),
            ),
            audit,
            parts,
        }))
    }

    /// Its routes, with everything that applies to all of them.
    pub(crate) fn router(self) -> Router {
        let access = self.0.parts.access.clone();
        Router::new()
            .route("/", get(route::overview::show))
            .route("/events", get(route::overview::events))
            .route("/dead/{queue}", get(route::dead::show))
            .route("/dead/{queue}/redrive", post(route::dead::redrive))
            .route("/dead/{queue}/purge", post(route::dead::purge))
            .route(
                "/letters/{queue}/{partition}/{offset}",
                get(route::letter::show),
            )
            .route(
                "/letters/{queue}/{partition}/{offset}/edit",
                post(route::letter::edit),
            )
            .route(
                "/letters/{queue}/{partition}/{offset}/redrive",
                post(route::letter::redrive),
            )
            .route(
                "/letters/{queue}/{partition}/{offset}/purge",
                post(route::letter::purge),
            )
            .route("/groups/{topic}/{group}", get(route::group::show))
            .route("/groups/{topic}/{group}/pause", post(route::group::pause))
            .route("/groups/{topic}/{group}/resume", post(route::group::resume))
            .route("/caches/{service}/{name}", get(route::cache::show))
            .route("/caches/{service}/{name}/purge", post(route::cache::purge))
            .route("/calls/{service}", get(route::calls::show))
            .route("/calls/{service}/set", post(route::calls::turn))
            .route("/runs", get(route::run::list))
            .route("/runs/{number}", get(route::run::show))
            .route("/runs/{number}/events", get(route::run::events))
            .route("/runs/{number}/stop", post(route::run::stop))
            .route("/audit", get(route::audit::show))
            .route("/assets/{file}", get(route::assets::show))
            .fallback(route::missing)
            .layer(DefaultBodyLimit::max(LARGEST_FORM))
            .layer(from_fn(same_origin::only))
            .layer(from_fn_with_state(access, Access::check))
            .layer(map_response(guarded))
            .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
            .with_state(self)
    }

    pub(crate) fn sampler(&self) -> &Sampler {
        &self.0.parts.sampler
    }

    pub(crate) fn engine(&self) -> &Arc<dyn Engine> {
        &self.0.parts.engine
    }

    pub(crate) fn shutdown(&self) -> &Shutdown {
        &self.0.parts.shutdown
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.parts.clock
    }

    pub(crate) fn audit(&self) -> &Audit {
        &self.0.audit
    }

    pub(crate) fn runs(&self) -> &Runs {
        &self.0.runs
    }
}

async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
