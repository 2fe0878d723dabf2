//! One connection to one instance, kept open ahead of traffic by a task of its own.

use super::exchange::Call;
use super::load::Load;
use arc_swap::ArcSwapOption;
use backlot_core::backoff::Backoff;
use backlot_core::net::Stream;
use backlot_core::{Dice, Env};
use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use h2::{Ping, PingPong};
use http::uri::Authority;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

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
    /// The address as requests name it; nothing when it is malformed, and then never connected.
    authority: Option<Authority>,
    sender: ArcSwapOption<SendRequest<Bytes>>,
    /// How busy it is, as far as calls from here tell.
    pub(super) load: Load,
}

impl Endpoint {
    pub(super) fn new(address: String) -> Self {
        let authority = Authority::try_from(address.as_str()).ok();
        Endpoint {
            address,
            authority,
            sender: ArcSwapOption::empty(),
            load: Load::new(Instant::now()),
        }
    }

    /// A call over the connection, if it is open and takes calls.
    pub(super) fn call(&self) -> Option<Call> {
        let authority = self.authority.clone()?;
        let mut sender = SendRequest::clone(self.sender.load().as_ref()?);
        // A new clone waits for nothing: either it is ready, or its connection takes no more calls.
        match sender.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Some(Call { sender, authority }),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    }

    /// Keeps the connection open for ever, telling each change of its state.
    pub(super) async fn keep(&self, env: Env, dice: Dice, state: watch::Sender<State>) {
        let mut failures = 0;
        loop {
            match tokio::time::timeout(CONNECT, self.connect(&env)).await {
                Ok(Ok((sender, connection))) => {
                    failures = 0;
                    self.sender.store(Some(Arc::new(sender)));
                    state.send_replace(State::Ready);
                    let ended = alive(connection).await;
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

    async fn connect(
        &self,
        env: &Env,
    ) -> io::Result<(SendRequest<Bytes>, Connection<Stream, Bytes>)> {
        if self.authority.is_none() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the instance's address is malformed",
            ));
        }
        let stream = env.net.connect(&self.address).await?;
        h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADERS)
            .handshake(stream)
            .await
            .map_err(io::Error::other)
    }
}

/// Moves a connection's bytes until it ends, or until its peer is dead.
async fn alive(mut connection: Connection<Stream, Bytes>) -> io::Result<()> {
    let pings = connection.ping_pong();
    tokio::select! {
        biased;
        ended = connection => ended.map_err(io::Error::other),
        () = until_silent(pings) => Err(io::Error::new(io::ErrorKind::TimedOut, "the peer answers no ping")),
    }
}

/// Ends when a ping is not answered.
async fn until_silent(pings: Option<PingPong>) {
    let Some(mut pings) = pings else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(PING).await;
        match tokio::time::timeout(PING_ANSWER, pings.ping(Ping::opaque())).await {
            Ok(Ok(_pong)) => {}
            // The connection ends by itself, and says why.
            Ok(Err(_broken)) => return std::future::pending().await,
            Err(_elapsed) => return,
        }
    }
}
