//! The remote binding: gRPC to the instances of a service.
//!
//! Connections are opened ahead of traffic and kept; a call goes to the less busy of two ready
//! instances. With instances known but none reachable a call fails at once, so that the caller can
//! answer without it; while the first connection is being made it waits. A call with one request and
//! one answer that fails is made again, at another instance if there is one, as far as that
//! is safe and the budget allows.

mod again;
mod budget;
mod endpoint;
mod exchange;
mod load;
mod set;

use crate::binding::child;
use crate::contract::{Method, Service, Shape};
use crate::mount::{Payload, Reply};
use crate::{Streaming, frame, wire};
use again::{Again, Attempts};
use backlot_core::discovery::InstanceSet;
use backlot_core::{Context, Env, Error};
use backlot_service::tasks::Tasks;
use backlot_service::telemetry::{CallMetrics, Count, Counter, Metrics, Side};
use budget::Budget;
use bytes::Bytes;
use exchange::{Answer, Call, Failure};
use futures_util::StreamExt;
use http::uri::PathAndQuery;
use set::{EndpointSet, Held, Ready};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

/// The way to a service of other processes. Clones share its connections.
#[derive(Clone)]
pub struct Remote(Arc<Shared>);

struct Shared {
    service: &'static Service,
    target: String,
    endpoints: EndpointSet,
    paths: Vec<PathAndQuery>,
    metrics: Vec<CallMetrics>,
    repeated: Vec<Repeated>,
    budget: Budget,
    dice: backlot_core::Dice,
}

/// Calls made again, by what became of the wish.
pub const REPEATED: Counter<3> = Counter::new(
    "backlot_call_repetitions_total",
    "calls made again after they failed: made, refused (by the callee, which never saw it), over budget",
    ["service", "method", "outcome"],
);

/// The series of one method.
struct Repeated {
    made: Count,
    refused: Count,
    over_budget: Count,
}

impl Repeated {
    fn of(metrics: &Metrics, method: &Method) -> Self {
        let counted = |outcome| metrics.counter(&REPEATED, [method.service, method.name, outcome]);
        Repeated {
            made: counted("made"),
            refused: counted("refused"),
            over_budget: counted("over budget"),
        }
    }
}

impl Remote {
    /// A way to the instances in `instances`, following every change of them.
    #[must_use]
    pub fn new(
        service: &'static Service,
        target: &str,
        instances: watch::Receiver<InstanceSet>,
        metrics: &Metrics,
        env: &Env,
        tasks: &Tasks,
    ) -> Self {
        Remote(Arc::new(Shared {
            service,
            target: target.to_owned(),
            endpoints: EndpointSet::new(target, instances, env, tasks),
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
            repeated: service
                .methods
                .iter()
                .map(|method| Repeated::of(metrics, method))
                .collect(),
            budget: Budget::new(Instant::now()),
            dice: env.dice.branch(target),
        }))
    }

