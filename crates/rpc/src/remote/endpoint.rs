//! The connections to one instance: one, kept open ahead of traffic by a task of its own, and more
//! while that is full.

use super::caller::Caller;
use super::exchange::Call;
use super::line::Line;
use super::load::Load;
use super::set::Owned;
use super::standing::Standing;
use crate::policy::{Connect, Live};
use arc_swap::{ArcSwap, ArcSwapOption};
use backlot_core::Env;
use backlot_core::backoff::Backoff;
use backlot_core::net::Stream;
use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use h2::{Ping, PingPong};
use http::uri::Authority;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// A connection that ended sooner is not made again at once: its peer takes none for long.
const SHORT: Duration = Duration::from_secs(1);
/// The longest pause before one that ended in order is made again.
const MOMENT: Duration = Duration::from_millis(20);
/// A connection beside the first that carries nothing is looked at so often; found so it ends.
const IDLE: Duration = Duration::from_secs(30);
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
    first: ArcSwapOption<Line>,
    /// Those beside the first.
    more: ArcSwap<Vec<Arc<Line>>>,
    /// Told when all are full.
    are_full: Notify,
    /// How busy it is, as far as calls from here tell.
    pub(super) load: Load,
    /// Whether it gets calls, as far as its answers tell.
    pub(super) standing: Standing,
    /// How many calls are awaited of all endpoints of its set.
    pub(super) awaited: Arc<AtomicUsize>,
}

impl Endpoint {
    pub(super) fn new(address: String, awaited: Arc<AtomicUsize>) -> Self {
        let now = Instant::now();
        let authority = Authority::try_from(address.as_str()).ok();
        Endpoint {
            address,
            authority,
            first: ArcSwapOption::empty(),
            more: ArcSwap::default(),
            are_full: Notify::new(),
            load: Load::new(now),
            standing: Standing::new(now),
            awaited,
        }
    }

    /// Whether the connection is open: it may still take no more calls.
    pub(super) fn is_open(&self) -> bool {
        self.first.load().is_some() || !self.more.load().is_empty()
    }

    /// A call over a connection, if one is open and takes calls. Where all are full another is made,
    /// and this call waits for its turn.
    pub(super) fn call(&self) -> Option<Call> {
        let (authority, first) = (self.authority.as_ref()?, self.first.load());
        let beside = || {
            let more = self.more.load();
            let mut others = more.iter().filter(|line| !line.is_full());
            others.find_map(|line| line.call(authority))
        };
        match first.as_ref() {
            Some(first) if first.is_full() => beside().or_else(|| {
                self.are_full.notify_one();
                first.call(authority)
            }),
            Some(first) => first.call(authority),
            None => beside(),
        }
    }

    /// Whether none of its connections takes a call at once.
    fn is_full(&self) -> bool {
        let first = self.first.load();
        first.as_ref().is_some_and(|first| first.is_full())
            && self.more.load().iter().all(|line| line.is_full())
    }

    /// Keeps the connection open for ever, telling each change of its state, and makes others while
    /// it is full.
    pub(super) async fn keep(
        &self,
        (caller, knobs): (&Caller, &Live),
        joins: bool,
        state: watch::Sender<State>,
    ) {
        let keeping = self.keep_first((caller, knobs), joins, state);
        tokio::join!(keeping, self.widen(caller, knobs));
    }

    /// Keeps the first connection open. One that joins others gets its calls little by little, and
    /// one that comes back does. When the peer wants a connection to end, another is made at once;
    /// what was asked over the old one is answered over it.
    async fn keep_first(
        &self,
        (caller, knobs): (&Caller, &Live),
        mut joins: bool,
        state: watch::Sender<State>,
    ) {
        let env = &caller.env;
        let dice = env.dice.branch(&self.address);
        // Those that are to end, until their calls are answered: a stream lives for an hour at most.
        let mut leaving = Vec::new();
        let mut failures = 0;
        let mut was_connected = false;
        loop {
            let timeout = knobs.now().connect.timeout;
            match tokio::time::timeout(timeout, self.connect(env)).await {
                Ok(Ok((sender, connection))) => {
                    failures = 0;
                    was_connected = true;
                    if joins {
                        self.load.forget();
                        self.standing.returns(Instant::now());
                    }
                    self.first.store(Some(Arc::new(Line::new(sender.clone()))));
                    state.send_replace(State::Ready);
                    let mut running = Box::pin(alive(connection, knobs.clone()));
                    let began = Instant::now();
                    let end = until_it_leaves(&mut running, sender).await;
                    self.first.store(None);
                    let is_polite = !matches!(end, End::Broken(_));
                    if matches!(end, End::Leaves) {
                        // What it was asked is answered over it.
                        let name = format!("connection that ends, to {}", self.address);
                        let task = caller.tasks.spawn_endless(name, async move {
                            drop(running.await);
                        });
                        leaving.retain(|connection: &Owned| !connection.has_ended());
                        leaving.push(Owned::from(task));
                    }
                    if is_polite && Instant::now() - began > SHORT {
                        tracing::debug!(address = self.address, "connection is to end");
                        state.send_replace(State::Connecting);
                        joins = false;
                        // Where it leaves altogether its listener closes meanwhile.
                        let pause = MOMENT.mul_f64(dice.unit());
                        tokio::time::sleep(pause).await;
                        continue;
                    }
                    joins = true;
                    state.send_replace(State::Failed);
                    tracing::debug!(address = self.address, outcome = ?end, "connection ended");
                }
                failed => {
                    failures += 1;
                    joins |= was_connected;
                    state.send_replace(State::Failed);
                    tracing::debug!(address = self.address, failures, outcome = ?failed.map(|attempt| attempt.err()), "cannot connect");
                }
            }
            let pauses = pauses(&knobs.now().connect);
            let mut changed = knobs.watch();
            tokio::select! {
                biased;
                () = tokio::time::sleep(pauses.wait(failures.max(1), &dice)) => {}
                // It may be shorter from now on.
                Ok(()) = changed.changed() => {}
            }
        }
    }

