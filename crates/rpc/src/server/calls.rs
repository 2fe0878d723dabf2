//! What goes on over one connection: whether anything was ever asked, whether anything is still being
//! answered, and whether its peer floods it.

use super::dispatch::{Body, Dispatch};
use super::flood::Watch;
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
use tokio::sync::Notify;
use tokio::time::Instant;

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
    floods: Notify,
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

    /// Waits until the caller floods the connection: it is heard no more then, and was told why.
    pub(super) async fn flooded(&self) {
        self.0.floods.notified().await;
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

/// A stream that watches what passes.
pub(super) struct Watched {
    stream: Stream,
    calls: Calls,
    watch: Watch,
    /// It was flooded, and reads and writes nothing more.
    is_over: bool,
}

impl Watched {
    pub(super) fn new(stream: Stream, calls: Calls) -> Self {
        Watched {
            stream,
            calls,
            watch: Watch::new(Instant::now()),
            is_over: false,
        }
    }

    /// Says why, as far as that can be said at once.
    fn ends(&mut self, cx: &mut Context<'_>) {
        self.is_over = true;
        if let Some(frame) = self.watch.farewell() {
            let written = Pin::new(&mut self.stream).poll_write(cx, &frame);
            if written.is_ready() {
                let _flushed = Pin::new(&mut self.stream).poll_flush(cx);
            }
        }
        self.calls.0.floods.notify_one();
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let came = &buffer.filled()[before..];
        this.calls.0.read.fetch_add(came.len(), Ordering::Relaxed);
        if this.watch.came(came) {
            return read;
        }
        buffer.set_filled(before);
        this.ends(cx);
        // Whoever waits for floods ends the connection.
        Poll::Pending
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Pending;
        }
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            this.watch.sent(&bytes[..*count]);
        }
        written
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
        let this = &mut *self;
        if this.is_over {
            return Poll::Pending;
        }
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        if let Poll::Ready(Ok(count)) = &written {
            let mut left = *count;
            for slice in slices {
                let passed = left.min(slice.len());
                this.watch.sent(&slice[..passed]);
                left -= passed;
            }
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
