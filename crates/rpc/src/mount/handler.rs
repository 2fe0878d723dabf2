//! Methods whose types are erased: messages come in encoded and go out encoded.

use super::{ClientStreamCall, Payload, Reply, StreamCall, UnaryCall};
use crate::contract::Method;
use crate::guard::{Guard, Via};
use crate::{Streaming, frame};
use backlot_core::{BoxFuture, Context, Error};
use bytes::Bytes;
use futures_util::StreamExt;
use std::sync::Arc;

/// What a method is called with.
pub(super) enum Asked {
    One(Bytes),
    Many(Streaming<Bytes>),
}

impl Asked {
    fn one(self) -> Result<Bytes, Error> {
        match self {
            Asked::One(message) => Ok(message),
            Asked::Many(_) => Err(Error::invalid_argument(
                "this method takes one message, not a stream of them",
            )),
        }
    }

    fn many(self) -> Streaming<Bytes> {
        match self {
            Asked::One(message) => Streaming::of([message]),
            Asked::Many(messages) => messages,
        }
    }
}

/// A method whose types are erased.
pub(super) trait Handler: Send + Sync {
    /// Calls it. The answers are encoded; over gRPC they are framed as well, so that nothing is
    /// written twice.
    fn call(
        self: Arc<Self>,
        guard: Arc<Guard>,
        via: Via,
        cx: Context,
        asked: Asked,
    ) -> BoxFuture<'static, Result<Reply, Error>>;
}

pub(super) struct Unary<S: ?Sized, Req, Res> {
    pub(super) object: Arc<S>,
    pub(super) method: &'static Method,
    pub(super) call: UnaryCall<S, Req, Res>,
}

pub(super) struct ServerStream<S: ?Sized, Req, Res> {
    pub(super) object: Arc<S>,
    pub(super) method: &'static Method,
    pub(super) call: StreamCall<S, Req, Res>,
}

pub(super) struct ClientStream<S: ?Sized, Req, Res> {
    pub(super) object: Arc<S>,
    pub(super) method: &'static Method,
    pub(super) call: ClientStreamCall<S, Req, Res>,
}

fn decode<Req: Payload>(request: Bytes) -> Result<Req, Error> {
    Req::decode(request)
        .map_err(|error| Error::invalid_argument(format!("the request is malformed: {error}")))
}

fn encode(via: Via, message: &impl Payload) -> Result<Bytes, Error> {
    if via == Via::Grpc {
        frame::encode(message)
    } else {
        Ok(message.encode_to_vec().into())
    }
}

impl<S: ?Sized + Send + Sync + 'static, Req: Payload, Res: Payload> Handler for Unary<S, Req, Res> {
    fn call(
        self: Arc<Self>,
        guard: Arc<Guard>,
        via: Via,
        cx: Context,
        asked: Asked,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        Box::pin(async move {
            let request: Req = decode(asked.one()?)?;
            let response = guard
                .unary(self.method, via, &cx, request, &*self.object, self.call)
                .await?;
            encode(via, &response).map(Reply::One)
        })
    }
}

impl<S: ?Sized + Send + Sync + 'static, Req: Payload, Res: Payload> Handler
    for ServerStream<S, Req, Res>
{
    fn call(
        self: Arc<Self>,
        guard: Arc<Guard>,
        via: Via,
        cx: Context,
        asked: Asked,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        Box::pin(async move {
            let request: Req = decode(asked.one()?)?;
            let stream = guard
                .server_stream(self.method, via, &cx, request, &*self.object, self.call)
                .await?;
            let encoded = stream.map(move |item| item.and_then(|message| encode(via, &message)));
            Ok(Reply::Stream(Streaming::new(encoded)))
        })
    }
}

impl<S: ?Sized + Send + Sync + 'static, Req: Payload, Res: Payload> Handler
    for ClientStream<S, Req, Res>
{
    fn call(
        self: Arc<Self>,
        guard: Arc<Guard>,
        via: Via,
        cx: Context,
        asked: Asked,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        Box::pin(async move {
            let messages = asked.many().enumerate().map(|(index, message)| {
                Req::decode(message?).map_err(|error| {
                    let number = index + 1;
                    Error::invalid_argument(format!("message {number} is malformed: {error}"))
                })
            });
            let messages = Streaming::new(messages);
            let response = guard
                .client_stream(self.method, via, &cx, messages, &*self.object, self.call)
                .await?;
            encode(via, &response).map(Reply::One)
        })
    }
}
