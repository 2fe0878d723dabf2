//! A service made callable: over gRPC, over REST, and directly from the same process.

use crate::codec::ProtoCodec;
use crate::contract::{Method, Service, Shape};
use crate::guard::{Guard, Via};
use crate::{Streaming, Validate, status};
use backlot_core::deadline::MAX_UNARY;
use backlot_core::{BoxFuture, Context, Deadline, Error};
use bytes::Bytes;
use futures_util::StreamExt;
use prost::Message;
use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A message of a contract.
pub trait Payload: Message + Default + Validate + 'static {}
impl<T: Message + Default + Validate + 'static> Payload for T {}

/// How a unary method of the trait object `S` is called.
pub type UnaryCall<S, Req, Res> =
    for<'a> fn(&'a S, &'a Context, Req) -> BoxFuture<'a, Result<Res, Error>>;
/// How a streaming method of the trait object `S` is called.
pub type StreamCall<S, Req, Res> =
    for<'a> fn(&'a S, &'a Context, Req) -> BoxFuture<'a, Result<Streaming<Res>, Error>>;

/// The answer to a call whose messages are still encoded.
#[derive(Debug)]
pub enum Reply {
    /// One message.
    One(Bytes),
    /// Many.
    Stream(Streaming<Bytes>),
}

/// A service with its handlers and the policies they run under. Cheap to clone.
#[derive(Clone)]
pub struct Mount {
    service: &'static Service,
    /// An `Arc<dyn Trait>` of the contract's trait: what a direct binding calls.
    object: Arc<dyn Any + Send + Sync>,
    handlers: Arc<[Arc<dyn Handler>]>,
    guard: Arc<Guard>,
}

impl Mount {
    /// Starts to mount `object`, an implementation of the contract's trait `S`.
    #[must_use]
    pub fn build<S: ?Sized + Send + Sync + 'static>(
        service: &'static Service,
        object: Arc<S>,
    ) -> Builder<S> {
        Builder {
            service,
            object,
            handlers: Vec::with_capacity(service.methods.len()),
        }
    }

    /// What is known of the service at build time.
    #[must_use]
    pub fn service(&self) -> &'static Service {
        self.service
    }

    /// The same service under the policies of `guard`.
    #[must_use]
    pub fn with_guard(mut self, guard: Arc<Guard>) -> Self {
        self.guard = guard;
        self
    }

    /// The policies its calls run under.
    #[must_use]
    pub fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// Calls a method with an encoded message, under all semantic policies.
    pub fn bytes(
        &self,
        method: usize,
        cx: Context,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        match self.handlers.get(method) {
            Some(handler) => Arc::clone(handler).bytes(Arc::clone(&self.guard), cx, request),
            None => Box::pin(async { Err(Error::unimplemented("no such method")) }),
        }
    }

    /// Calls a method as gRPC does.
    pub(crate) fn grpc(
        &self,
        method: &'static Method,
        cx: Context,
        request: http::Request<tonic::body::Body>,
    ) -> BoxFuture<'static, http::Response<tonic::body::Body>> {
        match self.handlers.get(method.index) {
            Some(handler) => Arc::clone(handler).grpc(Arc::clone(&self.guard), cx, request),
            None => {
                Box::pin(async { status::to_response(&Error::unimplemented("no such method")) })
            }
        }
    }

    /// The implementation, for a direct binding.
    pub(crate) fn object<S: ?Sized + Send + Sync + 'static>(&self) -> Option<&Arc<S>> {
        self.object.downcast_ref::<Arc<S>>()
    }
}

impl std::fmt::Debug for Mount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Mount").field(&self.service.name).finish()
    }
}

/// Adds a service's methods in their order. Used by generated code.
pub struct Builder<S: ?Sized> {
    service: &'static Service,
    object: Arc<S>,
    handlers: Vec<Arc<dyn Handler>>,
}

impl<S: ?Sized> std::fmt::Debug for Builder<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Builder").field(&self.service.name).finish()
    }
}

