//! The remote binding: gRPC to the instances of a service.
//!
//! Connections are opened ahead of traffic and kept; the balancer chooses where a call
//! goes. With instances known but none reachable a call fails at once, so that the caller can
//! answer without it; while the first connection is being made it waits. A call with one request and
//! one answer that fails is made again, at another instance if there is one, as far as that
//! is safe and the budget allows.

mod again;
mod budget;
mod caller;
mod channel;
mod choose;
mod counts;
mod endpoint;
mod exchange;
mod latency;
mod line;
mod load;
mod ready;
mod ring;
mod set;
mod standing;
mod subset;
mod throttle;
mod unary;
pub mod view;
mod way;
mod window;

pub use caller::{Caller, ZONE};
pub use channel::{Channel, IN_DOUBT};
pub use counts::{EJECTED, ENDPOINTS};
pub use unary::{NOT_SENT, REPEATED};

use crate::binding::child;
use crate::contract::{Method, Service, Shape};
use crate::mount::{Payload, Reply};
use crate::{Streaming, frame, wire};
use again::Outcome;
use backlot_core::discovery::InstanceSet;
use backlot_core::{Context, Error};
use backlot_service::telemetry::{CallMetrics, Side};
use bytes::Bytes;
use choose::{Trial, Want};
use exchange::{Answer, Call, Failure};
use futures_util::StreamExt;
use http::uri::PathAndQuery;
use set::Held;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;
use unary::{Asked, Series};
use way::Way;

/// The way to a service of other processes. Clones share its connections.
#[derive(Clone)]
pub struct Remote(Arc<Shared>);

struct Shared {
    service: &'static Service,
    way: Way,
    paths: Vec<PathAndQuery>,
    metrics: Vec<CallMetrics>,
    unary: Vec<Series>,
}

impl Remote {
    /// A way to the instances in `instances`, following every change of them.
    #[must_use]
    pub fn new(
        service: &'static Service,
        target: &str,
        instances: watch::Receiver<InstanceSet>,
        caller: &Caller,
    ) -> Self {
        let now = Instant::now();
        let metrics = &caller.metrics;
        Remote(Arc::new(Shared {
            service,
            way: Way::new(target, instances, caller),
            paths: service
                .methods
                .iter()
                .map(|method| PathAndQuery::from_static(method.path))
                .collect(),
            metrics: service
                .methods
                .iter()
                .map(|method| {
                    CallMetrics::new(metrics, method.service, method.name, Side::Client, "grpc")
                })
                .collect(),
            unary: service
                .methods
                .iter()
                .map(|method| Series::of(metrics, (method.service, method.name), now))
                .collect(),
        }))
    }

