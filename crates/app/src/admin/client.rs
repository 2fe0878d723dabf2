//! How an instance's port for operators is asked.

use super::access::pass;
use super::calls::{Calls, Turned};
use super::panels::Panel;
use backlot_cache::Report;
use backlot_cluster::http1::{Http, HttpError, Reply, segment};
use backlot_core::discovery::Instance;
use backlot_core::net::Network;
use backlot_core::{Clock, Code, Error};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The most caches that an instance is believed to have.
const MAX_CACHES: usize = 64;
/// The most panels.
const MAX_PANELS: usize = 8;
/// Under what an instance announces where it answers its operators.
pub(crate) const ADDRESS: &str = "admin";
/// Under what it announces the names of its caches.
pub(crate) const CACHES: &str = "caches";
/// Under what it announces the names of its panels.
pub(crate) const PANELS: &str = "panels";
/// Under what it announces that it calls others.
pub(crate) const CALLS: &str = "calls";

/// How an instance is, by its own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It takes calls.
    Ready,
    /// It takes calls, and something it can do without is not there.
    Degraded(String),
    /// It takes none.
    NotReady(String),
    /// It does not answer its operator.
    Silent,
    /// It does not say where it answers its operator.
    Unknown,
}

/// A client of one instance's port for operators. It keeps a connection.
#[derive(Debug)]
pub struct Client {
    http: Http,
    address: String,
    pass: Option<Pass>,
}

/// What passes are made with.
#[derive(Clone)]
pub struct Pass {
    secret: [u8; 32],
    clock: Clock,
}

impl Pass {
    /// Passes made with the secret of the system's operators.
    #[must_use]
    pub fn new(secret: [u8; 32], clock: Clock) -> Self {
        Pass { secret, clock }
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass(***)")
    }
}

#[derive(Deserialize)]
struct Reports {
    caches: Vec<Report>,
}

#[derive(Deserialize)]
struct Forgotten {
    forgotten: u64,
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Client {
    /// A client of this address, for whoever knows the secret of the system's operators.
    #[must_use]
    pub fn new(net: Arc<dyn Network>, address: &str, pass: Pass) -> Self {
        Client {
            pass: Some(pass),
            ..Client::nobody(net, address)
        }
    }

    /// A client for anybody, who is told how an instance is and how its caches do.
    #[must_use]
    pub(crate) fn nobody(net: Arc<dyn Network>, address: &str) -> Self {
        Client {
            http: Http::new(net, address),
            address: address.to_owned(),
            pass: None,
        }
    }

    /// A client for whoever has this token.
    ///
    /// # Errors
    /// `InvalidArgument` when it cannot be one.
    pub fn with_token(net: Arc<dyn Network>, address: &str, token: &str) -> Result<Self, Error> {
        let mut client = Client::nobody(net, address);
        let shown = client.http.show(token.trim());
        shown.map_err(|_| Error::invalid_argument("token: this is no token"))?;
        Ok(client)
    }

    /// How the instance is.
    pub async fn health(&mut self, limit: Duration) -> Health {
        let asked = self.http.exchange(Method::GET, "/ready", Vec::new(), limit);
        let Ok(answer) = asked.await else {
            return Health::Silent;
        };
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let degraded: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("degraded: "))
            .collect();
        match answer.status {
            StatusCode::OK if degraded.is_empty() => Health::Ready,
            StatusCode::OK => Health::Degraded(degraded.join("; ")),
            _ if degraded.is_empty() => Health::NotReady("it says nothing more".to_owned()),
            _ => Health::NotReady(degraded.join("; ")),
        }
    }

    /// How its caches do.
    ///
    /// # Errors
    /// `Unavailable` when it does not answer, `Internal` when that is no answer.
    pub async fn caches(&mut self, limit: Duration) -> Result<Vec<Report>, Error> {
        let asked = self.ask::<Reports>(Method::GET, "/caches", limit);
        let mut caches = asked.await?.caches;
        caches.truncate(MAX_CACHES);
        Ok(caches)
    }

    /// Has a cache forget the value of a key, or all; how many it forgot.
    ///
    /// # Errors
    /// As [`caches`](Client::caches), and what the instance says: `NotFound` for a cache that it
    /// does not have, `InvalidArgument` for what is no key of it.
    pub async fn forget(
        &mut self,
        cache: &str,
        key: Option<&str>,
        limit: Duration,
    ) -> Result<u64, Error> {
        let key = key.map(|key| format!("?key={}", segment(key)));
        let path = format!("/caches/{}{}", segment(cache), key.unwrap_or_default());
        self.show_pass(&Method::DELETE, &path)?;
        let asked = self.ask::<Forgotten>(Method::DELETE, &path, limit);
        Ok(asked.await?.forgotten)
    }

