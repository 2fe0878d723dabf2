//! What an instance answers its operators besides metrics, probes and configuration: how its caches
//! do and that they forget, and tables it has for them. And how its port is asked.
//!
//! | request | answer |
//! |---|---|
//! | `GET /caches` | how each cache does |
//! | `DELETE /caches/NAME`, `DELETE /caches/NAME?key=KEY` | how many values it forgot |
//! | `GET /panels/NAME` | a table for operators |
//!
//! An instance announces the names of its caches and panels with its registration. Forgetting and
//! panels are for operators alone: whoever has a token with the role `operator`, and parts of the
//! system that show a pass made with the operators' secret.

pub(crate) mod access;
mod caches;
pub mod client;
mod panels;

pub use client::Client;
pub use panels::{Panel, Show};

use access::Access;
use axum::Router;
use axum::response::Response;
use backlot_cache::Kept;
use backlot_core::Error;
use std::sync::Arc;

/// The secret that passes of operators are made with, in the data folder.
pub const KEY: &str = "operators.key";

/// What an instance has for its operators.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offered {
    pub(crate) caches: Vec<Arc<dyn Kept>>,
    pub(crate) panels: Vec<(&'static str, Arc<dyn Show>)>,
}

impl Offered {
    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.caches.is_empty() && self.panels.is_empty()
    }

    /// What is announced of it.
    pub(crate) fn announced(&self) -> impl Iterator<Item = (String, String)> {
        let caches: Vec<_> = self.caches.iter().map(|cache| cache.name()).collect();
        let panels: Vec<_> = self.panels.iter().map(|(name, _)| *name).collect();
        let both = [(client::CACHES, caches), (client::PANELS, panels)];
        let some = both.into_iter().filter(|(_, names)| !names.is_empty());
        some.map(|(key, names)| (key.to_owned(), names.join(",")))
    }

    /// Its routes.
    pub(crate) fn router(self, access: Access) -> Router {
        let access = Arc::new(access);
        caches::router(self.caches, Arc::clone(&access)).merge(panels::router(self.panels, access))
    }
}

/// Errors as RFC 9457 describes them.
fn refused(error: Error, path: &str) -> Response {
    backlot_rpc::rest::problem(error, path)
}
