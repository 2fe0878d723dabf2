//! One session: a member of a group on behalf of a caller far away.
//!
//! A task owns the member and does one thing at a time. While a caller waits, the member waits; a
//! word about messages interrupts that and is done first, so that nobody waits for it. What was told
//! last is kept until the caller asks for what comes next, which says that it has heard.

use super::sessions::ended;
use crate::wire::failure::{OUT_OF_TURN, public};
use crate::wire::told;
use backlot_core::Error;
use backlot_core::env::{Phase, Shutdown};
use backlot_core::error::Reason;
use backlot_messaging::Error as Failure;
use backlot_messaging::engine::{Input, Settle, Source, Stale, Subscription, Token};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// About how many bytes of messages one answer holds: it has to fit into one message of the wire.
const ANSWER_BYTES: usize = 3 << 20;

/// What a caller waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) sequence: u64,
    pub(super) max: usize,
    pub(super) until: Instant,
}

type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What a session is told to do.
pub(super) enum Order {
    Next(Ask, Reply<Option<Input>>),
    Settle(Vec<(Token, Settle)>, Reply<Vec<Stale>>),
    Leave { died: bool, reply: Reply<()> },
}

/// The way to a session.
pub(super) struct Session(pub(super) mpsc::Sender<Order>);

impl Session {
    /// What comes next; nothing when it did not come in time.
    pub(super) async fn next(&self, ask: Ask) -> Result<Option<Input>, Error> {
        self.order(|reply| Order::Next(ask, reply)).await
    }

    pub(super) async fn settle(&self, settled: Vec<(Token, Settle)>) -> Result<Vec<Stale>, Error> {
        self.order(|reply| Order::Settle(settled, reply)).await
    }

    pub(super) async fn leave(&self, died: bool) -> Result<(), Error> {
        self.order(|reply| Order::Leave { died, reply }).await
    }

    async fn order<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.0.send(order(reply)).await.map_err(|_ended| ended())?;
        match answer.await {
            Ok(answer) => answer,
            Err(_dropped) => Err(ended()),
        }
    }
}

struct State {
    source: Box<dyn Source>,
    /// Who waits.
    asked: Option<(Ask, Reply<Option<Input>>)>,
    /// What was told last, and under which number.
    told: (u64, Option<Input>),
    /// What is to be told next.
    next: VecDeque<Input>,
    /// When the caller is taken for gone unless it calls.
    silent_at: Instant,
    silence: Duration,
    stops: bool,
}

enum Event {
    Order(Order),
    /// Nobody can order anything any more, or the process ends.
    Over,
    Stopping,
    /// Who waited has gone.
    Gone,
    Input(Result<Input, Failure>),
    Late,
    Silent,
}

/// Serves a caller until it leaves, is silent for too long, or the engine is closed.
pub(super) async fn run(
    source: Box<dyn Source>,
    subscription: &Subscription,
    mut orders: mpsc::Receiver<Order>,
    silence: Duration,
    shutdown: Shutdown,
) {
    let mut state = State {
        source,
        asked: None,
        told: (0, None),
        next: VecDeque::new(),
        silent_at: Instant::now() + silence,
        silence,
        stops: false,
    };
    loop {
        match state.event(&mut orders, &shutdown).await {
            Event::Order(Order::Next(ask, reply)) => state.ask(ask, reply),
            Event::Order(Order::Settle(settled, reply)) => {
                let stale = state.source.settle(settled).await.map_err(public);
                // Who went away says it again.
                drop(reply.send(stale));
                state.is_heard();
            }
            Event::Order(Order::Leave { died, reply }) => {
                let left = if died {
                    state.source.abandon();
                    Ok(())
                } else {
                    state.source.close().await.map_err(public)
                };
                drop(reply.send(left));
                return;
            }
            Event::Input(Ok(input)) => {
                split(input, &mut state.next);
                state.tell();
            }
            Event::Input(Err(error)) => {
                let is_over = matches!(error, Failure::Closed);
                state.answer(Err(public(error)));
                if is_over {
                    return;
                }
            }
            Event::Late => state.answer(Ok(None)),
            Event::Gone => state.asked = None,
            Event::Stopping => {
                state.stops = true;
                state.answer(Err(stopping()));
            }
            Event::Silent => {
                tracing::warn!(
                    topic = subscription.topic,
                    group = subscription.group,
                    member = subscription.member,
                    "a session was silent for too long and has ended"
                );
                state.source.abandon();
                return;
            }
            Event::Over => return,
        }
    }
}

