//! The remote binding for clients that tonic generated: a service in place of its channel.
//!
//! Calls go where those of [`Remote`](super::Remote) go, by the same policy. What may be repeated is
//! read from descriptors; without any, only what nobody saw is.

mod body;

use super::again::Outcome;
use super::caller::Caller;
use super::choose::{Trial, Want};
use super::exchange::{Call, Failure, is_over, sending};
use super::line::Place;
use super::only;
use super::ready::Ready;
use super::set::Owned;
use super::unary::{Asked, Series, judge};
use super::way::Way;
use crate::contract::Effect;
use crate::is_in_doubt;
use crate::{Streaming, status, wire};
use backlot_core::deadline::{DEFAULT_UNARY, format_grpc_timeout, parse_grpc_timeout};
use backlot_core::discovery::{Instance, InstanceSet};
use backlot_core::{BoxFuture, Context, Deadline, Error};
use backlot_service::tasks::Tasks;
use backlot_service::telemetry::Metrics;
use body::{Answer, Sending};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use h2::RecvStream;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use prost::Message;
use prost_types::FileDescriptorSet;
use prost_types::method_options::IdempotencyLevel;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tonic::Status;
use tonic::metadata::MetadataValue;

/// The metadata of a status that tells of doubt.
pub const IN_DOUBT: &str = "x-in-doubt";
/// Of so many methods it is known how long they take; further ones are as one.
const METHODS: usize = 1000;

/// In place of tonic's channel, under a client that it generated. Clones share connections.
///
/// A call with a timeout (`Request::set_timeout`) has it from end to end, a stream too. One without
/// has to begin to be answered within five seconds, or what [`patience`](Channel::patience) says.
///
/// ```
/// use backlot_core::Env;
/// use backlot_rpc::{Caller, remote::Channel};
/// use backlot_service::{Metrics, Tasks};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let env = Env::real();
/// let caller = Caller::new(&Metrics::new(), &env, &Tasks::new(&env));
/// let channel = Channel::to("greeter", ["127.0.0.1:50051", "127.0.0.1:50052"], &caller);
/// // let client = GreeterClient::new(channel);
/// # drop(channel);
/// # });
/// ```
#[derive(Clone)]
pub struct Channel {
    shared: Arc<Shared>,
    /// By gRPC path.
    effects: Arc<BTreeMap<String, Effect>>,
    patience: Duration,
}

struct Shared {
    way: Way,
    series: Mutex<BTreeMap<String, Arc<Series>>>,
    metrics: Metrics,
    tasks: Tasks,
}

impl Channel {
    /// A way to the instances in `instances`, following every change of them.
    #[must_use]
    pub fn new(target: &str, instances: watch::Receiver<InstanceSet>, caller: &Caller) -> Self {
        Channel {
            shared: Arc::new(Shared {
                way: Way::new(target, instances, caller),
                series: Mutex::default(),
                metrics: caller.metrics.clone(),
                tasks: caller.tasks.clone(),
            }),
            effects: Arc::default(),
            patience: DEFAULT_UNARY,
        }
    }

    /// A way to the instances at these addresses, `host:port`.
    #[must_use]
    pub fn to<A: Into<String>>(
        target: &str,
        addresses: impl IntoIterator<Item = A>,
        caller: &Caller,
    ) -> Self {
        let instances = addresses.into_iter().map(|address| {
            let address = address.into();
            Instance {
                id: address.clone(),
                service: target.to_owned(),
                address,
                version: String::new(),
                metadata: BTreeMap::new(),
            }
        });
        let set = InstanceSet::new(instances.collect());
        // Where nobody tells of changes the last set serves on.
        Channel::new(target, watch::Sender::new(set).subscribe(), caller)
    }

