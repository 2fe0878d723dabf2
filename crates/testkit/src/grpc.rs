//! gRPC from bytes: HTTP/2 with prior knowledge, frames and trailers as the protocol describes
//! them.

use crate::http::timely;
use backlot_core::net::{Network, Tcp};
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;
use tokio::task::JoinSet;

/// A connection.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    address: String,
    _driver: JoinSet<hyper::Result<()>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connection").field(&self.address).finish()
    }
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, 200 for anything that is gRPC.
    pub http: u16,
    /// `grpc-status`; nothing when there was none.
    pub code: Option<i32>,
    /// `grpc-message`, its percent-encoding undone.
    pub message: String,
    /// `grpc-status-details-bin`, still encoded.
    pub details: String,
    /// The messages that came before the end.
    pub messages: Vec<Bytes>,
}

/// The answer to a call while it comes.
pub struct Call {
    status: StatusCode,
    headers: HeaderMap,
    body: hyper::body::Incoming,
    buffer: BytesMut,
    trailers: Option<HeaderMap>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects to `address` (`host:port`).
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn open(address: &str) -> io::Result<Self> {
        timely(async {
            let stream = Tcp.connect(address).await?;
            let (sender, connection) =
                hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                    // What the other side sends is to be seen, however much it is.
                    .max_header_list_size(1 << 20)
                    .handshake(TokioIo::new(stream))
                    .await
                    .map_err(io::Error::other)?;
            let mut driver = JoinSet::new();
            driver.spawn(connection);
            Ok(Connection {
                sender,
                address: address.to_owned(),
                _driver: driver,
            })
        })
        .await
    }

    /// Starts a call: `body` is sent as it is.
    ///
    /// # Errors
    /// When the connection or the stream breaks before an answer begins.
    ///
    /// # Panics
    /// When path or headers cannot be sent at all.
    pub async fn start(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> io::Result<Call> {
        let mut request = Request::post(format!("http://{}{path}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match request.body(Full::new(body.into())) {
            Ok(request) => request,
            Err(error) => panic!("{path} with {headers:?} is no request: {error}"),
        };
        let response = timely(async {
            self.sender.ready().await.map_err(io::Error::other)?;
            self.sender
                .send_request(request)
                .await
                .map_err(io::Error::other)
        })
        .await?;
        let (parts, body) = response.into_parts();
        Ok(Call {
            status: parts.status,
            headers: parts.headers,
            body,
            buffer: BytesMut::new(),
            trailers: None,
        })
    }

    /// Calls with one encoded message and waits for the end.
    ///
    /// # Errors
    /// When the connection or the stream breaks.
    pub async fn call(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        message: &[u8],
    ) -> io::Result<Answer> {
        self.start(path, headers, frame(message)).await?.end().await
    }
}

impl Call {
    /// The next message; nothing at the end.
    ///
    /// # Errors
    /// When the connection or the stream breaks.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        timely(async {
            loop {
                if let Some(message) = take(&mut self.buffer) {
                    return Ok(Some(message));
                }
                let Some(frame) = self.body.frame().await else {
                    return Ok(None);
                };
                match frame.map_err(io::Error::other)?.into_data() {
                    Ok(data) => self.buffer.extend_from_slice(&data),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                }
            }
        })
        .await
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When the connection or the stream breaks.
    pub async fn end(mut self) -> io::Result<Answer> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await? {
            messages.push(message);
        }
        // A call that fails at once has its status in the headers.
        let ends = self.trailers.as_ref().unwrap_or(&self.headers);
        let text = |name: &str| {
            ends.get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        Ok(Answer {
            http: self.status.as_u16(),
            code: text("grpc-status").parse().ok(),
            message: decoded(&text("grpc-message")),
            details: text("grpc-status-details-bin"),
            messages,
        })
    }
}

/// A message as it goes over the wire: not compressed, with its length.
#[must_use]
pub fn frame(message: &[u8]) -> Bytes {
    let mut frame = vec![0];
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

/// One field of a message whose value is text or a message: its number and the value.
#[must_use]
pub fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = value.len();
    while length > 127 {
        field.push((length & 127) as u8 | 128);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(value);
    field
}

fn take(buffer: &mut BytesMut) -> Option<Bytes> {
    let length = u32::from_be_bytes(buffer.get(1..5)?.try_into().ok()?) as usize;
    if buffer.len() < 5 + length {
        return None;
    }
    buffer.advance(5);
    Some(buffer.split_to(length).freeze())
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (
            first,
            escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()),
        ) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_half_a_frame_waits() {
        let whole = frame(b"film");
        let mut buffer = BytesMut::from(&whole[..7]);
        assert_eq!(take(&mut buffer), None);
        buffer.extend_from_slice(&whole[7..]);
        assert_eq!(take(&mut buffer).as_deref(), Some(&b"film"[..]));
        assert!(buffer.is_empty());
    }

    #[test]
    fn long_fields_have_long_lengths() {
        assert_eq!(field(7, b"*"), [0x3a, 1, b'*']);
        assert_eq!(field(1, &[b'x'; 300])[..3], [0x0a, 0xac, 0x02]);
    }

    #[test]
    fn messages_are_decoded() {
        assert_eq!(decoded("caf%C3%A9 100%"), "café 100%");
    }
}
