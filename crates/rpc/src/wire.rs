//! The context of a call as headers. The same names serve gRPC metadata and REST, but for the
//! timeout, which each protocol spells in its own way.

use crate::contract::{Method, Shape};
use crate::guard::MAX_STREAM;
use backlot_core::deadline::{DEFAULT_UNARY, format_grpc_timeout, parse_grpc_timeout};
use backlot_core::trace::TraceContext;
use backlot_core::{Context, Criticality, Deadline, Error, Idempotency, Principal};
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use std::sync::Arc;
use std::time::Duration;

/// gRPC's own timeout header.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// A REST caller's timeout in milliseconds.
pub const REST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");
/// W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// How much the call matters; believed between services only.
pub const CRITICALITY: HeaderName = HeaderName::from_static("x-criticality");
/// The key under which a write is done once.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How many attempts of a call failed before this one.
pub const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// The trace a call says it belongs to.
pub(crate) fn trace(headers: &HeaderMap) -> TraceContext {
    let told = headers
        .get(&TRACEPARENT)
        .and_then(|value| value.to_str().ok());
    told.map_or(TraceContext::NONE, TraceContext::parse)
}

/// How long a call may take, if it says so.
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Error> {
    Ok(
        match (headers.get(&GRPC_TIMEOUT), headers.get(&REST_TIMEOUT)) {
            (Some(value), _) => Some(parse_grpc_timeout(text(&GRPC_TIMEOUT, value)?)?),
            (None, Some(value)) => Some(parse_rest_timeout(text(&REST_TIMEOUT, value)?)?),
            (None, None) => None,
        },
    )
}

/// What the headers of a call say, before its identity is checked; its trace is [`trace`].
pub(crate) fn read(headers: &HeaderMap, method: &'static Method) -> Result<Context, Error> {
    let asked = timeout(headers)?;
    let within = asked.unwrap_or(match method.shape {
        Shape::Unary => DEFAULT_UNARY,
        Shape::ServerStream | Shape::ClientStream => MAX_STREAM,
    });
    let mut cx = Context::background().with_deadline(Deadline::after(within));
    if let Some(value) = headers
        .get(&CRITICALITY)
        .and_then(|value| value.to_str().ok())
        && let Some(criticality) = Criticality::parse(value)
    {
        cx = cx.with_criticality(criticality);
    }
    let failed = headers.get(&PREVIOUS_ATTEMPTS);
    let failed = failed.and_then(|value| value.to_str().ok()?.parse().ok());
    cx = cx.with_attempt(failed.unwrap_or_default());
    if let Some(value) = headers.get(&IDEMPOTENCY_KEY) {
        let idempotency = Idempotency::parse(text(&IDEMPOTENCY_KEY, value)?)?;
        cx = cx.with_idempotency(Some(Arc::new(idempotency)));
    }
    Ok(cx)
}

/// The bearer token of a call, if it shows one.
///
/// # Errors
/// `Unauthenticated` for a header that is no bearer token.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let malformed =
        || Error::unauthenticated("the header 'authorization' must read 'Bearer TOKEN'");
    let value = value.to_str().map_err(|_| malformed())?;
    let (scheme, token) = value.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(malformed());
    }
    Ok(Some(token.trim()))
}

/// A context as the headers of a gRPC call.
pub(crate) fn write(cx: &Context) -> HeaderMap {
    // As many as there can be, so that the map never grows.
    let mut headers = HeaderMap::with_capacity(8);
    let mut put = |name: HeaderName,
                   value: Result<HeaderValue, http::header::InvalidHeaderValue>| {
        // Nothing here can hold a byte that a header refuses but a hand-made key or token, which
        // the callee would refuse as well.
        if let Ok(value) = value {
            headers.insert(name, value);
        }
    };
    put(
        GRPC_TIMEOUT,
        once(format_grpc_timeout(cx.deadline().remaining())),
    );
    if !cx.trace().is_none() {
        put(TRACEPARENT, once(cx.trace().header()));
    }
    if cx.criticality() != Criticality::Critical {
        put(
            CRITICALITY,
            Ok(HeaderValue::from_static(cx.criticality().name())),
        );
    }
    if cx.attempt() > 0 {
        put(PREVIOUS_ATTEMPTS, Ok(cx.attempt().into()));
    }
    if let Some(idempotency) = cx.idempotency() {
        put(IDEMPOTENCY_KEY, once(&idempotency.key));
    }
    if let Principal::User(user) = cx.principal() {
        put(
            AUTHORIZATION,
            once(format!("Bearer {}", user.token.expose())),
        );
    }
    headers
}

/// A value that never comes again, or is secret: HTTP/2 is told not to remember it, so that it
/// pushes no other out of the connection's table.
fn once(value: impl AsRef<[u8]>) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut value = HeaderValue::from_bytes(value.as_ref())?;
    value.set_sensitive(true);
    Ok(value)
}

fn text<'a>(name: &HeaderName, value: &'a HeaderValue) -> Result<&'a str, Error> {
    value
        .to_str()
        .map_err(|_| Error::invalid_argument(format!("the header '{name}' is not ASCII text")))
}

fn parse_rest_timeout(text: &str) -> Result<Duration, Error> {
    text.parse().map(Duration::from_millis).map_err(|_| {
        Error::invalid_argument(format!(
            "x-request-timeout-ms {text:?} is malformed: expected whole milliseconds"
        ))
    })
}
