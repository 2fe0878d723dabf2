//! What the registry answers.

use super::Shared;
use crate::embedded::reading;
use crate::embedded::wire::{self, Answer, MARK, Problem, VERSION, WireInstance};
use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{OriginalUri, Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use backlot_core::Error;
use http::{Method, StatusCode, header};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The longest body of a request.
const MAX_BODY: usize = 64 * 1024;
/// How long a body may take to arrive.
const BODY_LIMIT: Duration = Duration::from_secs(10);

type Registry = State<Arc<Shared>>;
type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/registry", get(identify))
        .route("/v1/services", get(services))
        .route("/v1/services/{service}", get(watch))
        .route(
            "/v1/services/{service}/instances/{id}",
            put(register).delete(deregister),
        )
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .with_state(shared)
}

async fn identify(State(shared): Registry) -> Response {
    let (services, instances) = {
        let table = shared.table.lock();
        (table.services().count(), table.len())
    };
    Json(json!({ MARK: VERSION, "epoch": *shared.epoch, "services": services, "instances": instances }))
        .into_response()
}

async fn services(State(shared): Registry) -> Response {
    let services: Vec<String> = shared.table.lock().services().map(str::to_owned).collect();
    Json(json!({ "epoch": *shared.epoch, "services": services })).into_response()
}

async fn register(
    State(shared): Registry,
    Path((service, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let body = match read_body(request.into_body()).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let (instance, ttl) = match reading::read_instance(&service, &id, &body) {
        Ok(read) => read,
        Err(error) => return refuse(&error),
    };
    let address = instance.address.clone();
    let put = {
        let mut table = shared.table.lock();
        table
            .put(instance, ttl, Instant::now())
            .map(|changed| (changed, table.index_of(&service)))
    };
    match put {
        Ok((changed, index)) => {
            if changed {
                tracing::debug!(
                    service,
                    instance = id,
                    address,
                    "instance {id} of {service} is at {address}"
                );
                shared.sooner.notify_one();
                shared.changed();
            }
            Json(json!({ "epoch": *shared.epoch, "index": index, "ttl_ms": wire::millis(ttl) }))
                .into_response()
        }
        Err(full) => {
            tracing::error!(
                service,
                instance = id,
                "instance {id} of {service} is refused: the registry is full"
            );
            refuse(&Error::resource_exhausted(full.to_string()))
        }
    }
}

async fn deregister(
    State(shared): Registry,
    Path((service, id)): Path<(String, String)>,
) -> Response {
    if shared.table.lock().remove(&service, &id) {
        tracing::debug!(
            service,
            instance = id,
            "instance {id} of {service} has left"
        );
        shared.changed();
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn watch(
    State(shared): Registry,
    Path(service): Path<String>,
    parameters: Parameters,
) -> Response {
    let question = match parameters {
        Ok(Query(parameters)) => reading::read_question(&service, &parameters),
        Err(rejection) => Err(Error::invalid_argument(format!(
            "the query cannot be read: {rejection}"
        ))),
    };
    let question = match question {
        Ok(question) => question,
        Err(error) => return refuse(&error),
    };
    let mut changes = shared.changes.subscribe();
    // An index of another epoch, or one this registry has not reached, is from an earlier run.
    let same_epoch = question
        .epoch
        .as_deref()
        .is_none_or(|epoch| epoch == &*shared.epoch);
    if let Some(seen) = question.index
        && same_epoch
    {
        let differs = changes.wait_for(|_| shared.table.lock().index_of(&service) != seen);
        // The sender lives in shared, so that this ends by a change or by the wait alone.
        drop(
            tokio::time::timeout(question.wait, differs)
                .await
                .map(|outcome| outcome.map(drop)),
        );
    }
    let view = shared.table.lock().view(&service);
    let instances = view
        .instances
        .into_iter()
        .map(|(instance, ttl)| WireInstance::new(instance, ttl))
        .collect();
    Json(Answer {
        epoch: shared.epoch.to_string(),
        service,
        index: view.index,
        instances,
    })
    .into_response()
}

async fn unknown(OriginalUri(uri): OriginalUri) -> Response {
    refuse(&Error::not_found(format!(
        "no {:?} here: known are /v1/registry, /v1/services, /v1/services/{{service}} and \
         /v1/services/{{service}}/instances/{{id}}",
        uri.path()
    )))
}

async fn not_allowed(method: Method, OriginalUri(uri): OriginalUri) -> Response {
    let error = Error::unimplemented(format!("{method} is not possible on {:?}", uri.path()));
    problem(405, &error)
}

async fn read_body(body: Body) -> Result<bytes::Bytes, Response> {
    match tokio::time::timeout(BODY_LIMIT, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error))
            if std::error::Error::source(&error)
                .is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>()) =>
        {
            Err(problem(
                413,
                &Error::invalid_argument(format!("the body is longer than {MAX_BODY} bytes")),
            ))
        }
        Ok(Err(error)) => Err(refuse(&Error::invalid_argument(format!(
            "the body cannot be read: {error}"
        )))),
        Err(_elapsed) => Err(problem(
            408,
            &Error::deadline_exceeded("the body did not arrive in 10 s"),
        )),
    }
}

fn refuse(error: &Error) -> Response {
    problem(wire::status_of(error), error)
}

fn problem(status: u16, error: &Error) -> Response {
    // Every status used here is one.
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(header::CONTENT_TYPE, "application/problem+json")];
    (code, headers, Json(Problem::new(status, error))).into_response()
}