impl<S: ?Sized + Send + Sync + 'static> Builder<S> {
    /// Adds the unary method at `index`.
    #[must_use]
    pub fn unary<Req: Payload, Res: Payload>(
        mut self,
        index: usize,
        call: UnaryCall<S, Req, Res>,
    ) -> Self {
        let method = self.method(index, Shape::Unary);
        self.handlers.push(Arc::new(Unary {
            object: Arc::clone(&self.object),
            method,
            call,
        }));
        self
    }

    /// Adds the streaming method at `index`.
    #[must_use]
    pub fn server_stream<Req: Payload, Res: Payload>(
        mut self,
        index: usize,
        call: StreamCall<S, Req, Res>,
    ) -> Self {
        let method = self.method(index, Shape::ServerStream);
        self.handlers.push(Arc::new(ServerStream {
            object: Arc::clone(&self.object),
            method,
            call,
        }));
        self
    }

    /// All methods are there. Policies observe nothing yet: a composition gives its own guard.
    #[must_use]
    pub fn finish(self) -> Mount {
        debug_assert_eq!(self.handlers.len(), self.service.methods.len());
        Mount {
            service: self.service,
            object: Arc::new(self.object),
            handlers: self.handlers.into(),
            guard: Arc::new(Guard::unobserved()),
        }
    }

    fn method(&self, index: usize, shape: Shape) -> &'static Method {
        let method = &self.service.methods[index];
        debug_assert_eq!(self.handlers.len(), index, "methods are added in order");
        debug_assert_eq!(method.shape, shape);
        method
    }
}

/// A method whose types are erased.
trait Handler: Send + Sync {
    fn grpc(
        self: Arc<Self>,
        guard: Arc<Guard>,
        cx: Context,
        request: http::Request<tonic::body::Body>,
    ) -> BoxFuture<'static, http::Response<tonic::body::Body>>;

    fn bytes(
        self: Arc<Self>,
        guard: Arc<Guard>,
        cx: Context,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Reply, Error>>;
}

struct Unary<S: ?Sized, Req, Res> {
    object: Arc<S>,
    method: &'static Method,
    call: UnaryCall<S, Req, Res>,
}

struct ServerStream<S: ?Sized, Req, Res> {
    object: Arc<S>,
    method: &'static Method,
    call: StreamCall<S, Req, Res>,
}

fn decode<Req: Payload>(request: Bytes) -> Result<Req, Error> {
    Req::decode(request)
        .map_err(|error| Error::invalid_argument(format!("the request is malformed: {error}")))
}

impl<S: ?Sized + Send + Sync + 'static, Req: Payload, Res: Payload> Handler for Unary<S, Req, Res> {
    fn grpc(
        self: Arc<Self>,
        guard: Arc<Guard>,
        cx: Context,
        request: http::Request<tonic::body::Body>,
    ) -> BoxFuture<'static, http::Response<tonic::body::Body>> {
        Box::pin(async move {
            let (deadline, reached) = (cx.deadline(), AtomicBool::new(false));
            let one = OneAnswer {
                handler: self,
                guard,
                cx: Some(cx),
                reached: &reached,
            };
            let mut grpc = tonic::server::Grpc::new(ProtoCodec::<Res, Req>(PhantomData));
            received(deadline, &reached, grpc.unary(one, request)).await
        })
    }

    fn bytes(
        self: Arc<Self>,
        guard: Arc<Guard>,
        cx: Context,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        Box::pin(async move {
            let request: Req = decode(request)?;
            let response = guard
                .unary(
                    self.method,
                    Via::Rest,
                    &cx,
                    request,
                    &*self.object,
                    self.call,
                )
                .await?;
            Ok(Reply::One(response.encode_to_vec().into()))
        })
    }
}

