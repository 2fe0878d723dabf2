//! An engine, a service's store, and a handler that does as it is told.

use async_trait::async_trait;
use backlot_core::{Clock, Context, Dice, Env, Timestamp};
use backlot_messaging::caps::Durability;
use backlot_messaging::consume::{Consume, Consumer, Failure, Group, Job, Setup, Work};
use backlot_messaging::embedded::{self, Embedded};
use backlot_messaging::engine::{Engine, Input, Outgoing, Subscription};
use backlot_messaging::event::{self, Stamp};
use backlot_messaging::{Error, Event, Record};
use backlot_service::{Metrics, Tasks};
use backlot_storage::{
    Migration, Migrations, Refusal, Sql, Store, StoreError, Tx, params, sql, sqlite,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

pub(super) const MIGRATIONS: Migrations = &[Migration::new(
    1,
    "effects",
    "CREATE TABLE effect (at INTEGER PRIMARY KEY, n INTEGER NOT NULL, lane INTEGER NOT NULL) STRICT;",
)];
const INSERT: Sql = sql!("INSERT INTO effect (n, lane) VALUES (?, ?)");
const EFFECTS: Sql = sql!("SELECT n, lane FROM effect ORDER BY at");

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Counted {
    pub(super) n: u64,
    pub(super) lane: u64,
}

impl Event for Counted {
    const NAME: &'static str = "Counted";
    const TOPIC: &'static str = "counts";
    const VERSION: u32 = 1;
    const PARTITIONS: u32 = 3;

    fn key(&self) -> Option<String> {
        Some(self.lane.to_string())
    }
}

/// What the handler does at this call for this event, counted from 1.
pub(super) type Script = Arc<dyn Fn(&Counted, u32) -> Result<(), Failure> + Send + Sync>;

pub(super) fn script(
    script: impl Fn(&Counted, u32) -> Result<(), Failure> + Send + Sync + 'static,
) -> Script {
    Arc::new(script)
}

pub(super) struct Handler {
    pub(super) script: Script,
    pub(super) calls: Arc<Mutex<BTreeMap<u64, u32>>>,
}

#[async_trait]
impl Consume<Counted> for Handler {
    async fn consume(&self, _cx: &Context, tx: &mut Tx, event: Counted) -> Result<(), Failure> {
        let call = {
            let mut calls = self.calls.lock();
            let call = calls.entry(event.n).or_default();
            *call += 1;
            *call
        };
        tx.execute(INSERT, params![event.n as i64, event.lane as i64])
            .await?;
        (self.script)(&event, call)
    }
}

/// The same for many at once, which says of each what is wrong with it.
pub(super) struct Together(pub(super) Handler);

#[async_trait]
impl Consume<Counted> for Together {
    async fn consume(&self, cx: &Context, tx: &mut Tx, event: Counted) -> Result<(), Failure> {
        self.0.consume(cx, tx, event).await
    }

    async fn consume_batch(
        &self,
        _cx: &Context,
        tx: &mut Tx,
        events: &[Counted],
    ) -> Result<(), Failure> {
        let mut failed = Vec::new();
        for (place, event) in events.iter().enumerate() {
            let call = {
                let mut calls = self.0.calls.lock();
                let call = calls.entry(event.n).or_default();
                *call += 1;
                *call
            };
            if let Err(failure) = (self.0.script)(event, call) {
                failed.push((place, failure));
            }
        }
        if !failed.is_empty() {
            return Err(Failure::among(failed));
        }
        for event in events {
            tx.execute(INSERT, params![event.n as i64, event.lane as i64])
                .await?;
        }
        Ok(())
    }
}

/// Waits as it is told.
pub(super) struct Worker<F>(pub(super) F);

#[async_trait]
impl<F, R> Work<Counted> for Worker<F>
where
    F: Fn(u64, u32) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), Failure>> + Send,
{
    async fn work(&self, _cx: &Context, job: &Job<Counted>) -> Result<(), Failure> {
        (self.0)(job.event.n, job.attempt).await
    }
}

pub(super) struct Stage {
    pub(super) env: Env,
    pub(super) metrics: Metrics,
    pub(super) store: Store,
    place: sqlite::Memory,
    engine: Option<Arc<Embedded>>,
    pub(super) calls: Arc<Mutex<BTreeMap<u64, u32>>>,
}

pub(super) fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(3600))
}

impl Stage {
    pub(super) async fn new(seed: u64) -> Self {
        let began = Instant::now();
        let clock =
            Clock::from_fn(move || Timestamp(1_700_000_000_000).plus(Instant::now() - began));
        let env = Env {
            clock: clock.clone(),
            dice: Dice::seeded(seed),
            ..Env::real()
        };
        let mut stage = Stage {
            store: sqlite::memory(MIGRATIONS, clock).unwrap(),
            metrics: Metrics::new(),
            place: sqlite::Memory::default(),
            engine: None,
            calls: Arc::default(),
            env,
        };
        stage.open().await;
        stage
    }

