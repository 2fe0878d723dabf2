//! The page as a whole: the services behind it and its routes.

use crate::assets::{self, Assets};
use crate::config::Config;
use crate::names::Names;
use crate::ranks::Ranks;
use crate::wishes::Wishes;
use crate::{headers, route};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderMap;
use axum::middleware::{from_fn, map_response};
use axum::routing::{get, post};
use backlot::core::env::Shutdown;
use backlot::core::trace::TraceContext;
use backlot::rpc::same_origin;
use backlot::{Context, Dice, Env};
use movies_api as api;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

/// The largest form anybody sends here, in bytes.
const LARGEST_FORM: usize = 16 * 1024;

/// How many uploaded posters are handed out at once.
const FILES: usize = 256;

/// The services behind the page.
#[derive(Clone)]
pub struct Ports {
    /// Uploaded posters.
    pub metadata: Arc<dyn api::Metadata>,
    /// Films with their ratings.
    pub movies: Arc<dyn api::Movie>,
    /// Rates, and watches ratings.
    pub ratings: Arc<dyn api::Rating>,
    /// Gives tokens for names.
    pub auth: Arc<dyn api::Auth>,
    /// Knows who gets mail.
    pub mail: Arc<dyn api::Mail>,
    /// Keeps what people want of it.
    pub wishes: Arc<dyn Wishes>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ports")
    }
}

/// The page. Cheap to clone.
#[derive(Clone)]
pub struct Page(Arc<Parts>);

struct Parts {
    config: Config,
    ports: Ports,
    names: Names,
    keys: Dice,
    shutdown: Shutdown,
    viewers: Arc<Semaphore>,
    files: Arc<Semaphore>,
    ranks: Ranks,
    assets: Assets,
}

impl Page {
    /// A page over the services in `ports`; clock, dice and shutdown come from `env`.
    #[must_use]
    pub fn new(config: Config, ports: Ports, env: &Env) -> Self {
        Page(Arc::new(Parts {
            names: Names::new(Arc::clone(&ports.auth), env.clock.clone(), config.names),
            keys: env.dice.branch("page keys"),
            shutdown: env.shutdown.clone(),
            viewers: Arc::new(Semaphore::new(config.viewers)),
            files: Arc::new(Semaphore::new(FILES)),
            ranks: Ranks::new(Arc::clone(&ports.movies)),
            assets: Assets::load(),
            config,
            ports,
        }))
    }

    /// Its routes, with everything that applies to all of them.
    pub fn router(self) -> Router {
        Router::new()
            .route("/", get(route::home::show))
            .route("/browse", get(route::browse::show))
            .route("/search", get(route::search::show))
            .route("/search/suggest", get(route::suggest::show))
            .route("/charts", get(route::chart::show))
            .route("/ratings", get(route::mine::show))
            .route("/movies/{id}", get(route::film::show))
            .route("/movies/{id}/live", get(route::live::watch))
            .route("/movies/{id}/rating", post(route::rating::put))
            .route("/movies/{id}/rating/delete", post(route::rating::delete))
            .route("/name", get(route::name::ask).post(route::name::pick))
            .route("/name/forget", post(route::name::forget))
            .route("/mail", get(route::mail::show).post(route::mail::want))
            .route("/mail/stop", post(route::mail::stop))
            .route(
                "/mail/confirm/{token}",
                get(route::mail::confirm).post(route::mail::confirmed),
            )
            .route("/posters/{sha256}", get(route::poster::show))
            .route("/assets/{file}", get(assets::show))
            .fallback(route::missing)
            .layer(DefaultBodyLimit::max(LARGEST_FORM))
            .layer(from_fn(same_origin::only))
            // Mail programs come from nowhere, with a token.
            .route(
                "/mail/leave/{token}",
                get(route::mail::leave).post(route::mail::left),
            )
            .layer(map_response(headers::add))
            // Live ratings and pictures stay as they are.
            .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
            .with_state(self)
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.0.ports
    }

    pub(crate) fn names(&self) -> &Names {
        &self.0.names
    }

    pub(crate) fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    pub(crate) fn viewers(&self) -> &Arc<Semaphore> {
        &self.0.viewers
    }

    pub(crate) fn files(&self) -> &Arc<Semaphore> {
        &self.0.files
    }

    pub(crate) fn ranks(&self) -> &Ranks {
        &self.0.ranks
    }

    pub(crate) fn assets(&self) -> &Assets {
        &self.0.assets
    }

    /// An idempotency key for one form on one rendered page.
    pub(crate) fn key(&self) -> String {
        self.0.keys.uuid()
    }

    /// The context of a visitor's request: the page's own patience, the visitor's trace.
    pub(crate) fn context(&self, headers: &HeaderMap) -> Context {
        let trace = headers
            .get("traceparent")
            .and_then(|value| value.to_str().ok())
            .map(TraceContext::parse);
        Context::background()
            .with_timeout(self.config().patience)
            .with_trace(trace.unwrap_or(TraceContext::NONE))
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}