    /// Repeats what this encoded `FileDescriptorSet` says may be repeated (`idempotency_level`).
    ///
    /// # Errors
    /// `InvalidArgument` when it is none.
    pub fn described_by(mut self, descriptors: &[u8]) -> Result<Self, Error> {
        let set = FileDescriptorSet::decode(descriptors).map_err(|error| {
            Error::invalid_argument("the descriptors are malformed").with_source(error)
        })?;
        let mut effects = BTreeMap::new();
        for file in &set.file {
            for service in &file.service {
                let name = match file.package() {
                    "" => service.name().to_owned(),
                    package => format!("{package}.{}", service.name()),
                };
                for method in &service.method {
                    let options = method.options.as_ref();
                    let level = options.map(prost_types::MethodOptions::idempotency_level);
                    let effect = match level {
                        Some(IdempotencyLevel::NoSideEffects) => Effect::Read,
                        Some(IdempotencyLevel::Idempotent) => Effect::Idempotent,
                        Some(IdempotencyLevel::IdempotencyUnknown) | None => Effect::Once,
                    };
                    effects.insert(format!("/{name}/{}", method.name()), effect);
                }
            }
        }
        Arc::make_mut(&mut self.effects).extend(effects);
        Ok(self)
    }

    /// Repeats these methods, by their paths (`/package.Service/Method`), as if their second call
    /// changed nothing more: where the .proto does not say so. Where an attempt that may have been
    /// done is followed by one that was refused, the status says so ([`IN_DOUBT`]).
    #[must_use]
    pub fn repeating<'p>(mut self, paths: impl IntoIterator<Item = &'p str>) -> Self {
        let effects = paths.into_iter();
        let effects = effects.map(|path| (path.to_owned(), Effect::Idempotent));
        Arc::make_mut(&mut self.effects).extend(effects);
        self
    }

    /// How long a call without a timeout may take to begin to be answered.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// What a call is, apart from its body.
struct Head {
    path: PathAndQuery,
    headers: HeaderMap,
    /// Whether it said how long it may take.
    is_timed: bool,
    cx: Context,
    effect: Effect,
}

/// As much of a body as need not be waited for.
enum Asking {
    Whole(Bytes),
    /// What came, and the rest.
    Begun(Bytes, tonic::body::Body),
}

impl Channel {
    async fn asked(
        self,
        request: Request<tonic::body::Body>,
    ) -> Result<Response<tonic::body::Body>, Status> {
        let (parts, body) = request.into_parts();
        let head = self
            .head(parts)
            .map_err(|error| status::from_error(&error))?;
        let most = self.shared.way.knobs.now().retry.replay;
        match gather(body, most)? {
            Asking::Whole(frames) => self.shared.whole(head, frames).await,
            Asking::Begun(first, rest) => self.shared.begun(head, first, rest).await,
        }
    }

    fn head(&self, parts: http::request::Parts) -> Result<Head, Error> {
        let path = parts.uri.path_and_query().cloned();
        let path = path.ok_or_else(|| Error::invalid_argument("a call without a path"))?;
        let mut headers = parts.headers;
        let told = match headers.remove(&wire::GRPC_TIMEOUT) {
            Some(value) => {
                let text = value.to_str().unwrap_or_default();
                Some(parse_grpc_timeout(text)?)
            }
            None => None,
        };
        let failed = headers.remove(&wire::PREVIOUS_ATTEMPTS);
        let failed = failed.and_then(|value| value.to_str().ok()?.parse().ok());
        let deadline = Deadline::after(told.unwrap_or(self.patience));
        let deadline = match told {
            Some(_) => deadline.child(),
            None => deadline,
        };
        let cx = Context::background()
            .with_deadline(deadline)
            .with_attempt(failed.unwrap_or_default());
        let effect = self.effects.get(path.path()).copied();
        Ok(Head {
            path,
            headers,
            is_timed: told.is_some(),
            cx,
            effect: effect.unwrap_or(Effect::Once),
        })
    }
}

