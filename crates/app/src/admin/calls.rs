//! `/calls`: how the instances that this one calls look to it, by which policy, and that it changes.

use super::access::Access;
use super::panels::cut;
use super::refused;
use axum::extract::rejection::QueryRejection;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use backlot_core::Error;
use backlot_rpc::Caller;
use backlot_rpc::policy::{Policies, Policy};
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
    /// How each knob is set for all, by name.
    pub policy: BTreeMap<String, Value>,
    /// Those that are set otherwise than the configuration says, and what that says.
    pub changed: BTreeMap<String, Value>,
    /// Knobs that are set otherwise towards some services, by service and name.
    pub to: BTreeMap<String, BTreeMap<String, Value>>,
    /// What the configuration says of those.
    pub to_configured: BTreeMap<String, BTreeMap<String, Value>>,
    /// Whom it calls.
    pub targets: Vec<Target>,
}

/// What is taken of what an instance says.
const MAX_TARGETS: usize = 256;
const MAX_INSTANCES: usize = 1000;
const MAX_KNOBS: usize = 256;

impl Calls {
    /// The same within bounds, with texts that can be shown.
    pub(super) fn bounded(mut self) -> Self {
        self.targets.truncate(MAX_TARGETS);
        for target in &mut self.targets {
            cut(&mut target.service);
            target.instances.truncate(MAX_INSTANCES);
            for instance in &mut target.instances {
                cut(&mut instance.address);
                cut(&mut instance.state);
            }
        }
        for knobs in [&mut self.policy, &mut self.changed] {
            *knobs = within(std::mem::take(knobs));
        }
        for differing in [&mut self.to, &mut self.to_configured] {
            let all = std::mem::take(differing).into_iter().take(MAX_TARGETS);
            *differing = all.map(|(to, knobs)| (to, within(knobs))).collect();
        }
        self
    }
}

fn within(knobs: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut knobs: BTreeMap<_, _> = knobs.into_iter().take(MAX_KNOBS).collect();
    for value in knobs.values_mut() {
        match value {
            Value::String(text) => cut(text),
            // No knob is one.
            Value::Array(_) | Value::Object(_) => *value = Value::Null,
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    knobs
}

/// What became of a knob.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Turned {
    /// Its name.
    pub knob: String,
    /// Towards which service; for all where none is named.
    pub to: Option<String>,
    /// How it was set.
    pub was: Value,
    /// How it is set.
    pub is: Value,
}

#[derive(Clone)]
struct Room {
    caller: Caller,
    configured: Policies,
    access: Arc<Access>,
    /// Of two that turn knobs at once none undoes what the other did.
    turning: Arc<Mutex<()>>,
}

pub(super) fn router(caller: Caller, access: Arc<Access>) -> Router {
    let configured = caller.knobs().policies();
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
    let policies = room.caller.knobs().policies();
    let mut calls = Calls {
        targets: room.caller.targets(),
        to: policies.differing().clone(),
        to_configured: room.configured.differing().clone(),
        ..Calls::default()
    };
    for name in Policy::names() {
        let (is, configured) = (policies.get(None, name), room.configured.get(None, name));
        if is != configured {
            calls
                .changed
                .insert(name.to_owned(), configured.unwrap_or_default());
        }
        calls.policy.insert(name.to_owned(), is.unwrap_or_default());
    }
    Json(calls).into_response()
}

/// What is asked of a knob.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    value: Option<String>,
    /// Towards which service.
    to: Option<String>,
}

async fn turn(
    State(room): State<Room>,
    Path(knob): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let done = match asked {
        Ok(Query(asked)) if asked.value.is_some() => {
            room.turn(&knob, &asked, (Method::PUT, &uri, &headers))
                .await
        }
        _ => Err(Error::invalid_argument(
            "the query must be value=VALUE, and may be value=VALUE&to=SERVICE",
        )),
    };
    answer(done, &uri)
}

async fn turn_back(
    State(room): State<Room>,
    Path(knob): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let done = match asked {
        Ok(Query(asked)) if asked.value.is_none() => {
            room.turn(&knob, &asked, (Method::DELETE, &uri, &headers))
                .await
        }
        _ => Err(Error::invalid_argument(
            "there may be no query, or to=SERVICE",
        )),
    };
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
        asked: &Asked,
        (method, uri, headers): (Method, &Uri, &HeaderMap),
    ) -> Result<Turned, Error> {
        let who = self.access.check(&method, uri, headers).await?;
        let outcome = self.set(knob, asked);
        let (what, to) = ("set calls", asked.to.as_deref().unwrap_or("all"));
        match outcome.as_ref().map_err(Error::message) {
            Ok(Turned { was, is, .. }) => {
                tracing::info!(target: AUDIT, %who, what, knob, to, %was, %is, "{what} by {who}");
            }
            Err(outcome) => {
                let value = asked.value.as_deref();
                tracing::info!(target: AUDIT, %who, what, knob, to, value, outcome, "{what} by {who}");
            }
        }
        outcome
    }

    /// Refuses a service that nobody calls here: what is set towards it would do nothing.
    fn is_called(&self, service: &str, policies: &Policies) -> Result<(), Error> {
        let targets = self.caller.targets().into_iter();
        let configured = policies.differing().keys().cloned();
        let mut names: Vec<_> = targets.map(|it| it.service).chain(configured).collect();
        names.sort_unstable();
        names.dedup();
        if names.iter().any(|name| name == service) {
            return Ok(());
        }
        Err(Error::invalid_argument(format!(
            "to: no service {service:?} is called here; there are: {}",
            names.join(", ")
        )))
    }

    fn set(&self, knob: &str, asked: &Asked) -> Result<Turned, Error> {
        let _alone = self.turning.lock();
        let (knobs, to) = (self.caller.knobs(), asked.to.as_deref());
        let before = knobs.policies();
        if let Some(to) = to {
            self.is_called(to, &before)?;
        }
        let configured = match to {
            None => self.configured.get(None, knob),
            Some(service) => {
                let differing = self.configured.differing().get(service);
                differing.and_then(|knobs| knobs.get(knob)).cloned()
            }
        };
        let after = match (&asked.value, configured) {
            (Some(value), _) => before.with(to, knob, value)?,
            // Times and words are texts that are read as they are written.
            (None, Some(Value::String(text))) => before.with(to, knob, &text)?,
            (None, Some(value)) => before.with(to, knob, &value.to_string())?,
            (None, None) => before.without(to, knob)?,
        };
        let turned = Turned {
            knob: knob.to_owned(),
            to: asked.to.clone(),
            was: before.get(to, knob).unwrap_or_default(),
            is: after.get(to, knob).unwrap_or_default(),
        };
        knobs.set_all(after);
        Ok(turned)
    }
}
