//! The semantic policies: what every call runs under, whichever binding it came through.
//!
//! In this order: deadline, the end of the caller's token, validation, idempotency fingerprint, the
//! handler (until the deadline), metrics, one log line for a failure that is the server's fault.
//! Identity is checked before, at the edge ([`crate::edge`]); access after, by the controller
//! ([`Context::allow`]).
//!
//! A stream of requests is checked message by message as the handler takes it. What is wrong with
//! it is the handler's next item, and the outcome of the call whatever the handler makes of it. A
//! key that comes with a stream reaches the handler without a fingerprint: the payload is not known
//! when the handler begins, so whether a repeated key comes with the same payload is not checked.

mod answers;
mod recording;
mod requests;

use crate::contract::{Effect, Method, Service};
use crate::identity::expired;
use crate::mount::{ClientStreamCall, Payload, StreamCall, UnaryCall};
use crate::{Streaming, Violations};
use backlot_core::deadline::MAX_UNARY;
use backlot_core::env::Shutdown;
use backlot_core::{Clock, Context, Deadline, Env, Error, Idempotency, Principal, idempotency};
use backlot_service::telemetry::{CallMetrics, Metrics, Side};
use recording::Recording;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// The longest a stream lives before its caller has to reconnect.
pub const MAX_STREAM: Duration = Duration::from_secs(3600);

/// The longest a handler waits for the next message of a stream of requests, unless its guard says
/// otherwise.
pub const MAX_SILENCE: Duration = Duration::from_secs(60);

/// The longest message of an error, in bytes; callers on every binding see no more.
pub const MAX_ERROR_MESSAGE: usize = 4 * 1024;

/// Which way a call came in: a label of its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// From the same process.
    Direct,
    /// Over gRPC.
    Grpc,
    /// Over REST.
    Rest,
}

impl Via {
    const fn name(self) -> &'static str {
        match self {
            Via::Direct => "direct",
            Via::Grpc => "grpc",
            Via::Rest => "rest",
        }
    }
}

/// The semantic policies of one service, with their state.
#[derive(Debug)]
pub struct Guard {
    observed: Option<Observed>,
    clock: Clock,
    shutdown: Shutdown,
    silence: Duration,
}

#[derive(Debug)]
struct Observed {
    metrics: Metrics,
    /// By method and by [`Via`], made at the first call: most methods are called one way only.
    calls: Vec<[OnceLock<CallMetrics>; 3]>,
}

impl Guard {
    /// Policies that count into `metrics`, go by the clock of `env` and end streams when its
    /// shutdown starts to drain.
    #[must_use]
    pub fn new(service: &'static Service, metrics: &Metrics, env: &Env) -> Self {
        let calls = service.methods.iter().map(|_| Default::default()).collect();
        Guard {
            observed: Some(Observed {
                metrics: metrics.clone(),
                calls,
            }),
            clock: env.clock.clone(),
            shutdown: env.shutdown.clone(),
            silence: MAX_SILENCE,
        }
    }

    /// The same policies, under which a sender of many requests may be silent for so long between two
    /// of them: [`MAX_SILENCE`] unless told otherwise.
    #[must_use]
    pub fn with_silence(mut self, most: Duration) -> Self {
        self.silence = most;
        self
    }

    /// Policies that nobody watches: for tests and for layers used alone.
    #[must_use]
    pub fn unobserved() -> Self {
        Guard {
            observed: None,
            clock: Clock::real(),
            shutdown: Shutdown::new(),
            silence: MAX_SILENCE,
        }
    }

    fn start(&self, method: &'static Method, via: Via, started: Instant) -> Recording {
        let running = self.observed.as_ref().and_then(|observed| {
            let cell = observed.calls.get(method.index)?.get(via as usize)?;
            let new = || {
                CallMetrics::new(
                    &observed.metrics,
                    method.service,
                    method.name,
                    Side::Server,
                    via.name(),
                )
            };
            Some(cell.get_or_init(new).enter())
        });
        Recording::new(running, started)
    }

    /// Runs a unary call.
    ///
    /// # Errors
    /// `DeadlineExceeded` at the deadline; `InvalidArgument` for an invalid request; what the
    /// handler answers.
    pub async fn unary<S: ?Sized, Req: Payload, Res>(
        &self,
        method: &'static Method,
        via: Via,
        cx: &Context,
        request: Req,
        service: &S,
        call: UnaryCall<S, Req, Res>,
    ) -> Result<Res, Error> {
        let started = Instant::now();
        let recording = self.start(method, via, started);
        let deadline = cx.deadline().min(Deadline::at(started + MAX_UNARY));
        let outcome = async {
            let cx = self.admit(method, via, cx, &request, deadline, started)?;
            deadline.run(call(service, &cx, request)).await
        }
        .await
        .map_err(bounded);
        recording.finish(method, outcome.as_ref().err(), cx);
        outcome
    }

