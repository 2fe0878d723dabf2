//! Reads one topic for a group: attaches, and attaches again; serves while that lasts.

mod parts;
mod settling;

use super::Setup;
use super::failure::Verdict;
use super::group::{Group, MAX_IN_FLIGHT, Order};
use super::lanes::{Item, Slot};
use super::letter;
use super::policy::{self, Next};
use super::run::{Load, Outcome, Place, Ran, Run};
use crate::Error;
use crate::engine::{
    Begin, Cause, Delivery, Input, Settle, Source, Subscription, Token, TopicSpec,
};
use crate::partition::fnv1a;
use crate::telemetry::OfConsumer;
use backlot_core::backoff::Backoff;
use backlot_core::{Clock, Context, Dice, Timestamp};
use parts::{Part, Parts};
use settling::Settling;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

/// The pauses before an engine is attached to again.
const ATTACH: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(10),
};
/// The pauses while a store is away.
const AWAY: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(10),
};
/// How long one call of an engine may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages of batches that are tried again are due together, as often as this.
const TICK: Duration = Duration::from_millis(50);
/// The most messages that are asked for at once.
const MAX_FETCH: usize = MAX_IN_FLIGHT as usize;
/// What is asked for at once when messages are handled one by one.
const FETCH: usize = 256;

/// What a reader reads, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The topic, one by one.
    Singles,
    /// The topic, in batches.
    Batches,
    /// What is to be tried anew, one by one.
    Retries,
}

pub(super) struct Reader {
    setup: Setup,
    group: Group,
    kind: Kind,
    /// With how many partitions it is made.
    partitions: u32,
    names: letter::Reader,
    run: Arc<dyn Run>,
    dice: Dice,
    clock: Clock,
    telemetry: OfConsumer,
    parts: Parts,
    running: JoinSet<Finished>,
    /// What runs, by the number of its task.
    underway: BTreeMap<u64, Vec<Token>>,
    last: u64,
    settling: Settling,
    /// Nothing is begun before this: the store is away.
    resume: Option<Instant>,
    away: u32,
    /// When everything that is out is leased anew.
    extend: Instant,
    /// From when on ticks are counted.
    origin: Instant,
}

/// A load that ran.
#[derive(Debug)]
struct Finished {
    number: u64,
    partition: u32,
    epoch: u64,
    ran: Ran,
    passed: usize,
    took: Duration,
}

impl Reader {
    pub(super) fn new(
        setup: &Setup,
        group: &Group,
        (topic, partitions): (&str, u32),
        kind: Kind,
        run: Arc<dyn Run>,
    ) -> Self {
        let (reads, partitions) = match kind {
            Kind::Retries => (letter::retry(topic, &group.name), 1),
            Kind::Singles | Kind::Batches => (topic.to_owned(), partitions),
        };
        Reader {
            telemetry: OfConsumer::new(&setup.metrics, &reads, &group.name),
            names: letter::Reader {
                topic: topic.to_owned(),
                reads,
                group: group.name.clone(),
                service: setup.service,
            },
            setup: setup.clone(),
            group: group.clone(),
            kind,
            partitions,
            run,
            dice: setup.env.dice.split(),
            clock: setup.env.clock.clone(),
            parts: Parts::default(),
            running: JoinSet::new(),
            underway: BTreeMap::new(),
            last: 0,
            settling: Settling::default(),
            resume: None,
            away: 0,
            extend: Instant::now(),
            origin: Instant::now(),
        }
    }

