//! The remote binding: gRPC to the instances of a service.
//!
//! Connections are opened ahead of traffic and kept; a call goes to the next ready instance in
//! turn. With instances known but none reachable a call fails at once, so that the caller can
//! answer without it; while the first connection is being made it waits.

mod endpoint;
mod set;

use crate::binding::child;
use crate::codec::{Encoded, MAX_MESSAGE, ProtoCodec};
use crate::contract::{Method, Service, Shape};
use crate::mount::{Payload, Reply};
use crate::{Streaming, status, wire};
use backlot_core::discovery::InstanceSet;
use backlot_core::{Context, Deadline, Env, Error};
use backlot_service::tasks::Tasks;
use backlot_service::telemetry::{CallMetrics, Metrics, Side};
use bytes::Bytes;
use http::uri::PathAndQuery;
use set::{EndpointSet, Held, Ready};
use std::marker::PhantomData;
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
    dice: backlot_core::Dice,
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
            dice: env.dice.branch(target),
        }))
    }

    pub(crate) async fn unary<Req: Payload, Res: Payload>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Req,
    ) -> Result<Res, Error> {
        let started = Instant::now();
        let running = self.0.metrics.get(method.index).map(CallMetrics::enter);
        let outcome = async {
            let cx = child(cx, method, &self.0.target, &self.0.dice)?;
            cx.deadline().run(self.send(method, &cx, request)).await
        }
        .await;
        if let Some(running) = &running {
            let took = Instant::now().saturating_duration_since(started);
            running
                .metrics()
                .record(outcome.as_ref().map(drop).map_err(Error::code), took);
        }
        outcome
    }

    async fn send<Req: Payload, Res: Payload>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Req,
    ) -> Result<Res, Error> {
        let (mut grpc, _held) = self.grpc(cx.deadline()).await?;
        let (path, request) = self.prepare(method, cx, request);
        match grpc
            .unary(request, path, ProtoCodec::<Req, Res>(PhantomData))
            .await
        {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err(self.failed(&status)),
        }
    }

    pub(crate) async fn server_stream<Req: Payload, Res: Payload>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Req,
    ) -> Result<Streaming<Res>, Error> {
        let cx = child(cx, method, &self.0.target, &self.0.dice)?;
        self.open(method, &cx, request, ProtoCodec::<Req, Res>(PhantomData))
            .await
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
        let mut answers = self.open(method, &cx, request, Encoded).await?;
        if method.shape == Shape::ServerStream {
            return Ok(Reply::Stream(answers));
        }
        let answer = answers.next().await.transpose()?;
        answer
            .map(Reply::One)
            .ok_or_else(|| Error::internal(format!("{} answered nothing", self.0.target)))
    }

    async fn open<C>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: C::Encode,
        codec: C,
    ) -> Result<Streaming<C::Decode>, Error>
    where
        C: tonic::codec::Codec + Send + 'static,
        C::Encode: Send + Sync + 'static,
        C::Decode: Send + Sync + 'static,
    {
        let deadline = cx.deadline();
        let start = async {
            let (mut grpc, held) = self.grpc(deadline).await?;
            let (path, request) = self.prepare(method, cx, request);
            let answers = grpc
                .server_streaming(request, path, codec)
                .await
                .map_err(|status| self.failed(&status))?;
            Ok((answers.into_inner(), held))
        };
        let (mut stream, held) = deadline.run(start).await?;
        let remote = self.clone();
        Ok(Streaming::new(async_stream::stream! {
            let _held = held;
            loop {
                match tokio::time::timeout_at(deadline.instant(), stream.message()).await {
                    Ok(Ok(Some(message))) => yield Ok(message),
                    Ok(Ok(None)) => break,
                    Ok(Err(status)) => {
                        yield Err(remote.failed(&status));
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

    async fn grpc(
        &self,
        deadline: Deadline,
    ) -> Result<(tonic::client::Grpc<endpoint::Call>, Held), Error> {
        let Ready { call, held } = self.0.endpoints.ready(deadline).await?;
        let grpc = tonic::client::Grpc::new(call)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        Ok((grpc, held))
    }

    fn prepare<Req>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Req,
    ) -> (PathAndQuery, tonic::Request<Req>) {
        let mut request = tonic::Request::new(request);
        let mut headers = std::mem::take(request.metadata_mut()).into_headers();
        wire::write(cx, &mut headers);
        *request.metadata_mut() = tonic::metadata::MetadataMap::from_headers(headers);
        (self.0.paths[method.index].clone(), request)
    }

    fn failed(&self, status: &tonic::Status) -> Error {
        status::to_error(status, &self.0.target)
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Remote")
            .field(&self.0.service.name)
            .field(&self.0.target)
            .finish()
    }
}