impl Shared {
    /// Sends a request that is there as a whole, again where that is safe.
    async fn whole(
        self: Arc<Self>,
        head: Head,
        frames: Bytes,
    ) -> Result<Response<tonic::body::Body>, Status> {
        let series = self.series(&head.path);
        let asked = Asked {
            name: head.path.path(),
            path: head.path.path(),
            effect: head.effect,
            series: &series,
        };
        // What the callee said in its own words, which may hold more than an error does.
        let told: Mutex<Option<Status>> = Mutex::new(None);
        let exchange = |call: Call, attempt: Context| {
            let (path, headers, frames) = (
                head.path.clone(),
                headers_of(&head, &attempt),
                frames.clone(),
            );
            let told = &told;
            async move {
                let answered = ask(call, path, headers, frames).await;
                if let Err(Failure::Told(status)) = &answered {
                    *told.lock() = Some(Status::clone(status));
                }
                answered
            }
        };
        let sent = self
            .way
            .send(asked, &head.cx, (None, &frames), exchange)
            .await;
        let ((response, place), ready) = sent.map_err(|error| {
            let told = told.lock().take();
            let is_same = |status: &Status| {
                i32::from(status.code()) == i32::from(error.code().number())
                    && status.message() == error.message()
            };
            let mut status = told
                .filter(is_same)
                .unwrap_or_else(|| status::from_error(&error));
            if is_in_doubt(&error) {
                let yes = MetadataValue::from_static("true");
                status.metadata_mut().insert(IN_DOUBT, yes);
            }
            status
        })?;
        Ok(answer(&head, response, (place, ready), None))
    }

    /// Sends a request while it comes, once.
    async fn begun(
        self: Arc<Self>,
        head: Head,
        first: Bytes,
        rest: tonic::body::Body,
    ) -> Result<Response<tonic::body::Body>, Status> {
        let want = Want {
            may_try: Trial::Never,
            ..Want::ANY
        };
        let told = |error: Error| status::from_error(&error);
        let failed = |failure: Failure| match failure {
            Failure::Told(status) => *status,
            failure => status::from_error(&failure.error(&self.way.target)),
        };
        let deadline = head.cx.deadline();
        let mut ready = self
            .way
            .endpoints
            .ready(deadline, want)
            .await
            .map_err(told)?;
        let call = only(ready.call()).map_err(failed)?;
        let headers = headers_of(&head, &head.cx);
        let (response, mut body, place) = call.begin(head.path.clone(), headers).map_err(failed)?;
        let target = self.way.target.clone();
        let frames = async_stream::stream! {
            let mut rest = rest;
            yield Ok(first);
            while let Some(frame) = rest.frame().await {
                match frame.map(http_body::Frame::into_data) {
                    Ok(Ok(data)) => yield Ok(data),
                    // A request has no trailers.
                    Ok(Err(_trailers)) => {}
                    Err(status) => {
                        yield Err(status::to_error(&status, &target));
                        break;
                    }
                }
            }
        };
        let (tell, gives_up) = oneshot::channel();
        // It may end long before the answer does, with nothing to tell.
        let mut gives_up = gives_up.fuse();
        let name = format!("request to {}", self.way.target);
        let sending = self.tasks.spawn_endless(name, async move {
            if let Err(error) = sending::all(Streaming::new(frames), &mut body).await {
                body.send_reset(h2::Reason::CANCEL);
                // Nobody may be left to hear it.
                let _told = tell.send(status::from_error(&error));
            }
        });
        let sending = Owned::from(sending);
        let waiting = tokio::time::timeout_at(deadline.instant(), response);
        let answered = tokio::select! {
            biased;
            Ok(own) = &mut gives_up => {
                ready.left();
                return Err(own);
            }
            answered = waiting => answered,
        };
        let answered = match answered {
            Ok(Ok(response)) => {
                let (parts, body) = response.into_parts();
                is_over(&parts).map(|_| Response::from_parts(parts, body))
            }
            Ok(Err(broken)) => Err(Failure::Broken(broken)),
            Err(_elapsed) => Err(Failure::Expired),
        };
        let response = answered.map_err(|failure| {
            let outcome = Outcome::of(&failure);
            let code = match &failure {
                Failure::Told(status) => status::to_error(status, &self.way.target),
                _ => Error::unavailable("it broke"),
            };
            judge(&mut ready, outcome, &code);
            failed(failure)
        })?;
        // How long it takes says as much of its sender as of its callee.
        ready.left();
        let sending = Some((sending, gives_up));
        Ok(answer(&head, response, (place, ready), sending))
    }

