//! Requests over HTTP/1.1, and bytes that are no request.

use backlot_core::net::{Network, Stream, Tcp};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// All of its body.
    pub body: Bytes,
}

impl Answer {
    /// The text of a header, or nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks `address` (`host:port`) over a connection of its own.
///
/// # Errors
/// When it cannot be reached, or breaks off, or does not answer within half a minute.
pub async fn send(address: &str, request: Request<Bytes>) -> io::Result<Answer> {
    timely(async {
        let stream = Tcp.connect(address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let response = sender
            .send_request(request.map(Full::new))
            .await
            .map_err(io::Error::other)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    })
    .await
}

/// Asks with a method, a path, headers and a body.
///
/// # Errors
/// As [`send`].
///
/// # Panics
/// When path or headers cannot be sent at all; use [`raw`] for those.
pub async fn ask(
    address: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> io::Result<Answer> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match request.body(body.into()) {
        Ok(request) => send(address, request).await,
        Err(error) => panic!("{path} with {headers:?} is no request: {error}"),
    }
}

/// GET.
///
/// # Errors
/// As [`send`].
pub async fn get(address: &str, path: &str) -> io::Result<Answer> {
    ask(address, Method::GET, path, &[], "").await
}

/// Sends bytes as they are and reads until the other side closes, or for at most `patience`.
///
/// # Errors
/// When `address` cannot be reached.
pub async fn raw(address: &str, bytes: &[u8], patience: Duration) -> io::Result<Vec<u8>> {
    let mut stream: Stream = Tcp.connect(address).await?;
    let mut answer = Vec::new();
    let talk = async {
        // The other side may close before it has read all: what it said until then counts.
        drop(stream.write_all(bytes).await);
        drop(stream.read_to_end(&mut answer).await);
    };
    drop(tokio::time::timeout(patience, talk).await);
    Ok(answer)
}

/// A body that is read as it comes, for example server-sent events.
pub struct Open {
    /// The status of the answer.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: hyper::body::Incoming,
    text: String,
    _driver: JoinSet<hyper::Result<()>>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open")
            .field("status", &self.status)
            .field("unread", &self.text)
            .finish_non_exhaustive()
    }
}

impl Open {
    /// GET whose answer does not end soon.
    ///
    /// # Errors
    /// As [`send`].
    pub async fn get(address: &str, path: &str) -> io::Result<Open> {
        timely(async {
            let stream = Tcp.connect(address).await?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .map_err(io::Error::other)?;
            let mut driver = JoinSet::new();
            driver.spawn(connection);
            let request = Request::get(path)
                .header("host", address)
                .body(Full::new(Bytes::new()));
            let response = sender
                .send_request(request.map_err(io::Error::other)?)
                .await
                .map_err(io::Error::other)?;
            let (parts, body) = response.into_parts();
            Ok(Open {
                status: parts.status,
                headers: parts.headers,
                body,
                text: String::new(),
                _driver: driver,
            })
        })
        .await
    }

    /// The next part up to `end`, which is left out; nothing at the end of the body.
    ///
    /// # Errors
    /// When the connection breaks, or nothing comes for half a minute.
    pub async fn until(&mut self, end: &str) -> io::Result<Option<String>> {
        timely(async {
            loop {
                if let Some((part, rest)) = self.text.split_once(end) {
                    let (part, rest) = (part.to_owned(), rest.to_owned());
                    self.text = rest;
                    return Ok(Some(part));
                }
                let Some(frame) = self.body.frame().await else {
                    return Ok(None);
                };
                if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
                    self.text.push_str(&String::from_utf8_lossy(&data));
                }
            }
        })
        .await
    }
}

pub(crate) async fn timely<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_elapsed) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no answer within half a minute",
        )),
    }
}