    /// Makes connections beside the first while all are full, as many as may be.
    async fn widen(&self, caller: &Caller, knobs: &Live) {
        let dice = caller.env.dice.branch(&format!("more to {}", self.address));
        // Each with what keeps it.
        let mut kept: Vec<(Arc<Line>, Owned)> = Vec::new();
        loop {
            let policy = knobs.now().connect.clone();
            kept.retain(|(_, keeper)| !keeper.has_ended());
            if kept.len() + 1 >= policy.connections || !self.is_full() {
                self.are_full.notified().await;
                continue;
            }
            match tokio::time::timeout(policy.timeout, self.connect(&caller.env)).await {
                Ok(Ok((sender, connection))) => {
                    tracing::debug!(address = self.address, "a connection more: all were full");
                    let line = Arc::new(Line::new(sender.clone()));
                    let running = alive(connection, knobs.clone());
                    let keeping = beside(Arc::clone(&line), sender, running);
                    let name = format!("connection beside the first to {}", self.address);
                    let task = caller.tasks.spawn_endless(name, keeping);
                    kept.push((line, Owned::from(task)));
                }
                // The first tells what is wrong, if anything is.
                _failed => tokio::time::sleep(pauses(&policy).wait(1, &dice)).await,
            }
            let lines = kept.iter().map(|(line, _)| Arc::clone(line));
            self.more.store(Arc::new(lines.collect()));
        }
    }

    /// A connection whose peer has answered: of a process that stands still the kernel takes
    /// connections, too.
    async fn connect(&self, env: &Env) -> io::Result<(SendRequest<Bytes>, Open)> {
        if self.authority.is_none() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the instance's address is malformed",
            ));
        }
        let stream = env.net.connect(&self.address).await?;
        let (sender, mut connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADERS)
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        let mut pings = connection.ping_pong();
        let answered = async {
            match &mut pings {
                Some(pings) => pings.ping(Ping::opaque()).await.map(drop),
                None => Ok(()),
            }
        };
        tokio::select! {
            biased;
            ended = &mut connection => ended.map_err(io::Error::other).and_then(|()| {
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the peer hung up"))
            })?,
            answered = answered => answered.map_err(io::Error::other)?,
        }
        Ok((sender, Open { connection, pings }))
    }
}

/// An open connection, and how its peer is asked whether it is there.
struct Open {
    connection: Connection<Stream, Bytes>,
    pings: Option<PingPong>,
}

fn pauses(policy: &Connect) -> Backoff {
    Backoff {
        base: policy.pause,
        cap: policy.longest_pause,
    }
}

/// How a connection stopped to take calls.
#[derive(Debug)]
enum End {
    /// Its peer wants it to end (GOAWAY), and answers what it was asked.
    Leaves,
    /// It ended in order.
    Over,
    Broken(#[expect(dead_code, reason = "for the log")] io::Error),
}

/// Runs a connection until it takes no more calls.
async fn until_it_leaves(
    running: &mut (impl Future<Output = io::Result<()>> + Unpin),
    mut sender: SendRequest<Bytes>,
) -> End {
    poll_fn(|cx| {
        match Pin::new(&mut *running).poll(cx) {
            Poll::Ready(Ok(())) => return Poll::Ready(End::Over),
            Poll::Ready(Err(error)) => return Poll::Ready(End::Broken(error)),
            Poll::Pending => {}
        }
        // This sender has sent nothing: it waits for nothing but the end.
        match sender.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Err(_)) => Poll::Ready(End::Leaves),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Keeps a connection beside the first: until it ends, or nobody needs it.
async fn beside(
    line: Arc<Line>,
    sender: SendRequest<Bytes>,
    running: impl Future<Output = io::Result<()>>,
) {
    let mut running = Box::pin(running);
    let idle = async {
        loop {
            tokio::time::sleep(IDLE).await;
            if line.close() {
                return;
            }
        }
    };
    let end = tokio::select! {
        biased;
        end = until_it_leaves(&mut running, sender) => end,
        () = idle => return,
    };
    if matches!(end, End::Leaves) {
        // What it was asked is answered over it.
        drop(running.await);
    }
}

/// Moves a connection's bytes until it ends, or until its peer is dead.
async fn alive(Open { connection, pings }: Open, knobs: Live) -> io::Result<()> {
    tokio::select! {
        biased;
        ended = connection => ended.map_err(io::Error::other),
        () = until_silent(pings, &knobs) => Err(io::Error::new(io::ErrorKind::TimedOut, "the peer answers no ping")),
    }
}

/// Ends when a ping is not answered.
async fn until_silent(pings: Option<PingPong>, knobs: &Live) {
    let Some(mut pings) = pings else {
        return std::future::pending().await;
    };
    loop {
        let (pause, patience) = {
            let policy = &knobs.now().connect;
            (policy.ping, policy.answer)
        };
        let mut changed = knobs.watch();
        tokio::select! {
            biased;
            () = tokio::time::sleep(pause) => {}
            // It may be shorter from now on: asking once more costs nothing.
            Ok(()) = changed.changed() => {}
        }
        match tokio::time::timeout(patience, pings.ping(Ping::opaque())).await {
            Ok(Ok(_pong)) => {}
            // The connection ends by itself, and says why.
            Ok(Err(_broken)) => return std::future::pending().await,
            Err(_elapsed) => return,
        }
    }
}
