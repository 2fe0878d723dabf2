//! One queue: what waits for workers, who waits for it, what is out with whom, and which answers
//! the engine has not heard yet. It is told the time and starts nothing.

#[cfg(test)]
mod tests;

use super::telemetry::OfQueue;
use super::{Answer, Ask, Lease, Leased, Out, QueueReport};
use crate::consume::{Failure, identity};
use crate::engine::{Delivery, Position, Settle, Stale, Token};
use backlot_core::{Clock, Code, Dice, Timestamp};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem::{Discriminant, discriminant};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// The most bytes of messages that are handed out at once: they have to fit into one message of any
/// wire. One that is larger comes alone.
const BYTES: usize = 3 << 20;
/// The most workers that are told apart.
const MOST_WORKERS: usize = 4096;
/// How long a worker that does not ask is counted among those who share what there is.
const PRESENT: Duration = Duration::from_secs(10);
/// How many messages that are out a report tells of.
const REPORTED: usize = 100;
/// How many answers are remembered, so that one that is given again is known.
const REMEMBERED: usize = 4096;

/// A message of one of the two topics that a group reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Of {
    pub(super) side: Side,
    pub(super) token: Token,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// The topic itself.
    Topic,
    /// What was sent again to this group.
    Again,
}

/// What became of a message that was offered.
#[derive(Debug)]
pub(super) enum End {
    Done,
    Failed(Failure),
    /// Nobody took it.
    Withdrawn,
}

/// What became of an answer.
#[derive(Debug)]
pub(super) enum Heard {
    /// The lease was over: nothing.
    Over,
    /// It is known here.
    Noted,
    /// The engine is being told, and this says whether it still cared.
    Telling(oneshot::Receiver<bool>),
}

/// Why nobody may wait here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is closed: there may be another.
    Closed,
    /// So many wait.
    Crowded(usize),
}

#[derive(Debug)]
pub(super) struct Pool {
    number: u64,
    topic: String,
    group: String,
    most_waiting: usize,
    clock: Clock,
    dice: Dice,
    state: Mutex<State>,
    /// Something came, or ends earlier than it did.
    hurried: Notify,
    telemetry: OfQueue,
}

#[derive(Debug)]
struct State {
    offers: VecDeque<Offer>,
    waiting: VecDeque<Waiting>,
    out: BTreeMap<u128, Held>,
    ends: BTreeSet<(Instant, u128)>,
    telling: BTreeMap<Of, Telling>,
    /// What was answered lately, the oldest first.
    answered: VecDeque<u128>,
    answers: BTreeMap<u128, (Discriminant<Answer>, Of)>,
    /// When each worker last asked.
    workers: BTreeMap<String, Instant>,
    /// When those who went were last looked for.
    counted: Instant,
    /// When somebody last asked or answered.
    used: Instant,
    last: u64,
    is_closed: bool,
}

#[derive(Debug)]
struct Offer {
    of: Of,
    delivery: Delivery,
    ended: oneshot::Sender<End>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    ask: Ask,
    reply: oneshot::Sender<Vec<Leased>>,
}

#[derive(Debug)]
struct Held {
    offer: Offer,
    worker: String,
    attempts: u32,
    since: Timestamp,
    until: Instant,
}

#[derive(Debug)]
struct Telling {
    nonce: u128,
    /// Everybody who gave this answer.
    told: Vec<oneshot::Sender<bool>>,
}

/// A place in the line. Whoever gives it up gives back what came meanwhile.
#[derive(Debug)]
pub(super) struct Place<'p> {
    pool: &'p Pool,
    number: u64,
    reply: oneshot::Receiver<Vec<Leased>>,
}

