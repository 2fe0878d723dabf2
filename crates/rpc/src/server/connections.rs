//! Accepts connections, bounds them, and lets them end in time.

use super::calls::{Calls, Counted, Watched};
use super::dispatch::Dispatch;
use backlot_core::Dice;
use backlot_core::env::{Phase, Shutdown};
use backlot_core::net::{Listener, Stream};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long a drain waits for callers to hang up once all their calls are answered.
const FAREWELL: Duration = Duration::from_secs(1);
const LOOKS: u32 = 20;
/// A peer that vanished without a word is seen after one ping and the wait for its answer. A drain
/// waits for it until then.
const PING: Duration = Duration::from_secs(5);
const PING_ANSWER: Duration = Duration::from_secs(2);

/// How many connections, and how long each step of one may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; more wait in the kernel's queue.
    pub connections: usize,
    /// Concurrent calls of one connection.
    pub streams: u32,
    /// From the first byte of a request's head to its last; and for a new caller to introduce
    /// itself.
    pub head: Duration,
    /// The size of a request's headers in bytes.
    pub headers: u32,
    /// How long calls in flight may take to finish while draining.
    pub drain: Duration,
    /// How long a connection takes calls, by a tenth more or less: then its caller is told to make
    /// another, so that calls come to new instances as well. What is asked by then is answered.
    pub age: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 10_000,
            streams: 1_000,
            head: Duration::from_secs(10),
            headers: 16 * 1024,
            drain: Duration::from_secs(20),
            age: Some(Duration::from_secs(30 * 60)),
        }
    }
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Connections cut because their calls did not finish in time.
    pub cut: usize,
}

pub(super) async fn serve(
    mut listener: Box<dyn Listener>,
    dispatch: Dispatch,
    shutdown: Shutdown,
    dice: &Dice,
    limits: Limits,
) -> Outcome {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.reached(Phase::Draining) => break,
            _ended = connections.join_next(), if connections.len() >= limits.connections => continue,
            accepted = listener.accept(), if connections.len() < limits.connections => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection(
                    (stream, peer),
                    dispatch.clone(),
                    shutdown.clone(),
                    Limits {
                        age: limits.age.map(|age| age.mul_f64(0.9 + 0.2 * dice.unit())),
                        ..limits
                    },
                ));
            }
            Err(error) => {
                // Out of file descriptors, most likely: accepting at once again would spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    let in_time = tokio::select! {
        biased;
        () = finished => true,
        () = tokio::time::sleep(limits.drain) => false,
        () = shutdown.reached(Phase::Stopped) => false,
    };
    let cut = if in_time { 0 } else { connections.len() };
    connections.shutdown().await;
    Outcome { cut }
}

async fn connection(
    (stream, peer): (Stream, SocketAddr),
    dispatch: Dispatch,
    shutdown: Shutdown,
    limits: Limits,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.headers.max(8 * 1024) as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.headers)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING_ANSWER);
    let calls = Calls::default();
    let stream = TokioIo::new(Watched::new(stream, calls.clone()));
    let connection = builder.serve_connection(
        stream,
        Counted {
            dispatch,
            calls: calls.clone(),
        },
    );
    tokio::pin!(connection);
    let mut is_old = false;
    let lived = async {
        let age = silence(&calls, limits.head, limits.age);
        tokio::pin!(age);
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => return Some(ended),
                turn = age.as_mut(), if !is_old => match turn {
                    Turn::Silent => return None,
                    // It ends when its calls have.
                    Turn::Old => {
                        is_old = true;
                        connection.as_mut().graceful_shutdown();
                    }
                },
            }
        }
    };
    let ended = tokio::select! {
        biased;
        () = calls.flooded() => {
            tracing::warn!(%peer, "a connection is flooded with frames that ask nothing: it ends");
            // Its peer may read why.
            return tokio::time::sleep(FAREWELL).await;
        }
        ended = lived => match ended {
            Some(ended) => ended,
            None => return,
        },
        () = shutdown.reached(Phase::Draining) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                ended = connection => ended,
                () = farewell(&calls) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// What becomes of a connection in time.
enum Turn {
    /// Its caller has said nothing of use.
    Silent,
    /// It has lived for long.
    Old,
}

/// Waits until the caller has said nothing of use for `limit`, or for the connection's age.
async fn silence(calls: &Calls, limit: Duration, age: Option<Duration>) -> Turn {
    let began = Instant::now();
    tokio::time::sleep(limit).await;
    if calls.is_stranger() {
        return Turn::Silent;
    }
    match age {
        Some(age) => tokio::time::sleep_until(began + age).await,
        None => std::future::pending().await,
    }
    Turn::Old
}

/// Ends when nothing has been asked for a while: a caller that neither asks nor hangs up, nor lets
/// the protocol end, holds up nobody.
async fn farewell(calls: &Calls) {
    let mut quiet = 0;
    while quiet < LOOKS {
        tokio::time::sleep(FAREWELL / LOOKS).await;
        quiet = if calls.is_quiet() { quiet + 1 } else { 0 };
    }
}
