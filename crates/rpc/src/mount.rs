//! A service made callable: over gRPC, over REST, and directly from the same process.

pub(crate) mod answer;
mod arrival;
mod handler;

use crate::contract::{Method, Service, Shape};
use crate::guard::{Guard, Via};
use crate::{Streaming, Validate};
use answer::Answer;
use backlot_core::{BoxFuture, Context, Error};
use bytes::Bytes;
use handler::{Asked, ClientStream, Handler, ServerStream, Unary};
use hyper::body::Incoming;
use prost::Message;
use std::any::Any;
use std::sync::Arc;

/// A message of a contract.
pub trait Payload: Message + Default + Validate + 'static {}
impl<T: Message + Default + Validate + 'static> Payload for T {}

/// How a unary method of the trait object `S` is called.
pub type UnaryCall<S, Req, Res> =
    for<'a> fn(&'a S, &'a Context, Req) -> BoxFuture<'a, Result<Res, Error>>;
/// How a streaming method of the trait object `S` is called.
pub type StreamCall<S, Req, Res> =
    for<'a> fn(&'a S, &'a Context, Req) -> BoxFuture<'a, Result<Streaming<Res>, Error>>;

/// How a method that takes a stream of requests is called.
pub type ClientStreamCall<S, Req, Res> =
    for<'a> fn(&'a S, &'a Context, Streaming<Req>) -> BoxFuture<'a, Result<Res, Error>>;

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

    /// Calls a method with an encoded message, under all semantic policies. To a method that takes a
    /// stream it is a stream of one.
    pub fn bytes(
        &self,
        method: usize,
        cx: Context,
        request: Bytes,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        self.call(method, Via::Rest, cx, Asked::One(request))
    }

    /// Calls a method that takes a stream of requests with encoded messages, under all semantic
    /// policies.
    pub fn stream_bytes(
        &self,
        method: usize,
        cx: Context,
        requests: Streaming<Bytes>,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        self.call(method, Via::Rest, cx, Asked::Many(requests))
    }

    /// Calls a method as gRPC does.
    ///
    /// # Errors
    /// What is wrong with the request, and what the method answers before its first message.
    pub(crate) async fn grpc(
        &self,
        method: &'static Method,
        cx: Context,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<Answer>, Error> {
        let asked = match method.shape {
            Shape::Unary | Shape::ServerStream => {
                Asked::One(arrival::message(request, cx.deadline()).await?)
            }
            Shape::ClientStream => Asked::Many(arrival::messages(request)?),
        };
        Ok(Answer::response(
            self.call(method.index, Via::Grpc, cx, asked).await?,
        ))
    }

    fn call(
        &self,
        method: usize,
        via: Via,
        cx: Context,
        asked: Asked,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        match self.handlers.get(method) {
            Some(handler) => Arc::clone(handler).call(Arc::clone(&self.guard), via, cx, asked),
            None => Box::pin(async { Err(Error::unimplemented("no such method")) }),
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

    /// Adds the method at `index`, which takes a stream of requests.
    #[must_use]
    pub fn client_stream<Req: Payload, Res: Payload>(
        mut self,
        index: usize,
        call: ClientStreamCall<S, Req, Res>,
    ) -> Self {
        let method = self.method(index, Shape::ClientStream);
        self.handlers.push(Arc::new(ClientStream {
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
