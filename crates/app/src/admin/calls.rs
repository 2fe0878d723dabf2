//! `/calls`: how the instances that this one calls look to it, by which policy, and that it changes.

use super::access::Access;
use super::refused;
use axum::extract::rejection::QueryRejection;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use backlot_core::Error;
use backlot_rpc::Caller;
use backlot_rpc::policy::Policy;
use backlot_rpc::remote::view::Target;
use backlot_service::logs::AUDIT;
use http::{HeaderMap, Method, Uri};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an instance says of the calls it makes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calls {
    /// How each knob is set, by name.
    pub policy: BTreeMap<String, Value>,
    /// Those that are set otherwise than the configuration says, and what that says.
    pub changed: BTreeMap<String, Value>,
    /// Whom it calls.
    pub targets: Vec<Target>,
}

/// What became of a knob.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Turned {
    /// Its name.
    pub knob: String,
    /// How it was set.
    pub was: Value,
    /// How it is set.
    pub is: Value,
}

#[derive(Clone)]
struct Room {
    caller: Caller,
    configured: Policy,
    access: Arc<Access>,
    /// Of two that turn knobs at once none undoes what the other did.
    turning: Arc<Mutex<()>>,
}

pub(super) fn router(caller: Caller, access: Arc<Access>) -> Router {
    let configured = Policy::clone(&caller.knobs().now());
    Router::new()
        .route("/calls", get(look))
        .route("/calls/{knob}", put(turn).delete(turn_back))
        .with_state(Room {
            caller,
            configured,
            access,
            turning: Arc::default(),
        })
}

async fn look(State(room): State<Room>) -> Response {
    let policy = room.caller.knobs().now();
    let mut calls = Calls {
        targets: room.caller.targets(),
        ..Calls::default()
    };
    for name in Policy::names() {
        let (is, configured) = (policy.get(name), room.configured.get(name));
        if is != configured {
            calls
                .changed
                .insert(name.to_owned(), configured.unwrap_or_default());
        }
        calls.policy.insert(name.to_owned(), is.unwrap_or_default());
    }
    Json(calls).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    value: String,
}

async fn turn(
    State(room): State<Room>,
    Path(knob): Path<String>,
    to: Result<Query<To>, QueryRejection>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let done = match to {
        Ok(Query(To { value })) => {
            room.turn(&knob, Some(&value), (Method::PUT, &uri, &headers))
                .await
        }
        Err(_) => Err(Error::invalid_argument("the query must be value=VALUE")),
    };
    answer(done, &uri)
}

async fn turn_back(
    State(room): State<Room>,
    Path(knob): Path<String>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let done = room
        .turn(&knob, None, (Method::DELETE, &uri, &headers))
        .await;
    answer(done, &uri)
}

fn answer(done: Result<Turned, Error>, uri: &Uri) -> Response {
    match done {
        Ok(turned) => Json(turned).into_response(),
        Err(error) => refused(error, uri.path()),
    }
}

impl Room {
    /// Sets a knob to a value, or to that of the configuration.
    async fn turn(
        &self,
        knob: &str,
        value: Option<&str>,
        (method, uri, headers): (Method, &Uri, &HeaderMap),
    ) -> Result<Turned, Error> {
        let who = self.access.check(&method, uri, headers).await?;
        let outcome = self.set(knob, value);
        let (what, told) = ("set calls", outcome.as_ref().map_err(Error::message));
        match told {
            Ok(Turned { was, is, .. }) => {
                tracing::info!(target: AUDIT, %who, what, knob, %was, %is, "{what} by {who}");
            }
            Err(outcome) => {
                tracing::info!(target: AUDIT, %who, what, knob, value, outcome, "{what} by {who}");
            }
        }
        outcome
    }

    fn set(&self, knob: &str, value: Option<&str>) -> Result<Turned, Error> {
        let _alone = self.turning.lock();
        let knobs = self.caller.knobs();
        let before = Policy::clone(&knobs.now());
        let after = match (value, self.configured.get(knob)) {
            (Some(value), _) => before.with(knob, value)?,
            // Times and words are texts that are read as they are written.
            (None, Some(Value::String(text))) => before.with(knob, &text)?,
            (None, Some(value)) => before.with(knob, &value.to_string())?,
            // That says which there are.
            (None, None) => before.with(knob, "")?,
        };
        let turned = Turned {
            knob: knob.to_owned(),
            was: before.get(knob).unwrap_or_default(),
            is: after.get(knob).unwrap_or_default(),
        };
        knobs.set(after);
        Ok(turned)
    }
}