    /// Starts a stream. It ends with `DeadlineExceeded` at its deadline and with `Unavailable`
    /// (reconnect) when the process drains.
    ///
    /// # Errors
    /// As [`Guard::unary`].
    pub async fn server_stream<S: ?Sized, Req: Payload, Res: Send + 'static>(
        &self,
        method: &'static Method,
        via: Via,
        cx: &Context,
        request: Req,
        service: &S,
        call: StreamCall<S, Req, Res>,
    ) -> Result<Streaming<Res>, Error> {
        let started = Instant::now();
        let recording = self.start(method, via, started);
        let deadline = cx.deadline().min(Deadline::at(started + MAX_STREAM));
        let outcome = async {
            let cx = self.admit(method, via, cx, &request, deadline, started)?;
            deadline.run(call(service, &cx, request)).await
        }
        .await
        .map_err(bounded);
        recording.finish(method, outcome.as_ref().err(), cx);
        outcome.map(|stream| answers::until(stream, deadline, self.shutdown.clone()))
    }

    /// Runs a call whose requests come as a stream. It lives as long as a stream of answers may, each
    /// message within the time a sender may be silent; a process that drains ends it with
    /// `Unavailable`.
    ///
    /// # Errors
    /// As [`Guard::unary`]; the first error of `requests`, whatever the handler made of it.
    pub async fn client_stream<S: ?Sized, Req: Payload, Res>(
        &self,
        method: &'static Method,
        via: Via,
        cx: &Context,
        requests: Streaming<Req>,
        service: &S,
        call: ClientStreamCall<S, Req, Res>,
    ) -> Result<Res, Error> {
        let started = Instant::now();
        let recording = self.start(method, via, started);
        let deadline = cx.deadline().min(Deadline::at(started + MAX_STREAM));
        let outcome = async {
            let cx = self.enter(via, cx, deadline, started)?;
            let cx = keyed(method, cx, || 0);
            let (requests, refusal) =
                requests::checked(requests, via, self.silence, self.shutdown.clone());
            let outcome = deadline.run(call(service, &cx, requests)).await;
            refusal.take().map_or(outcome, Err)
        }
        .await
        .map_err(bounded);
        recording.finish(method, outcome.as_ref().err(), cx);
        outcome
    }

    /// What is checked before the handler runs; the context it then runs in.
    fn admit<Req: Payload>(
        &self,
        method: &'static Method,
        via: Via,
        cx: &Context,
        request: &Req,
        deadline: Deadline,
        now: Instant,
    ) -> Result<Context, Error> {
        let cx = self.enter(via, cx, deadline, now)?;
        Violations::check(request)?;
        Ok(keyed(method, cx, || {
            idempotency::fingerprint(&request.encode_to_vec())
        }))
    }

    /// What is checked before anything of the request is looked at.
    fn enter(
        &self,
        via: Via,
        cx: &Context,
        deadline: Deadline,
        now: Instant,
    ) -> Result<Context, Error> {
        if deadline.instant() <= now {
            return Err(Error::deadline_exceeded(
                "the deadline had passed before the call arrived",
            ));
        }
        // The edge has looked at the token of a call that came from outside just now.
        if via == Via::Direct
            && let Principal::User(user) = cx.principal()
            && user.has_expired(self.clock.wall())
        {
            return Err(expired());
        }
        Ok(cx.clone().with_deadline(deadline))
    }
}

/// The key of a write with what it came with; a read has none.
fn keyed(method: &'static Method, cx: Context, fingerprint: impl FnOnce() -> u64) -> Context {
    let Some(idempotency) = cx.idempotency() else {
        return cx;
    };
    if method.effect == Effect::Read {
        return cx.with_idempotency(None);
    }
    let seen = Idempotency {
        key: idempotency.key.clone(),
        method: method.path,
        fingerprint: fingerprint(),
    };
    cx.with_idempotency(Some(Arc::new(seen)))
}

fn stopping() -> Error {
    Error::unavailable("this instance is stopping: reconnect").with_pushback(Duration::ZERO)
}

fn bounded(error: Error) -> Error {
    error.with_message_at_most(MAX_ERROR_MESSAGE)
}
