//! What an instance answers its operators besides metrics, probes and configuration: how its caches
//! do and that they forget, whom it calls and by which policy, and tables it has for them. And how
//! its port is asked.
//!
//! | request | answer |
//! |---|---|
//! | `GET /caches` | how each cache does |
//! | `DELETE /caches/NAME`, `DELETE /caches/NAME?key=KEY` | how many values it forgot |
//! | `GET /calls` | whom it calls, how those look to it, by which policy |
//! | `PUT /calls/KNOB?value=VALUE`, `DELETE /calls/KNOB` | how a knob was and is set: to a value, back to the configuration's; with `to=SERVICE` towards that alone |
//! | `GET /panels/NAME` | a table for operators |
//!
//! An instance announces the names of its caches and panels with its registration, and whether it
//! calls others over the network. Forgetting, setting and
//! panels are for operators alone: whoever has a token with the role `operator`, and parts of the
//! system that show a pass made with the operators' secret.

pub(crate) mod access;
mod caches;
pub(crate) mod calls;
pub mod client;
mod panels;

pub use calls::{Calls, Turned};
pub use client::Client;
pub use panels::{Panel, Show};

use access::Access;
use axum::Router;
use axum::response::Response;
use backlot_cache::Kept;
use backlot_core::Error;
use backlot_rpc::Caller;
use std::sync::Arc;

/// The secret that passes of operators are made with, in the data folder.
pub const KEY: &str = "operators.key";

/// What an instance has for its operators.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offered {
    pub(crate) caches: Vec<Arc<dyn Kept>>,
    pub(crate) panels: Vec<(&'static str, Arc<dyn Show>)>,
    /// How it calls others, if it does.
    pub(crate) caller: Option<Caller>,
}

impl Offered {
    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.caches.is_empty() && self.panels.is_empty() && self.caller.is_none()
    }

    /// What is announced of it.
    pub(crate) fn announced(&self) -> impl Iterator<Item = (String, String)> {
        let caches: Vec<_> = self.caches.iter().map(|cache| cache.name()).collect();
        let panels: Vec<_> = self.panels.iter().map(|(name, _)| *name).collect();
        let calls = self.caller.as_ref().map(|_| "yes").into_iter().collect();
        let all = [
            (client::CACHES, caches),
            (client::PANELS, panels),
            (client::CALLS, calls),
        ];
        let some = all.into_iter().filter(|(_, names)| !names.is_empty());
        some.map(|(key, names)| (key.to_owned(), names.join(",")))
    }

    /// Its routes.
    pub(crate) fn router(self, access: Access) -> Router {
        let access = Arc::new(access);
        let mut router = caches::router(self.caches, Arc::clone(&access))
            .merge(panels::router(self.panels, Arc::clone(&access)));
        if let Some(caller) = self.caller {
            router = router.merge(calls::router(caller, access));
        }
        router
    }
}

/// Errors as RFC 9457 describes them.
fn refused(error: Error, path: &str) -> Response {
    backlot_rpc::rest::problem(error, path)
}
