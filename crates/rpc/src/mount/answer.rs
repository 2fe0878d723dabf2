//! The answer to a gRPC call: its messages, then how it ended.

use super::Reply;
use crate::{Streaming, status};
use backlot_core::Error;
use bytes::Bytes;
use futures_core::Stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The body of an answer that has begun well.
pub(crate) struct Answer {
    messages: Messages,
    over: bool,
}

/// Framed messages.
enum Messages {
    One(Option<Bytes>),
    Many(Streaming<Bytes>),
}

impl Answer {
    /// The response with this reply, whose messages are framed.
    pub(super) fn response(reply: Reply) -> Response<Self> {
        let messages = match reply {
            Reply::One(message) => Messages::One(Some(message)),
            Reply::Stream(messages) => Messages::Many(messages),
        };
        let mut response = Response::new(Answer {
            messages,
            over: false,
        });
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        response
    }
}

impl Messages {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        match self {
            Messages::One(message) => Poll::Ready(message.take().map(Ok)),
            Messages::Many(messages) => Pin::new(messages).poll_next(cx),
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let frame = match ready!(self.messages.poll_next(cx)) {
            Some(Ok(message)) => Frame::data(message),
            ended => {
                self.over = true;
                Frame::trailers(trailers(ended.and_then(Result::err)))
            }
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }
}

fn trailers(error: Option<Error>) -> HeaderMap {
    match error {
        None => {
            let mut trailers = HeaderMap::with_capacity(1);
            trailers.insert(tonic::Status::GRPC_STATUS, HeaderValue::from_static("0"));
            trailers
        }
        Some(error) => status::to_trailers(&error),
    }
}
