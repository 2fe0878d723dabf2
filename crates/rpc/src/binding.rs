//! How a client reaches a service: directly in the same process, or over gRPC. Chosen at
//! composition; the client's methods are the same.

use crate::Streaming;
use crate::contract::{Effect, Method, Service};
use crate::direct::Direct;
use crate::mount::{ClientStreamCall, Payload, StreamCall, UnaryCall};
use crate::remote::Remote;
use backlot_core::{Context, Dice, Error, Idempotency};
use std::sync::Arc;

/// A generated client.
pub trait Client: Clone + Send + Sync + 'static {
    /// The service it calls.
    const SERVICE: &'static Service;
    /// A client over this binding.
    fn bind(binding: Binding) -> Self;
}

/// The way to a service.
#[derive(Clone, Debug)]
pub enum Binding {
    /// In the same process: the message is moved, nothing is encoded.
    Direct(Direct),
    /// Over gRPC to one of its instances.
    Remote(Remote),
}

impl Binding {
    /// Calls a unary method. `S` is the contract's trait object.
    ///
    /// # Errors
    /// What the service answers; `Unavailable` when it cannot be reached.
    pub async fn unary<S, Req, Res>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Req,
        call: UnaryCall<S, Req, Res>,
    ) -> Result<Res, Error>
    where
        S: ?Sized + Send + Sync + 'static,
        Req: Payload,
        Res: Payload,
    {
        match self {
            Binding::Direct(direct) => direct.unary(method, cx, request, call).await,
            Binding::Remote(remote) => remote.unary(method, cx, request).await,
        }
    }

    /// Calls a streaming method.
    ///
    /// # Errors
    /// As [`Binding::unary`].
    pub async fn server_stream<S, Req, Res>(
        &self,
        method: &'static Method,
        cx: &Context,
        request: Req,
        call: StreamCall<S, Req, Res>,
    ) -> Result<Streaming<Res>, Error>
    where
        S: ?Sized + Send + Sync + 'static,
        Req: Payload,
        Res: Payload,
    {
        match self {
            Binding::Direct(direct) => direct.server_stream(method, cx, request, call).await,
            Binding::Remote(remote) => remote.server_stream(method, cx, request).await,
        }
    }

    /// Calls a method that takes a stream of requests. They are read as fast as the callee takes
    /// them, and no further once it has answered; an error among them gives the call up and is what
    /// the caller gets.
    ///
    /// # Errors
    /// As [`Binding::unary`]; the first error of `requests`.
    pub async fn client_stream<S, Req, Res>(
        &self,
        method: &'static Method,
        cx: &Context,
        requests: Streaming<Req>,
        call: ClientStreamCall<S, Req, Res>,
    ) -> Result<Res, Error>
    where
        S: ?Sized + Send + Sync + 'static,
        Req: Payload,
        Res: Payload,
    {
        match self {
            Binding::Direct(direct) => direct.client_stream(method, cx, requests, call).await,
            Binding::Remote(remote) => remote.client_stream(method, cx, requests).await,
        }
    }
}

/// Why a call was never made. It stands as the source of an error, which the wire does not carry: what
/// a callee says of calls of its own is never taken for this.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the call was not made")]
pub(crate) struct Unmade;

/// An attempt before the last may have been done. It stands as the source of an error, as [`Unmade`]
/// does.
#[derive(Debug, thiserror::Error)]
#[error("an attempt before may have been done")]
pub(crate) struct Doubted(#[source] Option<Box<dyn std::error::Error + Send + Sync>>);

impl Doubted {
    /// An error of the last of several attempts.
    pub(crate) fn marks(error: Error) -> Error {
        let cause = std::error::Error::source(&error).map(backlot_core::error::chain);
        error.with_source(Doubted(cause.map(Into::into)))
    }
}

/// Whether a write may have been done whatever this error says: an attempt before the last was
/// neither answered nor refused, and the last, of which the error tells, does not undo it.
///
/// Of an error of the only attempt its code alone tells.
#[must_use]
pub fn is_in_doubt(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<Doubted>())
}

/// What a callee of the same process answered: that a call of its own was not made, or is in doubt,
/// says nothing of the call to it.
pub(crate) fn passed_on(error: Error) -> Error {
    if was_made(&error) && !is_in_doubt(&error) {
        return error;
    }
    let cause = std::error::Error::source(&error).map(backlot_core::error::chain);
    error.with_source(cause.unwrap_or_default())
}

/// Whether this call can have reached anybody: if not, nothing happened.
#[must_use]
pub fn was_made(error: &Error) -> bool {
    !std::error::Error::source(error).is_some_and(|source| source.is::<Unmade>())
}

/// The context a callee gets: a hop less time, the next span, a key for a write that has none, and
/// the user only if the token is meant for the callee. A part of this system that acts for itself
/// is nobody to others: it must show a token like everyone.
///
/// # Errors
/// What makes a call not worth making, or impossible to put into headers: told before any binding
/// begins, so that all tell it alike.
pub(crate) fn child(
    cx: &Context,
    method: &'static Method,
    target: &str,
    dice: &Dice,
) -> Result<Context, Error> {
    if cx.deadline().has_passed() {
        return Err(
            Error::deadline_exceeded("the deadline had passed before the call was made")
                .with_source(Unmade),
        );
    }
    let idempotency = match (method.effect, cx.idempotency()) {
        (Effect::Read, _) => None,
        (_, Some(idempotency)) => {
            Idempotency::parse(&idempotency.key)?;
            Some(Arc::clone(idempotency))
        }
        (_, None) => Some(Arc::new(Idempotency {
            key: dice.uuid(),
            method: method.path,
            fingerprint: 0,
        })),
    };
    Ok(cx
        .clone()
        .without_affinity()
        .with_deadline(cx.deadline().child())
        .with_trace(cx.trace().child(dice))
        .with_principal(cx.principal().towards(target))
        .with_idempotency(idempotency))
}
