//! What goes on over one connection: whether anything was ever asked, and whether anything is still
//! being answered.

use super::dispatch::{Body, Dispatch};
use backlot_core::BoxFuture;
use backlot_core::net::Stream;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// An HTTP/2 client has introduced itself after so many bytes; an HTTP/1 client that sends as many
/// is in its first head, which has a limit of its own.
const INTRODUCTION: usize = 24;

/// The calls of one connection. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Calls(Arc<Counts>);

#[derive(Default)]
struct Counts {
    read: AtomicUsize,
    begun: AtomicUsize,
    under_way: AtomicUsize,
}

impl Calls {
    /// Whether the caller has neither introduced itself nor asked anything.
    pub(super) fn is_stranger(&self) -> bool {
        self.0.read.load(Ordering::Relaxed) < INTRODUCTION
            && self.0.begun.load(Ordering::Relaxed) == 0
    }

    /// Whether nothing is being answered.
    pub(super) fn is_quiet(&self) -> bool {
        self.0.under_way.load(Ordering::Relaxed) == 0
    }

    fn begin(&self) -> Call {
        self.0.begun.store(1, Ordering::Relaxed);
        self.0.under_way.fetch_add(1, Ordering::Relaxed);
        Call(Arc::clone(&self.0))
    }
}

/// A call under way, until its answer is handed to the connection or nobody wants it.
struct Call(Arc<Counts>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Dispatches the calls of one connection and counts them.
#[derive(Clone)]
pub(super) struct Counted {
    pub(super) dispatch: Dispatch,
    pub(super) calls: Calls,
}

impl hyper::service::Service<Request<Incoming>> for Counted {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Answer>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let call = self.calls.begin();
        let answer = self.dispatch.clone().answer(request);
        Box::pin(async move { Ok(answer.await.map(|body| Answer { body, _call: call })) })
    }
}

/// A body that is under way until it is dropped.
pub(super) struct Answer {
    body: Body,
    _call: Call,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that counts what it reads.
pub(super) struct Read {
    pub(super) stream: Stream,
    pub(super) calls: Calls,
}

impl AsyncRead for Read {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.calls
            .0
            .read
            .fetch_add(buffer.filled().len() - before, Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Read {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