impl Pool {
    pub(super) fn new(
        number: u64,
        (topic, group): (&str, &str),
        most_waiting: usize,
        (clock, dice): (Clock, Dice),
        telemetry: OfQueue,
    ) -> Self {
        Pool {
            number,
            topic: topic.to_owned(),
            group: group.to_owned(),
            most_waiting,
            clock,
            dice,
            state: Mutex::new(State {
                offers: VecDeque::new(),
                waiting: VecDeque::new(),
                out: BTreeMap::new(),
                ends: BTreeSet::new(),
                telling: BTreeMap::new(),
                answered: VecDeque::new(),
                answers: BTreeMap::new(),
                workers: BTreeMap::new(),
                counted: Instant::now(),
                used: Instant::now(),
                last: 0,
                is_closed: false,
            }),
            hurried: Notify::new(),
            telemetry,
        }
    }

    /// A message for whoever comes; what became of it.
    pub(super) async fn offer(&self, of: Of, delivery: Delivery) -> End {
        let (ended, end) = oneshot::channel();
        {
            let mut state = self.state.lock();
            if state.is_closed {
                return End::Withdrawn;
            }
            let offer = Offer {
                of,
                delivery,
                ended,
            };
            state.offers.push_back(offer);
        }
        // Not given at once: more of them may come in this moment, to be shared and sent together.
        self.hurried.notify_one();
        end.await.unwrap_or(End::Withdrawn)
    }

