//! An engine, its clock, and what checks do with it.

use super::Place;
use crate::engine::{
    Delivery, Engine, Input, Outgoing, Position, Receipt, Settle, Source, Subscription, Token,
    TopicSpec,
};
use crate::{Error, Record};
use backlot_core::{Clock, Context, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long anything may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How long nothing is waited for.
const QUIET: Duration = Duration::from_millis(100);
pub(super) const TOPIC: &str = "events";

pub(super) struct Stage {
    place: Box<dyn Place>,
    engine: Option<Arc<dyn Engine>>,
    clock: Clock,
    /// Milliseconds by which the wall clock was set on.
    skew: Arc<AtomicI64>,
}

impl Stage {
    pub(super) async fn new(place: Box<dyn Place>) -> Self {
        let skew = Arc::new(AtomicI64::new(1_700_000_000_000));
        let began = Instant::now();
        let clock = Clock::from_fn({
            let skew = Arc::clone(&skew);
            move || {
                let since = Instant::now() - began;
                Timestamp(skew.load(Ordering::SeqCst)).plus(since)
            }
        });
        let engine = place.open(clock.clone()).await;
        Stage {
            place,
            engine: Some(engine),
            clock,
            skew,
        }
    }

    pub(super) fn engine(&self) -> &dyn Engine {
        self.engine.as_deref().expect("it is open between restarts")
    }

    pub(super) fn cx(&self) -> Context {
        Context::background().with_timeout(PATIENCE)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    /// The time so much later.
    pub(super) fn after(&self, millis: u64) -> Timestamp {
        self.now().plus(Duration::from_millis(millis))
    }

    /// Sets the wall clock on.
    pub(super) fn set_on(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).expect("a short time");
        self.skew.fetch_add(millis, Ordering::SeqCst);
    }

    /// Ends the engine properly and opens it again.
    pub(super) async fn restart(&mut self) {
        self.engine().close().await.expect("it closes");
        self.engine = None;
        self.engine = Some(self.place.open(self.clock.clone()).await);
    }

    /// Lets go of the engine as if its process had died, and opens it again.
    pub(super) async fn die(&mut self) {
        self.engine = None;
        self.engine = Some(self.place.open(self.clock.clone()).await);
    }

    pub(super) async fn topic(&self, partitions: u32) {
        let spec = TopicSpec::new(TOPIC, partitions);
        self.ensure(&spec).await.expect("a topic");
    }

    pub(super) async fn ensure(&self, spec: &TopicSpec) -> Result<(), Error> {
        self.engine().ensure(&self.cx(), spec).await
    }

    pub(super) async fn append(&self, outgoing: Vec<Outgoing>) -> Result<Vec<Receipt>, Error> {
        self.engine().append(&self.cx(), outgoing).await
    }

    /// Publishes messages with these ids under one key each.
    pub(super) async fn publish(&self, ids: impl IntoIterator<Item = u64>) -> Vec<Receipt> {
        let outgoing = ids.into_iter().map(|id| Outgoing::new(TOPIC, record(id)));
        self.append(outgoing.collect()).await.expect("published")
    }

    pub(super) async fn attach(&self, subscription: &Subscription) -> Reader {
        let source = self.engine().attach(&self.cx(), subscription).await;
        Reader {
            source: source.expect("a member"),
            told: Vec::new(),
        }
    }

    pub(super) async fn reader(&self, group: &str) -> Reader {
        self.attach(&subscription(group)).await
    }

    /// What the group has not settled, over all partitions.
    pub(super) async fn lag(&self, group: &str) -> u64 {
        let report = self.engine().inspect(&self.cx(), TOPIC, Some(group)).await;
        let report = report.expect("a report");
        report.groups[0]
            .partitions
            .iter()
            .map(|part| part.lag)
            .sum()
    }

    /// Where the partition ends.
    pub(super) async fn head(&self, partition: usize) -> u64 {
        let report = self.engine().inspect(&self.cx(), TOPIC, None).await;
        report.expect("a report").partitions[partition].head
    }
}

pub(super) fn subscription(group: &str) -> Subscription {
    Subscription {
        member: "reader".into(),
        ..Subscription::new(TOPIC, group)
    }
}

pub(super) fn record(id: u64) -> Record {
    Record::new(id.to_string(), "Counted", "suite", id.to_string()).with_key(id.to_string())
}

/// The number in a message's payload.
pub(super) fn number(delivery: &Delivery) -> u64 {
    let text = std::str::from_utf8(&delivery.record.payload).expect("a payload of the suite");
    text.parse().expect("a number")
}

pub(super) fn numbers(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(number).collect()
}

pub(super) fn position(receipt: &Receipt) -> Position {
    match receipt {
        Receipt::Stored(position) => *position,
        other => panic!("expected a stored message, found {other:?}"),
    }
}

/// A member, and what it was told besides messages.
pub(super) struct Reader {
    pub(super) source: Box<dyn Source>,
    pub(super) told: Vec<Input>,
}

impl Reader {
    /// Some messages, at most so many.
    pub(super) async fn some(&mut self, max: usize) -> Vec<Delivery> {
        let waiting = async {
            loop {
                match self.source.next(max).await.expect("a source that serves") {
                    Input::Deliveries(deliveries) => return deliveries,
                    other => self.told.push(other),
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("messages come")
    }

    /// So many messages, none settled.
    pub(super) async fn take(&mut self, count: usize) -> Vec<Delivery> {
        let mut taken = Vec::new();
        while taken.len() < count {
            taken.extend(self.some(count - taken.len()).await);
        }
        taken
    }

    /// So many messages, each settled as done.
    pub(super) async fn finish(&mut self, count: usize) -> Vec<Delivery> {
        let mut finished = Vec::new();
        while finished.len() < count {
            let some = self.some(count - finished.len()).await;
            self.done(&some).await;
            finished.extend(some);
        }
        finished
    }

    /// Settles as done, and expects that every token is good.
    pub(super) async fn done(&mut self, deliveries: &[Delivery]) {
        let done = deliveries
            .iter()
            .map(|delivery| (delivery.token, Settle::Done));
        let stale = self.source.settle(done.collect()).await.expect("settled");
        assert_eq!(stale, [], "every token is good");
    }

    pub(super) async fn settle(&mut self, token: Token, settle: Settle) {
        let stale = self.source.settle(vec![(token, settle)]).await;
        assert_eq!(stale.expect("settled"), [], "the token is good");
    }

    /// Settles in one call, and expects that every token is good.
    pub(super) async fn settle_all(&mut self, settled: Vec<(Token, Settle)>) {
        let stale = self.source.settle(settled).await.expect("settled");
        assert_eq!(stale, [], "every token is good");
    }

    /// Waits for something that is no message.
    pub(super) async fn tell(&mut self, what: impl Fn(&Input) -> bool) -> Input {
        let waiting = async {
            loop {
                let input = match self.told.is_empty() {
                    false => self.told.remove(0),
                    true => self.source.next(1).await.expect("a source that serves"),
                };
                if what(&input) {
                    return input;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("it is told")
    }

    /// Expects that no message comes for a while.
    pub(super) async fn nothing(&mut self) {
        let waiting = async {
            loop {
                match self.source.next(10).await.expect("a source that serves") {
                    Input::Deliveries(deliveries) => return deliveries,
                    other => self.told.push(other),
                }
            }
        };
        if let Ok(deliveries) = tokio::time::timeout(QUIET, waiting).await {
            panic!("nothing was to come, {:?} came", numbers(&deliveries));
        }
    }

    /// The partitions it was given and not asked to give back, as far as it has heard.
    pub(super) async fn partitions(&mut self) -> Vec<u32> {
        self.nothing().await;
        let mut held = std::collections::BTreeSet::new();
        for input in &self.told {
            match input {
                Input::Assigned(parts) => held.extend(parts.iter().map(|(part, _)| *part)),
                Input::Revoked { partitions, .. } => {
                    held.retain(|part| !partitions.contains(part));
                }
                Input::Deliveries(_) | Input::Skipped { .. } => {}
            }
        }
        held.into_iter().collect()
    }

    /// Waits until it has so many partitions.
    pub(super) async fn holds(&mut self, count: usize) -> Vec<u32> {
        let waiting = async {
            loop {
                let held = self.partitions().await;
                if held.len() == count {
                    return held;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("it is given them")
    }

    pub(super) async fn close(self) {
        self.source.close().await.expect("it leaves");
    }
}