impl State {
    async fn event(&mut self, orders: &mut mpsc::Receiver<Order>, shutdown: &Shutdown) -> Event {
        let stopping = shutdown.reached(if self.stops {
            Phase::Stopped
        } else {
            Phase::Draining
        });
        let Some((ask, reply)) = &mut self.asked else {
            return tokio::select! {
                biased;
                order = orders.recv() => order.map_or(Event::Over, Event::Order),
                () = stopping => if self.stops { Event::Over } else { Event::Stopping },
                () = sleep_until(self.silent_at) => Event::Silent,
            };
        };
        tokio::select! {
            biased;
            order = orders.recv() => order.map_or(Event::Over, Event::Order),
            () = stopping => if self.stops { Event::Over } else { Event::Stopping },
            () = reply.closed() => Event::Gone,
            input = self.source.next(ask.max) => Event::Input(input),
            () = sleep_until(ask.until) => Event::Late,
        }
    }

    fn ask(&mut self, ask: Ask, reply: Reply<Option<Input>>) {
        self.is_heard();
        let last = self.told.0;
        if ask.sequence == last && last > 0 {
            // The answer was lost: it is given again.
            drop(reply.send(Ok(self.told.1.clone())));
        } else if ask.sequence == last + 1 {
            self.told.1 = None;
            // Another that waits under this number has given up, or was overtaken on its way by the
            // one it replaces: then it is the one that is listened to, and asks again.
            if let Some((_, replaced)) = self.asked.replace((ask, reply)) {
                drop(replaced.send(Ok(None)));
            }
            if self.stops {
                self.answer(Err(stopping()));
            } else {
                self.tell();
            }
        } else {
            let expected = last + 1;
            let error = Error::failed_precondition(format!(
                "sequence: the next is {expected}, got {}: a session is for one caller at a time",
                ask.sequence
            ));
            let reason = Reason::new(OUT_OF_TURN).with("expected", expected);
            drop(reply.send(Err(error.with_reason(reason))));
        }
    }

    /// Tells who waits what is to be told next, if there is anything.
    fn tell(&mut self) {
        if self.asked.is_some()
            && let Some(input) = self.next.pop_front()
        {
            self.told = (self.told.0 + 1, Some(input.clone()));
            self.answer(Ok(Some(input)));
        }
    }

    fn answer(&mut self, answer: Result<Option<Input>, Error>) {
        if let Some((_, reply)) = self.asked.take() {
            // Who went away asks again.
            drop(reply.send(answer));
        }
        self.is_heard();
    }

    fn is_heard(&mut self) {
        self.silent_at = Instant::now() + self.silence;
    }
}

fn stopping() -> Error {
    Error::unavailable("this broker is stopping: ask again")
}

/// What was told, in pieces of which each fits into an answer.
fn split(input: Input, pieces: &mut VecDeque<Input>) {
    let Input::Deliveries(deliveries) = input else {
        pieces.push_back(input);
        return;
    };
    let (mut piece, mut bytes) = (Vec::new(), 0);
    for delivery in deliveries {
        let size = told::size(&delivery);
        if bytes + size > ANSWER_BYTES && !piece.is_empty() {
            pieces.push_back(Input::Deliveries(std::mem::take(&mut piece)));
            bytes = 0;
        }
        bytes += size;
        piece.push(delivery);
    }
    pieces.push_back(Input::Deliveries(piece));
}
