//! Deadlines for services of axum and tonic as they are: a layer around them.
//!
//! A caller says in `grpc-timeout` or `x-request-timeout-ms` how long it waits. What it does not say
//! is five seconds until the answer begins. Then the handler is dropped, and the caller is told:
//! DEADLINE_EXCEEDED, or 504. An answer that has begun ends at the caller's deadline as well.
//!
//! ```
//! use axum::{Router, routing::get};
//! use backlot_rpc::Deadlines;
//!
//! let router: Router = Router::new()
//!     .route("/", get(|| async { "hello" }))
//!     .layer(Deadlines::default());
//! # drop(router);
//! ```

use crate::{rest, status, wire};
use backlot_core::deadline::DEFAULT_UNARY;
use backlot_core::{BoxFuture, Deadline, Error};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body::Frame;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// The layer. Handlers find their [`Deadline`] among the extensions of the request.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    patience: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Deadlines {
            patience: DEFAULT_UNARY,
        }
    }
}

impl Deadlines {
    /// How long an answer may take to begin where the caller does not say.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

impl<S> tower::Layer<S> for Deadlines {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed {
            inner,
            patience: self.patience,
        }
    }
}

/// A service with deadlines.
#[derive(Clone, Debug)]
pub struct Timed<S> {
    inner: S,
    patience: Duration,
}

impl<S: tonic::server::NamedService> tonic::server::NamedService for Timed<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, A, B> tower_service::Service<Request<A>> for Timed<S>
where
    S: tower_service::Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<tonic::body::Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let refusing = Refusing::of(&request);
        let told = match wire::timeout(request.headers()) {
            Ok(told) => told,
            Err(error) => return Box::pin(async move { Ok(refusing.answer(error)) }),
        };
        let deadline = Deadline::after(told.unwrap_or(self.patience));
        if deadline.has_passed() {
            let error = Error::deadline_exceeded("the deadline had passed before the call began");
            return Box::pin(async move { Ok(refusing.answer(error)) });
        }
        request.extensions_mut().insert(deadline);
        let is_grpc = refusing.is_grpc;
        let answering = self.inner.call(request);
        Box::pin(async move {
            match tokio::time::timeout_at(deadline.instant(), answering).await {
                Ok(answer) => Ok(answer?.map(|body| {
                    let until = told.map(|_| tokio::time::sleep_until(deadline.instant()));
                    tonic::body::Body::new(Answer {
                        body: Box::pin(body),
                        until: until.map(Box::pin),
                        is_grpc,
                        is_over: false,
                    })
                })),
                Err(_elapsed) => Ok(refusing.answer(late())),
            }
        })
    }
}

fn late() -> Error {
    Error::deadline_exceeded("the deadline passed before the answer was ready")
}

/// How a caller is refused.
struct Refusing {
    is_grpc: bool,
    path: String,
}

impl Refusing {
    fn of<A>(request: &Request<A>) -> Self {
        let kind = request.headers().get(CONTENT_TYPE);
        Refusing {
            is_grpc: kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")),
            path: request.uri().path().to_owned(),
        }
    }

    fn answer(self, error: Error) -> Response<tonic::body::Body> {
        match self.is_grpc {
            true => status::to_response(&error),
            false => rest::problem(error, &self.path).map(tonic::body::Body::new),
        }
    }
}

/// An answer that ends in time.
struct Answer<B> {
    body: Pin<Box<B>>,
    until: Option<Pin<Box<Sleep>>>,
    is_grpc: bool,
    is_over: bool,
}

impl<B> http_body::Body for Answer<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let late_now = match &mut self.until {
            Some(until) => until.as_mut().poll(cx).is_ready(),
            None => false,
        };
        if !late_now {
            return self.body.as_mut().poll_frame(cx).map_err(Into::into);
        }
        self.is_over = true;
        Poll::Ready(Some(match self.is_grpc {
            true => Ok(Frame::trailers(status::to_trailers(&late()))),
            // What HTTP has for it: the answer breaks off.
            false => Err(late().into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