    /// Reads until it is told to stop.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut failures = 0;
        while !*stop.borrow() {
            let began = Instant::now();
            let ended = match self.open().await {
                Ok(source) => self.serve(source, &mut stop).await,
                Err(error) => Err(error),
            };
            let Err(error) = ended else { return };
            let lasted = Instant::now().saturating_duration_since(began) > ATTACH.cap;
            failures = if lasted { 1 } else { failures + 1 };
            tracing::warn!(
                error = backlot_core::error::chain(&error),
                topic = self.names.reads,
                group = self.group.name,
                failures,
                "a topic cannot be read now, and will be tried again"
            );
            // What is out comes again, under another epoch.
            self.run.lost(None);
            self.parts = Parts::default();
            self.settling = Settling::default();
            let pause = ATTACH.wait(failures, &self.dice);
            tokio::select! {
                biased;
                () = told(&mut stop) => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn cx(&self) -> Context {
        Context::system(self.setup.service).with_timeout(PATIENCE)
    }

    /// Makes what is missing, and becomes a member.
    async fn open(&mut self) -> Result<Box<dyn Source>, Error> {
        let cx = self.cx();
        let dead = letter::dead(&self.names.topic, &self.names.group);
        self.make(&cx, &dead, 1).await?;
        self.make(&cx, &self.names.reads, self.partitions).await?;
        let subscription = Subscription {
            topic: self.names.reads.clone(),
            group: self.group.name.clone(),
            member: self.setup.member.clone(),
            from: match self.kind {
                Kind::Retries => Begin::Oldest,
                Kind::Singles | Kind::Batches => self.group.from,
            },
            lease: self.group.lease,
            drain: self.group.drain,
            in_flight: self.group.out(),
            needs: self.group.needs(),
            ephemeral: false,
        };
        self.setup.engine.attach(&cx, &subscription).await
    }

    /// Makes a topic; one that is there stays as it is, with what it was told to keep.
    async fn make(&self, cx: &Context, topic: &str, partitions: u32) -> Result<(), Error> {
        let engine = &self.setup.engine;
        match engine.inspect(cx, topic, Some(&self.group.name)).await {
            Err(Error::UnknownTopic { .. }) => {
                let spec = TopicSpec::new(topic, partitions);
                engine.ensure(cx, &spec).await
            }
            Ok(_) | Err(Error::UnknownGroup { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Serves one membership: to its end, or until it is told to stop.
    async fn serve(
        &mut self,
        mut source: Box<dyn Source>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Error> {
        self.extend = Instant::now() + self.group.lease / 3;
        loop {
            let now = Instant::now();
            self.parts.wake(now);
            self.settle(source.as_mut(), stop, now).await?;
            self.extend(source.as_mut(), now).await?;
            self.begin(now);
            self.measure();
            let wake = self.wake(now);
            let (fetch, has_room) = (self.fetch(), self.has_room());
            tokio::select! {
                biased;
                () = told(stop) => break,
                Some(finished) = self.running.join_next(), if !self.running.is_empty() => {
                    self.finished(finished)?;
                    while let Some(finished) = self.running.try_join_next() {
                        self.finished(finished)?;
                    }
                }
                () = tokio::time::sleep_until(wake) => {}
                input = source.next(fetch), if has_room => {
                    self.take(input?, source.as_mut()).await?;
                }
            }
        }
        self.drain(source).await;
        Ok(())
    }

    /// Finishes what runs, as long as there is time; leaves.
    async fn drain(&mut self, mut source: Box<dyn Source>) {
        let end = Instant::now() + self.group.drain;
        let finishing = async {
            while let Some(finished) = self.running.join_next().await {
                if let Err(error) = self.finished(finished) {
                    tracing::error!(
                        error = backlot_core::error::chain(&error),
                        "a handler was lost"
                    );
                }
            }
        };
        if tokio::time::timeout_at(end, finishing).await.is_err() {
            tracing::warn!(
                topic = self.names.reads,
                group = self.group.name,
                running = self.running.len(),
                "handlers did not end in time: their messages come to others"
            );
            // They are let go of here, and not waited for: what is done is still to be told.
            self.running = JoinSet::new();
        }
        let grace = end.max(Instant::now() + Duration::from_millis(500));
        let leaving = async {
            self.tell_all(source.as_mut()).await?;
            source.close().await
        };
        match tokio::time::timeout_at(grace, leaving).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = backlot_core::error::chain(&error);
                tracing::warn!(error, "what was done last is not settled, and comes again");
            }
            Err(_elapsed) => tracing::warn!("what was done last is not settled, and comes again"),
        }
    }

    /// How many messages are asked for.
    fn fetch(&self) -> usize {
        match (self.kind, self.group.batch) {
            (Kind::Batches, Some(batch)) => batch.clamp(1024, MAX_FETCH),
            _ => FETCH,
        }
    }

    fn has_room(&self) -> bool {
        // While one batch runs the next one is read; more would only take memory. Of the next one of
        // a partition that tries something again others need not wait.
        let most = self.fetch();
        let waiting = self.parts.fresh() - self.parts.behind_again().min(most);
        waiting < most && !self.settling.has_failed()
    }

    /// When there is something to do although nothing comes.
    fn wake(&self, now: Instant) -> Instant {
        let lingering = match self.kind {
            Kind::Batches => self.parts.lingering(self.group.linger),
            Kind::Singles | Kind::Retries => None,
        };
        let has_failed = self.settling.has_failed();
        let is_away = has_failed || self.resume.is_some_and(|resume| resume > now);
        let due = [
            self.resume.filter(|_| !has_failed),
            self.settling.due(),
            self.parts.next_due().filter(|_| !is_away),
            lingering.filter(|_| !is_away && self.running.len() < self.group.concurrency),
        ];
        due.into_iter().flatten().fold(self.extend, Ord::min)
    }

    /// What came from the engine.
    async fn take(&mut self, input: Input, source: &mut dyn Source) -> Result<(), Error> {
        match input {
            Input::Deliveries(deliveries) => {
                let now = Instant::now();
                for delivery in deliveries {
                    self.offer(delivery, now);
                }
            }
            Input::Assigned(assigned) => self.assigned(assigned).await?,
            Input::Revoked { partitions, cause } => {
                // What failed is told first: it keeps its attempts.
                self.tell_all(source).await?;
                self.run.lost(Some(&partitions));
                for partition in partitions {
                    let Some(part) = self.parts.remove(partition) else {
                        continue;
                    };
                    if cause != Cause::Rebalance {
                        continue;
                    }
                    // Others need not wait for what does not run.
                    let unbegun = part.lanes.iter();
                    let unbegun = unbegun.map(|item| (item.message.token, back_at_once()));
                    self.settling.extend(unbegun, Instant::now());
                }
                self.settling.hurry();
            }
            Input::Skipped {
                partition,
                first,
                end,
                ..
            } => self.parts.passed(partition, first, end),
        }
        Ok(())
    }

    async fn assigned(&mut self, assigned: Vec<(u32, u64)>) -> Result<(), Error> {
        let report = match self.kind {
            Kind::Batches => {
                let (topic, group) = (&self.names.reads, &self.group.name);
                let cx = self.cx();
                let inspecting = self.setup.engine.inspect(&cx, topic, Some(group));
                Some(inspecting.await?)
            }
            Kind::Singles | Kind::Retries => None,
        };
        for (partition, epoch) in assigned {
            // Whatever happens to the log after this ends the epoch first.
            let place = report.as_ref().map_or_else(Place::default, |report| {
                let group = report.groups.first();
                let cursor = group.and_then(|group| group.partitions.get(partition as usize));
                Place {
                    partition,
                    log: report.incarnation,
                    floor: cursor.map_or(0, |cursor| cursor.prefix),
                    passed: Vec::new(),
                }
            });
            let part = Part::new(epoch, place, self.kind == Kind::Batches);
            self.parts.insert(partition, part);
        }
        Ok(())
    }

    fn slot(&self, delivery: &Delivery) -> Slot {
        match (self.group.order, &delivery.record.key) {
            (Order::Partition, _) => Slot::All,
            (Order::Key, Some(key)) => Slot::Key(fnv1a(key.as_bytes())),
            (Order::Key, None) | (Order::None, _) => Slot::Own(delivery.token.offset),
        }
    }

    fn offer(&mut self, delivery: Delivery, now: Instant) {
        if let Some(class) = policy::on_arrival(&self.group, &delivery) {
            self.bury(&delivery, class);
            return;
        }
        let slot = self.slot(&delivery);
        // One of an epoch that is over comes again under its own.
        if let Some(part) = self.parts.of(delivery.token) {
            part.offer(
                Item {
                    offset: delivery.token.offset,
                    slot,
                    message: delivery,
                },
                now,
            );
        }
    }

    /// Starts what may run.
    fn begin(&mut self, now: Instant) {
        if self.settling.has_failed() || self.resume.is_some_and(|resume| resume > now) {
            return;
        }
        self.resume = None;
        while self.running.len() < self.group.concurrency {
            let batch = match self.kind {
                Kind::Batches => self.group.batch.map(|batch| (batch, self.group.linger)),
                Kind::Singles | Kind::Retries => None,
            };
            let Some((partition, part, items)) = self.parts.next(now, batch) else {
                return;
            };
            let place = part.place.clone();
            let (epoch, passed) = (part.epoch, place.passed.len());
            #[cfg(feature = "testing")]
            if self.group.sabotage.acknowledges_early {
                let tokens = items.iter().map(|item| (item.message.token, Settle::Done));
                self.settling.extend(tokens, now);
                self.settling.hurry();
            }
            self.last += 1;
            let number = self.last;
            let tokens = items.iter().map(|item| item.message.token);
            self.underway.insert(number, tokens.collect());
            let (run, load) = (Arc::clone(&self.run), Load { items, place });
            self.running.spawn(async move {
                let began = Instant::now();
                let ran = run.run(load).await;
                Finished {
                    number,
                    partition,
                    epoch,
                    ran,
                    passed,
                    took: Instant::now().saturating_duration_since(began),
                }
            });
        }
    }

    /// What a load came to.
    fn finished(&mut self, finished: Result<Finished, JoinError>) -> Result<(), Error> {
        let Finished {
            number,
            partition,
            epoch,
            ran,
            passed,
            took,
        } = finished.map_err(|error| {
            tracing::error!(%error, "a handler was lost");
            Error::Unknown { source: None }
        })?;
        self.underway.remove(&number);
        let now = Instant::now();
        self.telemetry.duration.observe_duration(took);
        let mut part = self.parts.at(partition, epoch);
        if let Some(part) = &mut part {
            part.is_busy = false;
            if ran.has_marked {
                part.place.passed.drain(..passed);
            }
        }
        let (mut left, mut letters, mut is_away) = (Vec::new(), Vec::new(), false);
        let mut has_worked = false;
        for (mut item, outcome) in ran.items {
            let token = item.message.token;
            let failure = match outcome {
                Outcome::Done | Outcome::Before => {
                    match outcome {
                        Outcome::Done => self.telemetry.done.inc(),
                        _ => self.telemetry.before.inc(),
                    }
                    has_worked = true;
                    self.settling.done(token, now);
                    if let Some(part) = &mut part {
                        part.lanes.done(item.slot);
                    }
                    continue;
                }
                Outcome::Left => {
                    left.push(item);
                    continue;
                }
                Outcome::Failed(failure) => failure,
            };
            let wall = self.clock.wall();
            let next = policy::after(&self.group, &mut item.message, &failure, wall, &self.dice);
            match (&next, failure.verdict()) {
                (Next::Away, _) => self.telemetry.away(),
                (_, Verdict::Later(_) | Verdict::Late) => self.telemetry.later(),
                _ => self.telemetry.failed(failure.class().name()),
            }
            match next {
                Next::Hold(wait, failure) => {
                    if part.is_none() {
                        // It is somebody else's by now, or soon: it is not kept from them.
                        let at = wall.plus(wait);
                        let back = Settle::Retry { at, failure };
                        self.settling.extend([(token, back)], now);
                        continue;
                    }
                    let failed = failure.map(|failure| (token, Settle::Failed(failure)));
                    self.settling.extend(failed, now);
                    let until = again_at(self.kind, self.origin, now + wait);
                    if let Some(part) = &mut part {
                        part.lanes.hold(item, until);
                    }
                }
                Next::Back(at, failure) => {
                    self.settling
                        .extend([(token, Settle::Retry { at, failure })], now);
                    if let Some(part) = &mut part {
                        part.lanes.done(item.slot);
                    }
                }
                Next::Dead(class) => {
                    if let Some(part) = &mut part {
                        part.lanes.done(item.slot);
                    }
                    letters.push((item.message, class));
                }
                Next::Away => {
                    is_away = true;
                    tracing::warn!(
                        group = self.group.name,
                        error = failure.message(),
                        "the store cannot serve now: messages wait"
                    );
                    match &mut part {
                        Some(part) if self.kind == Kind::Batches => {
                            // It is not held up: it goes back where it was.
                            part.lanes.release(item);
                        }
                        Some(part) => part.lanes.hold(item, now),
                        None => left.push(item),
                    }
                }
            }
        }
        if let Some(part) = part {
            part.lanes.put_back(left);
            part.since.get_or_insert(now);
        } else {
            let left = left.iter().map(|item| (item.message.token, back_at_once()));
            self.settling.extend(left, now);
        }
        for (message, class) in letters {
            self.bury(&message, class);
        }
        if self.group.is_prompt {
            self.settling.hurry();
        }
        if is_away {
            self.away = self.away.saturating_add(1);
            self.resume = Some(now + AWAY.wait(self.away, &self.dice));
        } else if has_worked {
            self.away = 0;
        }
        Ok(())
    }

    /// Gives a message up.
    fn bury(&mut self, message: &Delivery, class: super::Class) {
        tracing::error!(
            topic = self.names.reads,
            group = self.group.name,
            partition = message.token.partition,
            offset = message.token.offset,
            id = message.record.id,
            class = class.name(),
            tries = message.attempts,
            "a message is given up, and goes to the dead letters"
        );
        self.telemetry.dead(class.name());
        let letter = letter::of(&self.names, message, class, self.clock.wall());
        let dead = (message.token, Settle::Dead(Box::new(letter)));
        self.settling.extend([dead], Instant::now());
    }

    fn measure(&self) {
        let (held, waiting) = self.parts.depth();
        self.telemetry.depth(self.running.len(), held, waiting);
    }
}

/// Gives a message back. At once, by whatever clock: what is not due yet is passed by what comes
/// after it.
fn back_at_once() -> Settle {
    Settle::Retry {
        at: Timestamp(0),
        failure: None,
    }
}

/// When a message that is due then is tried again: in batches together with others, which costs one
/// commit instead of many.
fn again_at(kind: Kind, origin: Instant, due: Instant) -> Instant {
    match kind {
        Kind::Singles | Kind::Retries => due,
        Kind::Batches => {
            let after = due.saturating_duration_since(origin).as_millis();
            let ticks = u32::try_from(after.div_ceil(TICK.as_millis())).unwrap_or(u32::MAX);
            due.max(origin + TICK.saturating_mul(ticks))
        }
    }
}

/// Waits until it is told to stop; also when nobody can tell any more.
async fn told(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("topic", &self.names.reads)
            .field("group", &self.group.name)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}
