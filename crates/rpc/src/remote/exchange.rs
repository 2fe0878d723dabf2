//! One call over an open connection: the request, the messages of the answer, how it ended.

pub(super) mod sending;

use super::line::Place;
use crate::frame::Frames;
use crate::{Streaming, status};
use backlot_core::Error;
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::header::{CONTENT_TYPE, TE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, response, uri,
};
use std::time::Duration;
use tonic::Status;

/// A call about to be made.
pub(super) struct Call {
    pub(super) sender: SendRequest<Bytes>,
    pub(super) authority: Authority,
    pub(super) place: Place,
}

/// Why a call failed.
pub(super) enum Failure {
    /// The callee says so.
    Told(Box<Status>),
    /// It did not leave: the connection takes no more.
    Unsent(h2::Error),
    /// The connection broke: whether the callee did the work is unknown.
    Broken(h2::Error),
    /// It was not answered in the time of one attempt.
    Late(Duration),
    /// It was not answered in the time of the call.
    Expired,
    /// What came back is no gRPC, or not what the contract says.
    Malformed(Error),
    /// The caller gave up: its requests ended with this.
    Own(Error),
}

impl Failure {
    /// What it means to the caller of `target`.
    pub(super) fn error(self, target: &str) -> Error {
        match self {
            Failure::Told(status) => status::to_error(&status, target),
            Failure::Broken(error) | Failure::Unsent(error) => {
                Error::unavailable(format!("the connection to {target} broke"))
                    .with_source(error.to_string())
            }
            Failure::Late(patience) => Error::deadline_exceeded(format!(
                "{target} did not answer within {} ms, the time of one attempt",
                patience.as_millis()
            )),
            Failure::Expired => {
                Error::deadline_exceeded("the deadline passed before the answer was ready")
            }
            Failure::Malformed(error) => {
                Error::internal(format!("the answer of {target} is malformed")).with_source(error)
            }
            Failure::Own(error) => error,
        }
    }
}

impl Call {
    /// Sends the request: one frame, and no more.
    pub(super) async fn send(
        self,
        path: PathAndQuery,
        headers: HeaderMap,
        frame: Bytes,
    ) -> Result<Answer, Failure> {
        let (response, mut body, place) = self.begin(path, headers)?;
        body.send_data(frame, true).map_err(Failure::Unsent)?;
        Answer::of(response.await.map_err(Failure::Broken)?, place)
    }

    /// Sends frames as they come and as fast as the callee takes them, until it answers; its one
    /// answer.
    pub(super) async fn converse(
        self,
        path: PathAndQuery,
        headers: HeaderMap,
        frames: Streaming<Bytes>,
    ) -> Result<Bytes, Failure> {
        let (response, mut body, place) = self.begin(path, headers)?;
        let answering = async {
            Answer::of(response.await.map_err(Failure::Broken)?, place)?
                .one()
                .await
        };
        let sending = sending::all(frames, &mut body);
        tokio::pin!(answering, sending);
        let mut sent = false;
        loop {
            tokio::select! {
                biased;
                outcome = &mut answering => return outcome,
                ended = &mut sending, if !sent => match ended {
                    // Leaving drops the stream, which tells the callee to give up.
                    Err(error) => return Err(Failure::Own(error)),
                    Ok(()) => sent = true,
                },
            }
        }
    }

    /// Sends the head; what comes back, and where the body goes.
    pub(super) fn begin(
        mut self,
        path: PathAndQuery,
        headers: HeaderMap,
    ) -> Result<(ResponseFuture, SendStream<Bytes>, Place), Failure> {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority);
        parts.path_and_query = Some(path);
        let uri = Uri::from_parts(parts)
            .map_err(|error| malformed(format!("no address to call: {error}")))?;
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request
            .headers_mut()
            .insert(TE, HeaderValue::from_static("trailers"));
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        let (response, body) = self
            .sender
            .send_request(request, false)
            .map_err(Failure::Unsent)?;
        Ok((response, body, self.place))
    }
}

/// The answer to a call while it comes. Dropping it tells the callee that nobody listens any more.
pub(super) struct Answer {
    body: RecvStream,
    frames: Frames,
    /// There is no body: the call was over with its head, and went well.
    over: bool,
    _place: Place,
}

impl Answer {
    fn of(response: Response<RecvStream>, place: Place) -> Result<Self, Failure> {
        let (head, body) = response.into_parts();
        let over = is_over(&head)?;
        Ok(Answer {
            body,
            frames: Frames::default(),
            over,
            _place: place,
        })
    }

    /// The next encoded message; nothing at the end of a call that went well.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        while !self.over {
            if let Some(message) = self.frames.next().map_err(Failure::Malformed)? {
                return Ok(Some(message));
            }
            match self.body.data().await {
                Some(data) => {
                    let data = data.map_err(Failure::Broken)?;
                    // The window reopens as fast as it is read: what is kept is bounded by the
                    // size of a message. An error means that the stream has ended already.
                    drop(self.body.flow_control().release_capacity(data.len()));
                    self.frames.push(data);
                }
                None => self.end().await?,
            }
        }
        Ok(None)
    }

    /// How the call ended.
    async fn end(&mut self) -> Result<(), Failure> {
        self.over = true;
        let trailers = self.body.trailers().await.map_err(Failure::Broken)?;
        let Some(trailers) = trailers else {
            return Err(malformed("it ends without a status"));
        };
        if trailers
            .get(Status::GRPC_STATUS)
            .is_none_or(|status| status != "0")
        {
            let status = Status::from_header_map(&trailers)
                .ok_or_else(|| malformed("it ends without a status"))?;
            return Err(Failure::Told(Box::new(status)));
        }
        if self.frames.is_empty() {
            Ok(())
        } else {
            Err(malformed("its last message is cut short"))
        }
    }

    /// The one message of a unary answer.
    pub(super) async fn one(mut self) -> Result<Bytes, Failure> {
        let message = self
            .next()
            .await?
            .ok_or_else(|| malformed("it holds no message"))?;
        match self.next().await? {
            None => Ok(message),
            Some(_second) => Err(malformed("it holds several messages")),
        }
    }
}

/// Whether a call is over with this head, and went well.
pub(super) fn is_over(head: &response::Parts) -> Result<bool, Failure> {
    if let Some(status) = Status::from_header_map(&head.headers) {
        return match status.code() {
            tonic::Code::Ok => Ok(true),
            _ => Err(Failure::Told(Box::new(status))),
        };
    }
    if head.status != StatusCode::OK {
        return Err(Failure::Told(Box::new(Status::new(
            code_of(head.status),
            format!("HTTP status {} instead of an answer", head.status.as_u16()),
        ))));
    }
    Ok(false)
}

fn malformed(words: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::Malformed(Error::internal(words))
}

/// What an HTTP status means where no gRPC status came, as the protocol maps it.
fn code_of(status: StatusCode) -> tonic::Code {
    match status.as_u16() {
        400 => tonic::Code::Internal,
        401 => tonic::Code::Unauthenticated,
        403 => tonic::Code::PermissionDenied,
        404 => tonic::Code::Unimplemented,
        429 | 502 | 503 | 504 => tonic::Code::Unavailable,
        _ => tonic::Code::Unknown,
    }
}

#[cfg(test)]
mod tests;