    async fn open(&mut self) {
        let store = loop {
            let opened = self
                .place
                .open(embedded::MIGRATIONS, self.env.clock.clone());
            match opened {
                Ok(store) => break store,
                Err(StoreError::Refused {
                    refusal: Refusal::InUse,
                    ..
                }) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(error) => panic!("{error}"),
            }
        };
        let tasks = Tasks::with_metrics(&self.env, &self.metrics);
        let options = embedded::Options::default();
        let (env, metrics) = (&self.env, &self.metrics);
        let engine = Embedded::over(store, Durability::Memory, options, env, &tasks, metrics);
        self.engine = Some(Arc::new(engine.await.unwrap()));
    }

    /// The engine's process dies, and is started again.
    pub(super) async fn die(&mut self) {
        self.engine = None;
        self.open().await;
    }

    pub(super) fn engine(&self) -> Arc<Embedded> {
        Arc::clone(self.engine.as_ref().unwrap())
    }

    pub(super) fn setup(&self) -> Setup {
        Setup {
            engine: self.engine(),
            service: "test",
            member: "one".into(),
            env: self.env.clone(),
            metrics: self.metrics.clone(),
        }
    }

    pub(super) fn handler(&self, script: &Script) -> Handler {
        Handler {
            script: Arc::clone(script),
            calls: Arc::clone(&self.calls),
        }
    }

    pub(super) fn consumer(&self, group: &Group, script: &Script) -> Consumer {
        let handler = self.handler(script);
        Consumer::consuming(&self.setup(), group.clone(), self.store.clone(), handler).unwrap()
    }

    pub(super) fn record(event: &Counted) -> Record {
        let stamp = Stamp {
            id: event.n.to_string(),
            source: "test".into(),
            time: Timestamp(0),
        };
        event::encode(event, stamp).unwrap()
    }

    /// Publishes events of these numbers, each of the lane that it is given.
    pub(super) async fn publish(
        &self,
        numbers: impl IntoIterator<Item = u64>,
        lane: impl Fn(u64) -> u64,
    ) {
        let records = numbers.into_iter().map(|n| Counted { n, lane: lane(n) });
        let records = records.map(|event| Stage::record(&event));
        self.append(Counted::TOPIC, records.collect()).await;
    }

    pub(super) async fn append(&self, topic: &str, records: Vec<Record>) {
        let engine = self.engine();
        let outgoing = records.into_iter().map(|it| Outgoing::new(topic, it));
        let outgoing: Vec<Outgoing> = outgoing.collect();
        match engine.append(&cx(), outgoing.clone()).await {
            Err(Error::UnknownTopic { .. }) => {
                let partitions = if topic == Counted::TOPIC { 3 } else { 1 };
                let spec = backlot_messaging::engine::TopicSpec::new(topic, partitions);
                engine.ensure(&cx(), &spec).await.unwrap();
                engine.append(&cx(), outgoing).await.unwrap();
            }
            done => drop(done.unwrap()),
        }
    }

    /// What a group has not settled, if it is there; with what it is to try anew.
    pub(super) async fn lag(&self, group: &str) -> Option<u64> {
        let mut lag = 0;
        for topic in [Counted::TOPIC.to_owned(), format!("counts.{group}.retry")] {
            let report = self.engine().inspect(&cx(), &topic, Some(group)).await;
            let report = report.ok()?;
            let parts = &report.groups[0].partitions;
            lag += parts.iter().map(|part| part.lag).sum::<u64>();
        }
        Some(lag)
    }

    /// Waits until the group has settled everything.
    pub(super) async fn settled(&self, group: &str) {
        while self.lag(group).await != Some(0) {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    pub(super) async fn until(&self, condition: impl AsyncFn() -> bool) {
        let waiting = async {
            while !condition().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let patience = Duration::from_secs(3600 * 48);
        let met = tokio::time::timeout(patience, waiting).await;
        met.expect("it comes to that");
    }

    /// Runs a consumer until its group has settled everything.
    pub(super) async fn consume(&self, group: &Group, script: &Script) {
        let consumer = self.consumer(group, script);
        consumer.run(self.settled(group.name())).await;
    }

    /// Numbers and lanes of the effects, in their order.
    pub(super) async fn effects(&self) -> Vec<(u64, u64)> {
        let reading = self.store.read(&cx(), |tx| {
            Box::pin(async move {
                let rows = tx.query(EFFECTS, params![]).await?;
                let read = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?)));
                read.collect::<Result<Vec<(u64, u64)>, StoreError>>()
            })
        });
        reading.await.unwrap()
    }

    pub(super) async fn numbers(&self) -> Vec<u64> {
        let effects = self.effects().await;
        effects.into_iter().map(|(n, _)| n).collect()
    }

    /// The dead letters of a group.
    pub(super) async fn letters(&self, group: &str) -> Vec<Record> {
        let topic = format!("counts.{group}.dlq");
        let head = self.engine().inspect(&cx(), &topic, None).await.unwrap();
        let head: u64 = head.partitions.iter().map(|part| part.head).sum();
        let subscription = Subscription::new(topic, "people");
        let mut source = self.engine().attach(&cx(), &subscription).await.unwrap();
        let mut letters = Vec::new();
        while letters.len() as u64 != head {
            if let Input::Deliveries(some) = source.next(100).await.unwrap() {
                letters.extend(some.into_iter().map(|delivery| delivery.record));
            }
        }
        letters
    }
}
