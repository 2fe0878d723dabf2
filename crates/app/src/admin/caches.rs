//! `/caches`: how they do, and that they forget.

use super::access::Access;
use super::refused;
use axum::extract::rejection::QueryRejection;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use backlot_cache::{Forgot, Kept};
use backlot_core::Error;
use backlot_service::logs::AUDIT;
use http::{HeaderMap, Method, Uri};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

#[derive(Clone)]
struct Room {
    caches: Arc<[Arc<dyn Kept>]>,
    access: Arc<Access>,
}

pub(super) fn router(caches: Vec<Arc<dyn Kept>>, access: Arc<Access>) -> Router {
    Router::new()
        .route("/caches", get(list))
        .route("/caches/{name}", delete(forget))
        .with_state(Room {
            caches: caches.into(),
            access,
        })
}

async fn list(State(room): State<Room>) -> Response {
    let reports: Vec<_> = room.caches.iter().map(|cache| cache.report()).collect();
    Json(json!({ "caches": reports })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    key: Option<String>,
}

async fn forget(
    State(room): State<Room>,
    Path(name): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let done = match which {
        Ok(Query(which)) => {
            room.forget(&name, which.key.as_deref(), (&uri, &headers))
                .await
        }
        Err(_) => Err(Error::invalid_argument(
            "the query must be empty, or key=KEY",
        )),
    };
    match done {
        Ok(values) => Json(json!({ "cache": name, "forgotten": values })).into_response(),
        Err(error) => refused(error, uri.path()),
    }
}

impl Room {
    async fn forget(
        &self,
        name: &str,
        key: Option<&str>,
        (uri, headers): (&Uri, &HeaderMap),
    ) -> Result<usize, Error> {
        let who = self.access.check(&Method::DELETE, uri, headers).await?;
        let cache = self.caches.iter().find(|cache| cache.name() == name);
        let Some(cache) = cache else {
            let names: Vec<_> = self.caches.iter().map(|cache| cache.name()).collect();
            let names = names.join(", ");
            return Err(Error::not_found(format!(
                "there is no cache {name:?} here; there are: {names}"
            )));
        };
        let outcome = match cache.forget(key) {
            Forgot::Values(values) => Ok(values),
            Forgot::NoKey => Err(Error::invalid_argument(format!(
                "key: {:?} is no key of this cache",
                key.unwrap_or_default()
            ))),
        };
        let (to, what) = (key.unwrap_or("all"), "purge cache");
        match &outcome {
            Ok(values) => {
                tracing::info!(target: AUDIT, %who, what, cache = name, to, values, "{what} by {who}");
            }
            Err(error) => {
                tracing::info!(target: AUDIT, %who, what, cache = name, to, outcome = error.message(), "{what} by {who}");
            }
        }
        outcome
    }
}
