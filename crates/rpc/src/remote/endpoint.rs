//! One connection to one instance, kept open ahead of traffic by a task of its own.

use arc_swap::ArcSwapOption;
use backlot_core::backoff::Backoff;
use backlot_core::{BoxFuture, Dice, Env};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;

/// How long connecting may take, handshake included.
const CONNECT: Duration = Duration::from_secs(1);
/// Waits between failed attempts. The cap bounds how long a restarted instance at a fixed address
/// goes unseen.
const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(1),
};
/// A dead peer is seen after one ping and the wait for its answer.
const PING: Duration = Duration::from_secs(2);
const PING_ANSWER: Duration = Duration::from_secs(1);
/// The largest head or trailers of an answer. An error travels in them: its text, percent-encoded,
/// and its violations.
const HEADERS: u32 = 64 * 1024;
/// Flow-control windows: large enough that a 4 MiB message does not wait for updates.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

type Sender = http2::SendRequest<tonic::body::Body>;

/// Where an endpoint's connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The first connection is being made.
    Connecting,
    /// Calls can go out.
    Ready,
    /// The last attempt failed or the connection was lost; it is being made anew.
    Failed,
}

/// One instance's connection.
pub(super) struct Endpoint {
    pub(super) address: String,
    sender: ArcSwapOption<Sender>,
}

impl Endpoint {
    pub(super) fn new(address: String) -> Self {
        Endpoint {
            address,
            sender: ArcSwapOption::empty(),
        }
    }

    /// A call over the connection, if it is open.
    pub(super) fn call(&self) -> Option<Call> {
        let sender = self.sender.load();
        let sender = sender.as_ref().filter(|sender| !sender.is_closed())?;
        Some(Call {
            sender: Sender::clone(sender),
            authority: self.address.clone(),
        })
    }

    /// Keeps the connection open for ever, telling each change of its state.
    pub(super) async fn keep(&self, env: Env, dice: Dice, state: watch::Sender<State>) {
        let mut failures = 0;
        loop {
            match tokio::time::timeout(CONNECT, connect(&env, &self.address)).await {
                Ok(Ok((sender, connection))) => {
                    failures = 0;
                    self.sender.store(Some(Arc::new(sender)));
                    state.send_replace(State::Ready);
                    let ended = connection.await;
                    self.sender.store(None);
                    state.send_replace(State::Failed);
                    tracing::debug!(address = self.address, outcome = ?ended, "connection ended");
                }
                failed => {
                    failures += 1;
                    state.send_replace(State::Failed);
                    tracing::debug!(address = self.address, failures, outcome = ?failed.map(|attempt| attempt.err()), "cannot connect");
                }
            }
            tokio::time::sleep(BACKOFF.wait(failures.max(1), &dice)).await;
        }
    }
}

type Connection = BoxFuture<'static, hyper::Result<()>>;

async fn connect(env: &Env, address: &str) -> io::Result<(Sender, Connection)> {
    let stream = env.net.connect(address).await?;
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(HEADERS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING_ANSWER)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    Ok((sender, Box::pin(connection)))
}

/// One call over an open connection, in the shape tonic's client wants.
pub(crate) struct Call {
    sender: Sender,
    authority: String,
}

impl tower_service::Service<http::Request<tonic::body::Body>> for Call {
    type Response = http::Response<hyper::body::Incoming>;
    type Error = tonic::Status;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sender.poll_ready(cx).map_err(broken)
    }

    fn call(&mut self, mut request: http::Request<tonic::body::Body>) -> Self::Future {
        let path = std::mem::take(request.uri_mut())
            .into_parts()
            .path_and_query;
        let uri = http::Uri::builder()
            .scheme("http")
            .authority(self.authority.as_str())
            .path_and_query(path.unwrap_or_else(|| http::uri::PathAndQuery::from_static("/")))
            .build();
        match uri {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => {
                let status = tonic::Status::unavailable(format!(
                    "the instance's address is malformed: {error}"
                ));
                return Box::pin(std::future::ready(Err(status)));
            }
        }
        let response = self.sender.send_request(request);
        Box::pin(async move { response.await.map_err(broken) })
    }
}

/// A failure of the connection, not of the callee.
fn broken(error: hyper::Error) -> tonic::Status {
    tonic::Status::unavailable(format!(
        "the connection broke: {}",
        backlot_core::error::chain(&error)
    ))
}