    fn series(&self, path: &PathAndQuery) -> Arc<Series> {
        let mut all = self.series.lock();
        let known = all.contains_key(path.path());
        let path = match known || all.len() < METHODS {
            true => path.path(),
            false => "/others/others",
        };
        if let Some(series) = all.get(path) {
            return Arc::clone(series);
        }
        let (service, method) = path
            .trim_start_matches('/')
            .rsplit_once('/')
            .unwrap_or(("", path));
        let series = Series::of(&self.metrics, (service, method), Instant::now());
        let series = Arc::new(series);
        all.insert(path.to_owned(), Arc::clone(&series));
        series
    }
}

/// One attempt: the head of its answer.
async fn ask(
    call: Call,
    path: PathAndQuery,
    headers: HeaderMap,
    frames: Bytes,
) -> Result<(Response<RecvStream>, Place), Failure> {
    let (response, mut body, place) = call.begin(path, headers)?;
    body.send_data(frames, true).map_err(Failure::Unsent)?;
    let response = response.await.map_err(Failure::Broken)?;
    let (parts, body) = response.into_parts();
    is_over(&parts)?;
    Ok((Response::from_parts(parts, body), place))
}

fn headers_of(head: &Head, attempt: &Context) -> HeaderMap {
    let mut headers = head.headers.clone();
    if head.is_timed {
        let left = format_grpc_timeout(attempt.deadline().remaining());
        if let Ok(left) = HeaderValue::try_from(left) {
            headers.insert(wire::GRPC_TIMEOUT, left);
        }
    }
    if attempt.attempt() > 0 {
        headers.insert(wire::PREVIOUS_ATTEMPTS, attempt.attempt().into());
    }
    headers
}

fn answer(
    head: &Head,
    response: Response<RecvStream>,
    kept: (Place, Ready),
    sending: Option<Sending>,
) -> Response<tonic::body::Body> {
    let deadline = head.is_timed.then(|| head.cx.deadline());
    let went_well = response.headers().contains_key(Status::GRPC_STATUS);
    response
        .map(|body| tonic::body::Body::new(Answer::new(body, deadline, kept, sending, went_well)))
}

/// Takes what there is of a body: all of it, if that is so much at most or one frame. A request of
/// one message is there at once.
fn gather(mut body: tonic::body::Body, most: usize) -> Result<Asking, Status> {
    let mut all = BytesMut::new();
    loop {
        let Some(next) = body.frame().now_or_never() else {
            return Ok(Asking::Begun(all.freeze(), body));
        };
        match next.transpose()?.map(http_body::Frame::into_data) {
            None => return Ok(Asking::Whole(all.freeze())),
            Some(Ok(data)) => {
                let is_full = all.len() > most;
                all.extend_from_slice(&data);
                if is_full {
                    return Ok(Asking::Begun(all.freeze(), body));
                }
            }
            Some(Err(_trailers)) => {}
        }
    }
}

impl tower_service::Service<Request<tonic::body::Body>> for Channel {
    type Response = Response<tonic::body::Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _cx: &mut std::task::Context<'_>) -> Poll<Result<(), Status>> {
        // Each call waits for an instance by itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        Box::pin(self.clone().asked(request))
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Channel")
            .field(&self.shared.way.target)
            .finish()
    }
}
