//! Many messages of one call: its answers, or its requests.

use backlot_core::Error;
use futures_core::Stream;
use futures_util::StreamExt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A stream of messages. It ends after its first error.
///
/// As the answers to a call it says what the callee gave and how that ended. As the requests of a
/// call it is read as fast as the callee takes them, and an error in it gives the call up.
pub struct Streaming<T>(Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>);

impl<T> Streaming<T> {
    /// Wraps a stream.
    pub fn new(stream: impl Stream<Item = Result<T, Error>> + Send + 'static) -> Self {
        Streaming(Box::pin(stream))
    }

    /// These messages, and then the end.
    pub fn of(messages: impl IntoIterator<Item = T, IntoIter: Send + 'static>) -> Self
    where
        T: 'static,
    {
        Streaming::new(futures_util::stream::iter(messages).map(Ok))
    }

    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        self.0.next().await
    }
}

impl<T> Stream for Streaming<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl<T> std::fmt::Debug for Streaming<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Streaming")
    }
}