    /// Takes a place in the line.
    pub(super) fn wait(&self, ask: &Ask) -> Result<Place<'_>, Refusal> {
        let (sender, reply) = oneshot::channel();
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(Refusal::Closed);
        }
        if state.waiting.len() >= self.most_waiting {
            return Err(Refusal::Crowded(self.most_waiting));
        }
        state.used = Instant::now();
        let now = state.used;
        state.sees(&ask.worker, now);
        state.last += 1;
        let number = state.last;
        state.waiting.push_back(Waiting {
            number,
            ask: ask.clone(),
            reply: sender,
        });
        self.give(&mut state);
        drop(state);
        Ok(Place {
            pool: self,
            number,
            reply,
        })
    }

    /// Gives what is there to those who wait, in their order: to each no more than its share, so
    /// that the others who ask now and then find some too.
    fn give(&self, state: &mut State) {
        let now = Instant::now();
        let mut served = 0;
        while !state.offers.is_empty()
            && let Some(waiting) = state.waiting.pop_front()
        {
            if waiting.reply.is_closed() {
                continue;
            }
            let sharing = state.workers.len().saturating_sub(served);
            let sharing = sharing.max(state.waiting.len() + 1);
            served += 1;
            let share = state.offers.len().div_ceil(sharing);
            let (mut leased, mut bytes) = (Vec::new(), 0);
            while leased.len() < share.min(waiting.ask.max)
                && let Some(offer) = state.offers.pop_front()
            {
                if offer.ended.is_closed() {
                    continue;
                }
                bytes += size(&offer.delivery);
                if bytes > BYTES && !leased.is_empty() {
                    state.offers.push_front(offer);
                    break;
                }
                leased.push(self.lease(state, offer, &waiting.ask, now));
            }
            if leased.is_empty() {
                state.waiting.push_front(waiting);
            } else if let Err(leased) = waiting.reply.send(leased) {
                self.take_back(state, leased);
            }
        }
        self.measure(state);
    }

    fn lease(&self, state: &mut State, offer: Offer, ask: &Ask, now: Instant) -> Leased {
        let nonce = u128::from(self.dice.next_u64()) << 64 | u128::from(self.dice.next_u64());
        let (wall, until) = (self.clock.wall(), now + ask.lease);
        let delivery = &offer.delivery;
        let leased = Leased {
            lease: Lease(format!("{:x}.{nonce:032x}", self.number)),
            until: wall.plus(ask.lease),
            position: position(delivery.token),
            attempt: delivery.attempts.saturating_add(1),
            failures: delivery.failures.clone(),
            stored: delivery.stored,
            effect: identity::of(&delivery.record),
            record: delivery.record.clone(),
        };
        if state.ends.first().is_none_or(|(first, _)| *first > until) {
            self.hurried.notify_one();
        }
        state.ends.insert((until, nonce));
        let held = Held {
            offer,
            worker: ask.worker.clone(),
            attempts: ask.attempts,
            since: wall,
            until,
        };
        state.out.insert(nonce, held);
        self.telemetry.given.inc();
        leased
    }

    /// What nobody has heard of goes to the front again.
    fn take_back(&self, state: &mut State, leased: Vec<Leased>) {
        for leased in leased.into_iter().rev() {
            let nonce = leased.lease.number().map(|(_, nonce)| nonce);
            if let Some(held) = nonce.and_then(|nonce| state.remove(nonce)) {
                self.telemetry.returned.inc();
                state.offers.push_front(held.offer);
            }
        }
    }

    /// What becomes of a message.
    pub(super) fn answer(&self, nonce: u128, answer: &Answer) -> Heard {
        let mut state = self.state.lock();
        let now = Instant::now();
        state.used = now;
        if let Answer::Extend(by) = answer {
            return self.extend(&mut state, nonce, now + *by);
        }
        let Some(held) = state.remove(nonce) else {
            return self.answer_again(&mut state, nonce, answer);
        };
        let (of, attempt) = (held.offer.of, held.offer.delivery.attempts + 1);
        let telemetry = &self.telemetry;
        let (end, counted) = match answer {
            Answer::Extend(_) => return Heard::Over,
            Answer::Done => (End::Done, &telemetry.done),
            Answer::Reject(why) => {
                let failure = Failure::new(Code::InvalidArgument, why.as_str());
                (End::Failed(failure.permanent()), &telemetry.rejected)
            }
            Answer::Retry {
                after,
                failure: None,
            } => {
                let failure = Failure::new(Code::Unavailable, "it was given back");
                let wait = after.unwrap_or_default();
                (End::Failed(failure.later(wait)), &telemetry.returned)
            }
            Answer::Retry {
                after: _,
                failure: Some(why),
            } if attempt >= held.attempts => {
                let failure = Failure::new(Code::Unknown, why.as_str());
                (End::Failed(failure.exhausted()), &telemetry.exhausted)
            }
            Answer::Retry {
                after,
                failure: Some(why),
            } => {
                let failure = Failure::new(Code::Unknown, why.as_str());
                let failure = match after {
                    Some(after) => failure.after(*after),
                    None => failure,
                };
                (End::Failed(failure), &telemetry.failed)
            }
        };
        // Known before whoever offered it can tell the engine.
        let is_told = matches!(answer, Answer::Done | Answer::Reject(_));
        let telling = is_told.then(|| {
            let (told, telling) = oneshot::channel();
            let told = vec![told];
            state.telling.insert(of, Telling { nonce, told });
            telling
        });
        if held.offer.ended.send(end).is_err() {
            state.telling.remove(&of);
            self.telemetry.late.inc();
            self.measure(&state);
            return Heard::Over;
        }
        counted.inc();
        state.remember(nonce, (discriminant(answer), of));
        self.measure(&state);
        telling.map_or(Heard::Noted, Heard::Telling)
    }

    /// An answer for a lease that is over: the same that ended it, or one that comes too late.
    fn answer_again(&self, state: &mut State, nonce: u128, answer: &Answer) -> Heard {
        let before = state.answers.get(&nonce).copied();
        let Some((_, of)) = before.filter(|(before, _)| *before == discriminant(answer)) else {
            self.telemetry.late.inc();
            return Heard::Over;
        };
        // The engine may not know yet: then this one waits for it too.
        let telling = state.telling.get_mut(&of);
        match telling.filter(|telling| telling.nonce == nonce) {
            Some(telling) => {
                let (told, hears) = oneshot::channel();
                telling.told.push(told);
                Heard::Telling(hears)
            }
            None => Heard::Noted,
        }
    }

    fn extend(&self, state: &mut State, nonce: u128, until: Instant) -> Heard {
        let Some(held) = state.out.get_mut(&nonce) else {
            self.telemetry.late.inc();
            return Heard::Over;
        };
        state.ends.remove(&(held.until, nonce));
        state.ends.insert((until, nonce));
        held.until = until;
        self.telemetry.extended.inc();
        self.hurried.notify_one();
        Heard::Noted
    }

    /// The engine has heard of these.
    pub(super) fn settled(&self, side: Side, told: &[(Token, Settle)], stale: &[Stale]) {
        let mut state = self.state.lock();
        if state.telling.is_empty() {
            return;
        }
        let stale: BTreeSet<Token> = stale.iter().map(|stale| stale.token).collect();
        for (token, settle) in told {
            if !matches!(settle, Settle::Done | Settle::Dead(_)) {
                continue;
            }
            let of = Of {
                side,
                token: *token,
            };
            let Some(telling) = state.telling.remove(&of) else {
                continue;
            };
            let is_heard = !stale.contains(token);
            if !is_heard {
                self.telemetry.late.inc();
                state.answers.remove(&telling.nonce);
            }
            for told in telling.told {
                if told.send(is_heard).is_err() {
                    tracing::trace!("whoever answered has gone, and may answer again");
                }
            }
        }
    }

    /// These partitions go to others, or all are gone with whatever was to be told of them.
    pub(super) fn lost(&self, side: Side, partitions: Option<&[u32]>) {
        let mut state = self.state.lock();
        let is_lost = |of: &Of| {
            let among = |partitions: &[u32]| partitions.contains(&of.token.partition);
            of.side == side && partitions.is_none_or(among)
        };
        // Whoever offered it is told by the end of its channel.
        state.offers.retain(|offer| !is_lost(&offer.of));
        if partitions.is_some() {
            return;
        }
        // Nobody will be told of what was answered, and what is out comes again to others.
        let State {
            telling,
            answers,
            out,
            ends,
            ..
        } = &mut *state;
        telling.retain(|of, telling| {
            let is_lost = is_lost(of);
            if is_lost {
                answers.remove(&telling.nonce);
            }
            !is_lost
        });
        out.retain(|nonce, held| {
            let is_lost = is_lost(&held.offer.of);
            if is_lost {
                ends.remove(&(held.until, *nonce));
            }
            !is_lost
        });
        self.measure(&state);
    }

    /// Gives what came, and ends leases whose time is over; when the next one's is. Nothing once it closed itself, because
    /// nobody has asked or answered for so long.
    fn sweep(&self, idle: Duration) -> Option<Instant> {
        let mut state = self.state.lock();
        let now = Instant::now();
        while let Some((until, nonce)) = state.ends.first().copied()
            && until <= now
        {
            let Some(held) = state.remove(nonce) else {
                continue;
            };
            let failure = Failure::new(
                Code::DeadlineExceeded,
                format!(
                    "worker {} did not answer before its lease was over",
                    held.worker
                ),
            );
            let is_last = held.offer.delivery.attempts + 1 >= held.attempts;
            let (failure, counted) = if is_last {
                (failure.exhausted(), &self.telemetry.exhausted)
            } else {
                (failure, &self.telemetry.expired)
            };
            counted.inc();
            drop(held.offer.ended.send(End::Failed(failure)));
        }
        self.give(&mut state);
        let is_quiet = state.waiting.is_empty() && state.out.is_empty() && state.telling.is_empty();
        if is_quiet && state.used + idle <= now {
            Self::shut(&mut state);
            return None;
        }
        let idle_at = if is_quiet {
            state.used + idle
        } else {
            now + idle
        };
        let first = state.ends.first().map(|(until, _)| *until);
        Some(first.map_or(idle_at, |first| first.min(idle_at)))
    }

    /// Gives what comes and keeps the time of leases, until nobody has used the queue for so long.
    pub(super) async fn tend(&self, idle: Duration) {
        while let Some(next) = self.sweep(idle) {
            tokio::select! {
                () = self.hurried.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Nothing more is handed out, and what is out is over: nobody can answer for it here any more.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        Self::shut(&mut state);
        self.measure(&state);
    }

    fn shut(state: &mut State) {
        state.is_closed = true;
        state.waiting.clear();
        // Whoever offered them is told by the end of its channel.
        state.offers.clear();
        state.out.clear();
        state.ends.clear();
    }

    /// Nobody tells the engine anything any more.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        Self::shut(&mut state);
        state.telling.clear();
        self.measure(&state);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    pub(super) fn report(&self) -> QueueReport {
        let state = self.state.lock();
        let (now, wall) = (Instant::now(), self.clock.wall());
        let out = state.ends.iter().filter_map(|(until, nonce)| {
            let held = state.out.get(nonce)?;
            let delivery = &held.offer.delivery;
            Some(Out {
                worker: held.worker.clone(),
                since: held.since,
                until: wall.plus(until.saturating_duration_since(now)),
                position: position(delivery.token),
                attempt: delivery.attempts.saturating_add(1),
                id: delivery.record.id.clone(),
            })
        });
        QueueReport {
            topic: self.topic.clone(),
            group: self.group.clone(),
            ready: state.offers.len(),
            waiting: state.waiting.len(),
            leased: state.out.len(),
            out: out.take(REPORTED).collect(),
        }
    }

    fn measure(&self, state: &State) {
        let level = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.telemetry.leased.set(level(state.out.len()));
        self.telemetry.waiting.set(level(state.waiting.len()));
    }
}

impl State {
    /// A worker asks. Those who have not for long are not counted any more.
    fn sees(&mut self, worker: &str, now: Instant) {
        match self.workers.get_mut(worker) {
            Some(last) => *last = now,
            None => drop(self.workers.insert(worker.to_owned(), now)),
        }
        // Looking at all of them is rare, however often somebody asks.
        if self.counted + PRESENT / 10 <= now || self.workers.len() > MOST_WORKERS {
            self.counted = now;
            self.workers.retain(|_, last| *last + PRESENT > now);
        }
        if self.workers.len() > MOST_WORKERS {
            self.workers.clear();
        }
    }

    fn remove(&mut self, nonce: u128) -> Option<Held> {
        let held = self.out.remove(&nonce)?;
        self.ends.remove(&(held.until, nonce));
        Some(held)
    }

    fn remember(&mut self, nonce: u128, answer: (Discriminant<Answer>, Of)) {
        if self.answered.len() >= REMEMBERED
            && let Some(oldest) = self.answered.pop_front()
        {
            self.answers.remove(&oldest);
        }
        self.answered.push_back(nonce);
        self.answers.insert(nonce, answer);
    }
}

impl Lease {
    /// The queue it belongs to, and what it is there.
    pub(super) fn number(&self) -> Option<(u64, u128)> {
        let (queue, nonce) = self.0.split_once('.')?;
        let nonce = u128::from_str_radix(nonce, 16).ok()?;
        Some((u64::from_str_radix(queue, 16).ok()?, nonce))
    }
}

impl Place<'_> {
    /// What comes until then.
    pub(super) async fn until(mut self, end: Instant) -> Vec<Leased> {
        match tokio::time::timeout_at(end, &mut self.reply).await {
            Ok(reply) => reply.unwrap_or_default(),
            Err(_elapsed) => self.leave(),
        }
    }

    /// Leaves the line, with what came in the last moment.
    fn leave(&mut self) -> Vec<Leased> {
        let mut state = self.pool.state.lock();
        state
            .waiting
            .retain(|waiting| waiting.number != self.number);
        self.pool.measure(&state);
        self.reply.try_recv().unwrap_or_default()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let came = self.leave();
        if !came.is_empty() {
            let mut state = self.pool.state.lock();
            self.pool.take_back(&mut state, came);
            self.pool.give(&mut state);
        }
    }
}

/// About how many bytes a message has on any wire, with how it failed and where it comes from.
fn size(delivery: &Delivery) -> usize {
    let failures = delivery.failures.iter();
    let failures = failures.map(|failure| failure.message.len() + failure.class.len() + 32);
    let (record, failures): (_, usize) = (&delivery.record, failures.sum());
    // Its id and its source are in its effect too.
    let effect = record.id.len() + record.source.len();
    record.size() + effect + record.kind.len() + failures + 256
}

fn position(token: Token) -> Position {
    Position {
        partition: token.partition,
        offset: token.offset,
    }
}