    /// Whom it calls, how those look to it, and by which policy.
    ///
    /// # Errors
    /// As [`caches`](Client::caches); `NotFound` when it calls nobody over the network.
    pub async fn calls(&mut self, limit: Duration) -> Result<Calls, Error> {
        let calls = self.ask::<Calls>(Method::GET, "/calls", limit).await?;
        Ok(calls.bounded())
    }

    /// Sets a knob of that policy, for all or towards one service, to the configuration's value
    /// where none is given.
    ///
    /// # Errors
    /// As [`calls`](Client::calls); `InvalidArgument` when there is no such knob, or the value does
    /// not fit.
    pub async fn turn(
        &mut self,
        (knob, to): (&str, Option<&str>),
        value: Option<&str>,
        limit: Duration,
    ) -> Result<Turned, Error> {
        let method = match value {
            Some(_) => Method::PUT,
            None => Method::DELETE,
        };
        let asked = [("value", value), ("to", to)];
        let asked = asked.into_iter().filter_map(|(name, value)| {
            let value = segment(value?);
            Some(format!("{name}={value}"))
        });
        let asked = asked.collect::<Vec<_>>().join("&");
        let path = format!("/calls/{}?{asked}", segment(knob));
        let path = path.trim_end_matches('?').to_owned();
        self.show_pass(&method, &path)?;
        self.ask::<Turned>(method, &path, limit).await
    }

    /// One of its panels.
    ///
    /// # Errors
    /// As [`caches`](Client::caches), and what the instance says.
    pub async fn panel(&mut self, name: &str, limit: Duration) -> Result<Panel, Error> {
        let path = format!("/panels/{}", segment(name));
        self.show_pass(&Method::GET, &path)?;
        let panel = self.ask::<Panel>(Method::GET, &path, limit).await?;
        Ok(panel.bounded())
    }

    /// Has the next request show a pass, if there is something to make one with.
    fn show_pass(&mut self, method: &Method, path: &str) -> Result<(), Error> {
        if let Some(Pass { secret, clock }) = &self.pass {
            let pass = pass(secret, &self.address, (method, path), clock.wall());
            self.http.show(&pass).map_err(silent)?;
        }
        Ok(())
    }

    async fn ask<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        limit: Duration,
    ) -> Result<T, Error> {
        let asked = self.http.exchange(method, path, Vec::new(), limit).await;
        let reply = asked.map_err(silent)?;
        if !reply.status.is_success() {
            return Err(problem(&reply));
        }
        serde_json::from_slice(&reply.body)
            .map_err(|error| Error::internal("the instance's answer is none").with_source(error))
    }
}

fn silent(error: HttpError) -> Error {
    Error::unavailable("the instance does not answer its operators").with_source(error)
}

fn problem(reply: &Reply) -> Error {
    let told = serde_json::from_slice::<Problem>(&reply.body);
    let detail = told.map_or_else(|_| format!("it answers {}", reply.status), |it| it.detail);
    let code = match reply.status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::BAD_REQUEST => Code::InvalidArgument,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::Internal,
    };
    Error::new(code, detail)
}

/// Where an instance answers its operators, if it announced that.
#[must_use]
pub fn address(instance: &Instance) -> Option<&str> {
    instance.metadata.get(ADDRESS).map(String::as_str)
}

/// The caches that an instance announced.
pub fn caches(instance: &Instance) -> impl Iterator<Item = &str> {
    announced(instance, CACHES).take(MAX_CACHES)
}

/// Whether an instance announced caches.
#[must_use]
pub fn has_caches(instance: &Instance) -> bool {
    instance.metadata.contains_key(CACHES)
}

/// Whether an instance announced that it calls others over the network.
#[must_use]
pub fn makes_calls(instance: &Instance) -> bool {
    instance.metadata.contains_key(CALLS)
}

/// The panels that an instance announced.
pub fn panels(instance: &Instance) -> impl Iterator<Item = &str> {
    announced(instance, PANELS).take(MAX_PANELS)
}

fn announced<'i>(instance: &'i Instance, what: &str) -> impl Iterator<Item = &'i str> {
    let names = instance.metadata.get(what);
    names.into_iter().flat_map(|names| names.split(','))
}