    pub(crate) async fn unary<Req: Payload, Res: Payload>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Req,
    ) -> Result<Res, Error> {
        self.observed(method, async {
            let affinity = cx.affinity();
            let cx = child(cx, method, &self.0.way.target, &self.0.way.dice)?;
            let frame = frame::encode(&request)?;
            let message = self.send(method, &cx, affinity, frame).await?;
            self.decode(message)
        })
        .await
    }

    pub(crate) async fn client_stream<Req: Payload, Res: Payload>(
        &self,
        method: &'static Method,
        cx: &Context,
        requests: Streaming<Req>,
    ) -> Result<Res, Error> {
        let frames = requests.map(|request| frame::encode(&request?));
        self.observed(method, async {
            let message = self.converse(method, cx, Streaming::new(frames)).await?;
            self.decode(message)
        })
        .await
    }

    /// Counts a call with one answer and how long it takes.
    async fn observed<T>(
        &self,
        method: &'static Method,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let running = self.0.metrics.get(method.index).map(CallMetrics::enter);
        let outcome = call.await;
        if let Some(running) = &running {
            let took = Instant::now().saturating_duration_since(started);
            running
                .metrics()
                .record(outcome.as_ref().map(drop).map_err(Error::code), took);
        }
        outcome
    }

    pub(crate) async fn server_stream<Req: Payload, Res: Payload>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Req,
    ) -> Result<Streaming<Res>, Error> {
        let cx = child(cx, method, &self.0.way.target, &self.0.way.dice)?;
        let frame = frame::encode(&request)?;
        let answers = self.open(method, &cx, frame).await?;
        let remote = self.clone();
        Ok(Streaming::new(answers.map(move |answer| {
            answer.and_then(|message| remote.decode(message))
        })))
    }

    /// Calls a method with an encoded message: for callers that know the contract by name only.
    ///
    /// # Errors
    /// What the service answers; `Unavailable` when it cannot be reached.
    pub async fn encoded(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Bytes,
    ) -> Result<Reply, Error> {
        let affinity = cx.affinity();
        let cx = child(cx, method, &self.0.way.target, &self.0.way.dice)?;
        let frame = frame::wrap(&request)?;
        match method.shape {
            Shape::ServerStream => Ok(Reply::Stream(self.open(method, &cx, frame).await?)),
            Shape::Unary | Shape::ClientStream => {
                let answer = self.send(method, &cx, affinity, frame).await?;
                Ok(Reply::One(answer))
            }
        }
    }

    /// Calls a method that takes a stream of requests with encoded messages; its one answer, still
    /// encoded.
    ///
    /// # Errors
    /// As [`Remote::encoded`]; the first error of `requests`.
    pub async fn encoded_stream(
        &self,
        method: &'static Method,
        cx: &Context,
        requests: Streaming<Bytes>,
    ) -> Result<Bytes, Error> {
        let frames = requests.map(|request| frame::wrap(&request?));
        self.converse(method, cx, Streaming::new(frames)).await
    }

    /// Sends a request until it is answered, or is not to be sent again; its one answer.
    async fn send(
        &self,
        method: &'static Method,
        cx: &Context,
        affinity: Option<u64>,
        frame: Bytes,
    ) -> Result<Bytes, Error> {
        let path = &self.0.paths[method.index];
        let asked = Asked {
            name: method.name,
            path: method.path,
            effect: method.effect,
            series: &self.0.unary[method.index],
        };
        let exchange = |call: Call, attempt: Context| {
            let (path, frame) = (path.clone(), frame.clone());
            async move {
                let answer = call.send(path, wire::write(&attempt), frame).await?;
                answer.one().await
            }
        };
        let sent = self.0.way.send(asked, cx, (affinity, &frame), exchange);
        Ok(sent.await?.0)
    }

    /// Sends framed requests to the next instance until it answers.
    async fn converse(
        &self,
        method: &'static Method,
        cx: &Context,
        frames: Streaming<Bytes>,
    ) -> Result<Bytes, Error> {
        let cx = child(cx, method, &self.0.way.target, &self.0.way.dice)?;
        let conversation = async {
            let want = Want {
                may_try: Trial::Never,
                ..Want::ANY
            };
            let mut ready = self.0.way.endpoints.ready(cx.deadline(), want).await?;
            let path = self.0.paths[method.index].clone();
            // How long it takes says as much of its sender as of its callee.
            ready.left();
            let conversing = async {
                let call = only(ready.call())?;
                call.converse(path, wire::write(&cx), frames).await
            };
            conversing.await.map_err(|failure| self.failed(failure))
        };
        cx.deadline().run(conversation).await
    }

    /// Starts a call whose answers come until the deadline.
    async fn open(
        &self,
        method: &'static Method,
        cx: &Context,
        frame: Bytes,
    ) -> Result<Streaming<Bytes>, Error> {
        let deadline = cx.deadline();
        let (mut answer, held) = deadline.run(self.ask(method, cx, frame)).await?;
        let remote = self.clone();
        Ok(Streaming::new(async_stream::stream! {
            let _held = held;
            loop {
                match tokio::time::timeout_at(deadline.instant(), answer.next()).await {
                    Ok(Ok(Some(message))) => yield Ok(message),
                    Ok(Ok(None)) => break,
                    Ok(Err(failure)) => {
                        yield Err(remote.failed(failure));
                        break;
                    }
                    Err(_elapsed) => {
                        yield Err(Error::deadline_exceeded("the stream reached its deadline: reconnect"));
                        break;
                    }
                }
            }
        }))
    }

    /// Sends a request to the next instance; its answer has begun.
    async fn ask(
        &self,
        method: &'static Method,
        cx: &Context,
        frame: Bytes,
    ) -> Result<(Answer, Held), Error> {
        let mut ready = self.0.way.endpoints.ready(cx.deadline(), Want::ANY).await?;
        let path = self.0.paths[method.index].clone();
        let asking = async {
            let call = only(ready.call())?;
            call.send(path, wire::write(cx), frame).await
        };
        match asking.await {
            Ok(answer) => {
                ready.ended(false, None);
                Ok((answer, ready.held()))
            }
            Err(failure) => {
                let outcome = Outcome::of(&failure);
                let error = self.failed(failure);
                unary::judge(&mut ready, outcome, &error);
                Err(error)
            }
        }
    }

    fn decode<Res: Payload>(&self, message: Bytes) -> Result<Res, Error> {
        Res::decode(message).map_err(|error| {
            Error::internal(format!("the answer of {} is malformed", self.0.way.target))
                .with_source(error)
        })
    }

    fn failed(&self, failure: Failure) -> Error {
        failure.error(&self.0.way.target)
    }
}

/// A way is made for one call.
fn only(call: Option<Call>) -> Result<Call, Failure> {
    call.ok_or_else(|| Failure::Malformed(Error::internal("a way was used twice")))
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Remote")
            .field(&self.0.service.name)
            .field(&self.0.way.target)
            .finish()
    }
}

#[cfg(test)]
mod tests;