    pub(crate) async fn unary<Req: Payload, Res: Payload>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Req,
    ) -> Result<Res, Error> {
        self.observed(method, async {
            // A key that the caller did not give is this call's own: nobody knows that it is kept.
            let callers = cx;
            let cx = child(cx, method, &self.0.target, &self.0.dice)?;
            let frame = frame::encode(&request)?;
            let attempts = Attempts::new(method, callers, frame.len());
            let calling = self.send(method, &cx, frame, attempts);
            let message = cx.deadline().run(calling).await?;
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

    /// Sends a request until it is answered, or is not to be sent again.
    async fn send(
        &self,
        method: &'static Method,
        cx: &Context,
        frame: Bytes,
        mut attempts: Attempts,
    ) -> Result<Bytes, Error> {
        let shared = &self.0;
        shared.budget.called(Instant::now());
        let repeated = &shared.repeated[method.index];
        // Where the last attempt went, and what came of it.
        let mut before: Option<(String, Error)> = None;
        loop {
            let avoid = before.as_ref().map(|(address, _)| address.as_str());
            let mut ready = match shared.endpoints.ready(cx.deadline(), avoid).await {
                Ok(ready) => ready,
                // That nobody can be reached now does not undo an attempt.
                Err(nobody) => return Err(before.map_or(nobody, |(_, error)| error)),
            };
            let address = ready.address().to_owned();
            let attempt = cx.clone().with_attempt(cx.attempt() + attempts.failed());
            let failure = match self.one(method, &attempt, frame.clone(), &mut ready).await {
                Ok(message) => {
                    ready.ended(false);
                    return Ok(message);
                }
                Err(failure) => failure,
            };
            let was_refused = again::was_refused(&failure);
            let error = self.failed(failure);
            judge(&mut ready, &error);
            drop(ready);
            let left = cx.deadline().remaining();
            match attempts.after(was_refused, &error, left, &shared.dice) {
                Again::No => return Err(error),
                Again::AtOnce => repeated.refused.inc(),
                Again::After(wait) => {
                    if !shared.budget.take(Instant::now()) {
                        repeated.over_budget.inc();
                        return Err(error);
                    }
                    repeated.made.inc();
                    tracing::debug!(
                        target = shared.target, method = method.name, address, ?wait, error = %error.chain(),
                        "a call is made again"
                    );
                    tokio::time::sleep(wait).await;
                }
            }
            before = Some((address, error));
        }
    }

    pub(crate) async fn server_stream<Req: Payload, Res: Payload>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Req,
    ) -> Result<Streaming<Res>, Error> {
        let cx = child(cx, method, &self.0.target, &self.0.dice)?;
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
        let cx = child(cx, method, &self.0.target, &self.0.dice)?;
        let mut answers = self.open(method, &cx, frame::wrap(&request)?).await?;
        if method.shape == Shape::ServerStream {
            return Ok(Reply::Stream(answers));
        }
        let answer = answers.next().await.transpose()?;
        answer
            .map(Reply::One)
            .ok_or_else(|| Error::internal(format!("{} answered nothing", self.0.target)))
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

    /// Sends a request over this connection; its one answer.
    async fn one(
        &self,
        method: &'static Method,
        cx: &Context,
        frame: Bytes,
        ready: &mut Ready,
    ) -> Result<Bytes, Failure> {
        let path = self.0.paths[method.index].clone();
        let call = only(ready.call())?;
        let answer = call.send(path, wire::write(cx), frame).await?;
        answer.one().await
    }

    /// Sends framed requests to the next instance until it answers.
    async fn converse(
        &self,
        method: &'static Method,
        cx: &Context,
        frames: Streaming<Bytes>,
    ) -> Result<Bytes, Error> {
        let cx = child(cx, method, &self.0.target, &self.0.dice)?;
        let conversation = async {
            let mut ready = self.0.endpoints.ready(cx.deadline(), None).await?;
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
        let mut ready = self.0.endpoints.ready(cx.deadline(), None).await?;
        let path = self.0.paths[method.index].clone();
        let asking = async {
            let call = only(ready.call())?;
            call.send(path, wire::write(cx), frame).await
        };
        match asking.await {
            Ok(answer) => {
                ready.ended(false);
                Ok((answer, ready.held()))
            }
            Err(failure) => {
                let error = self.failed(failure);
                judge(&mut ready, &error);
                Err(error)
            }
        }
    }

    fn decode<Res: Payload>(&self, message: Bytes) -> Result<Res, Error> {
        Res::decode(message).map_err(|error| {
            Error::internal(format!("the answer of {} is malformed", self.0.target))
                .with_source(error)
        })
    }

    fn failed(&self, failure: Failure) -> Error {
        failure.error(&self.0.target)
    }
}

/// What a failure says of the instance.
fn judge(ready: &mut Ready, error: &Error) {
    match again::is_refusal(error.code()) {
        true => ready.left(),
        false => ready.ended(again::is_sick(error.code())),
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
            .field(&self.0.target)
            .finish()
    }
}

#[cfg(test)]
mod tests;
