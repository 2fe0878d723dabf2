//! An engine over a store of the test's own.

use backlot_core::{Clock, Context, Dice, Env};
use backlot_messaging::caps::Durability;
use backlot_messaging::embedded::{Embedded, Options};
use backlot_messaging::engine::{
    Delivery, Engine, Input, Outgoing, Settle, Source, Subscription, TopicSpec,
};
use backlot_messaging::{Error, Record};
use backlot_service::{Metrics, Tasks};
use backlot_storage::Store;
use std::time::Duration;

pub(crate) const TOPIC: &str = "events";

pub(crate) fn env(clock: Clock) -> Env {
    Env {
        clock,
        dice: Dice::seeded(1),
        ..Env::real()
    }
}

pub(crate) struct Stage {
    pub(crate) engine: Embedded,
    pub(crate) metrics: Metrics,
}

pub(crate) fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(30))
}

pub(crate) fn out(id: u64) -> Outgoing {
    Outgoing::new(
        TOPIC,
        Record::new(id.to_string(), "Counted", "test", id.to_string()),
    )
}

/// A message of this one of so many partitions.
pub(crate) fn out_to((part, of): (u32, u32), id: u64) -> Outgoing {
    let mut keys = (0..1000).map(|key: u32| key.to_string());
    let mut message = out(id);
    message.record.key = keys.find(|key| backlot_messaging::partition::of_key(key, of) == part);
    message
}

pub(crate) fn ids(deliveries: &[Delivery]) -> Vec<u64> {
    let ids = deliveries.iter().map(|delivery| delivery.record.id.parse());
    ids.map(|id| id.expect("a number")).collect()
}

impl Stage {
    pub(crate) async fn over(store: Store, options: Options) -> Self {
        Stage::on(store, options, 1).await
    }

    pub(crate) async fn on(store: Store, options: Options, partitions: u32) -> Self {
        Stage::at(Clock::real(), store, options, partitions).await
    }

    pub(crate) async fn at(clock: Clock, store: Store, options: Options, partitions: u32) -> Self {
        let (env, metrics) = (env(clock), Metrics::new());
        let tasks = Tasks::with_metrics(&env, &metrics);
        let engine = Embedded::over(store, Durability::Memory, options, &env, &tasks, &metrics);
        let engine = engine.await.unwrap();
        engine
            .ensure(&cx(), &TopicSpec::new(TOPIC, partitions))
            .await
            .unwrap();
        Stage { engine, metrics }
    }

    pub(crate) async fn publish(&self, outgoing: Vec<Outgoing>) -> Result<(), Error> {
        self.engine.append(&cx(), outgoing).await.map(drop)
    }

    pub(crate) async fn reader(&self, group: &str) -> Box<dyn Source> {
        let subscription = Subscription::new(TOPIC, group);
        self.engine.attach(&cx(), &subscription).await.unwrap()
    }

    pub(crate) async fn lag_of_all(&self, group: &str) -> u64 {
        let report = self
            .engine
            .inspect(&cx(), TOPIC, Some(group))
            .await
            .unwrap();
        let parts = report.groups[0].partitions.iter();
        parts.map(|part| part.lag).sum()
    }

    pub(crate) async fn lag(&self, group: &str) -> u64 {
        let report = self
            .engine
            .inspect(&cx(), TOPIC, Some(group))
            .await
            .unwrap();
        report.groups[0].partitions[0].lag
    }
}

/// The next messages or gaps, whatever the store says in between.
pub(crate) async fn next(source: &mut dyn Source) -> Input {
    let waiting = async {
        loop {
            match source.next(100).await {
                Ok(Input::Assigned(_) | Input::Revoked { .. }) | Err(_) => {}
                Ok(input) => return input,
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .expect("something comes")
}

pub(crate) async fn messages(source: &mut dyn Source) -> Vec<Delivery> {
    match next(source).await {
        Input::Deliveries(deliveries) => deliveries,
        other => panic!("expected messages, found {other:?}"),
    }
}

pub(crate) fn done(deliveries: &[Delivery]) -> Vec<(backlot_messaging::engine::Token, Settle)> {
    let done = deliveries
        .iter()
        .map(|delivery| (delivery.token, Settle::Done));
    done.collect()
}