impl<S: ?Sized + Send + Sync + 'static, Req: Payload, Res: Payload> Handler
    for ServerStream<S, Req, Res>
{
    fn grpc(
        self: Arc<Self>,
        guard: Arc<Guard>,
        cx: Context,
        request: http::Request<tonic::body::Body>,
    ) -> BoxFuture<'static, http::Response<tonic::body::Body>> {
        Box::pin(async move {
            let (deadline, reached) = (cx.deadline(), AtomicBool::new(false));
            let many = ManyAnswers {
                handler: self,
                guard,
                cx: Some(cx),
                reached: &reached,
            };
            let mut grpc = tonic::server::Grpc::new(ProtoCodec::<Res, Req>(PhantomData));
            received(deadline, &reached, grpc.server_streaming(many, request)).await
        })
    }

    fn bytes(
        self: Arc<Self>,
        guard: Arc<Guard>,
        cx: Context,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        Box::pin(async move {
            let request: Req = decode(request)?;
            let stream = guard
                .server_stream(
                    self.method,
                    Via::Rest,
                    &cx,
                    request,
                    &*self.object,
                    self.call,
                )
                .await?;
            let encoded =
                stream.map(|item| item.map(|message| Bytes::from(message.encode_to_vec())));
            Ok(Reply::Stream(Streaming::new(encoded)))
        })
    }
}

/// Bounds what happens before the method is reached: the request arrives until the deadline, and
/// whatever is wrong with it is its caller's fault.
async fn received(
    deadline: Deadline,
    reached: &AtomicBool,
    call: impl Future<Output = http::Response<tonic::body::Body>>,
) -> http::Response<tonic::body::Body> {
    let until = deadline.min(Deadline::after(MAX_UNARY));
    match tokio::time::timeout_at(until.instant(), call).await {
        Ok(response) if reached.load(Ordering::Relaxed) => response,
        Ok(response) => status::callers_fault(response),
        Err(_elapsed) => status::to_response(&Error::deadline_exceeded(
            "the deadline passed before the request had arrived",
        )),
    }
}

/// A unary method in the shape tonic calls.
struct OneAnswer<'r, S: ?Sized, Req, Res> {
    handler: Arc<Unary<S, Req, Res>>,
    guard: Arc<Guard>,
    cx: Option<Context>,
    reached: &'r AtomicBool,
}

impl<S: ?Sized + Send + Sync + 'static, Req: Payload, Res: Payload> tonic::server::UnaryService<Req>
    for OneAnswer<'_, S, Req, Res>
{
    type Response = Res;
    type Future = BoxFuture<'static, Result<tonic::Response<Res>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<Req>) -> Self::Future {
        self.reached.store(true, Ordering::Relaxed);
        let (handler, guard) = (Arc::clone(&self.handler), Arc::clone(&self.guard));
        let cx = self.cx.take().unwrap_or_else(Context::background);
        Box::pin(async move {
            guard
                .unary(
                    handler.method,
                    Via::Grpc,
                    &cx,
                    request.into_inner(),
                    &*handler.object,
                    handler.call,
                )
                .await
                .map(tonic::Response::new)
                .map_err(|error| status::from_error(&error))
        })
    }
}

/// A streaming method in the shape tonic calls.
struct ManyAnswers<'r, S: ?Sized, Req, Res> {
    handler: Arc<ServerStream<S, Req, Res>>,
    guard: Arc<Guard>,
    cx: Option<Context>,
    reached: &'r AtomicBool,
}

impl<S: ?Sized + Send + Sync + 'static, Req: Payload, Res: Payload>
    tonic::server::ServerStreamingService<Req> for ManyAnswers<'_, S, Req, Res>
{
    type Response = Res;
    type ResponseStream = BoxStream<Result<Res, tonic::Status>>;
    type Future = BoxFuture<'static, Result<tonic::Response<Self::ResponseStream>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<Req>) -> Self::Future {
        self.reached.store(true, Ordering::Relaxed);
        let (handler, guard) = (Arc::clone(&self.handler), Arc::clone(&self.guard));
        let cx = self.cx.take().unwrap_or_else(Context::background);
        Box::pin(async move {
            let stream = guard
                .server_stream(
                    handler.method,
                    Via::Grpc,
                    &cx,
                    request.into_inner(),
                    &*handler.object,
                    handler.call,
                )
                .await
                .map_err(|error| status::from_error(&error))?;
            let stream = stream.map(|item| item.map_err(|error| status::from_error(&error)));
            Ok(tonic::Response::new(
                Box::pin(stream) as Self::ResponseStream
            ))
        })
    }
}

type BoxStream<T> = std::pin::Pin<Box<dyn futures_core::Stream<Item = T> + Send>>;
