//! What is done is settled beside what is still being done.

use super::stage::{Counted, Stage, Worker, cx};
use crate::far::{Far, Fault};
use backlot_messaging::Event;
use backlot_messaging::caps::Durability;
use backlot_messaging::consume::{Consumer, Group, Setup};
use backlot_messaging::embedded::{Embedded, Options};
use backlot_messaging::engine::{Engine, Outgoing, TopicSpec};
use backlot_service::Tasks;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A log behind a wire, with so many messages in one partition.
async fn log(stage: &Stage, messages: u64) -> (Setup, Far) {
    let (log, far) = Far::open().await;
    let tasks = Tasks::with_metrics(&stage.env, &stage.metrics);
    let (options, durability) = (Options::default(), Durability::Memory);
    let engine = Embedded::over(log, durability, options, &stage.env, &tasks, &stage.metrics);
    let engine = Arc::new(engine.await.unwrap());
    let spec = TopicSpec::new(Counted::TOPIC, 1);
    engine.ensure(&cx(), &spec).await.unwrap();
    let records = (0..messages).map(|n| Stage::record(&Counted { n, lane: n }));
    let outgoing = records.map(|record| Outgoing::new(Counted::TOPIC, record));
    engine.append(&cx(), outgoing.collect()).await.unwrap();
    let setup = Setup {
        engine,
        ..stage.setup()
    };
    (setup, far)
}

#[tokio::test(start_paused = true)]
async fn handlers_go_on_while_the_log_takes_its_time_to_settle() {
    let stage = Stage::new(2).await;
    let (setup, far) = log(&stage, 5).await;
    let (handled, mut told) = watch::channel(0);
    let worker = Worker(move |n, _| {
        if n == 0 {
            // The next commits take a third of a second each; one of them says that this is done.
            far.fail([Some(Fault::Slow); 4]);
        }
        let handled = handled.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            handled.send_modify(|handled| *handled += 1);
            Ok(())
        }
    });
    let group = Group::new("g").concurrency(1);
    let consumer = Consumer::working(&setup, group, worker).unwrap();
    let mut took = Duration::ZERO;
    let all = async {
        told.wait_for(|handled| *handled == 1).await.unwrap();
        let began = Instant::now();
        told.wait_for(|handled| *handled == 5).await.unwrap();
        took = Instant::now() - began;
    };
    consumer.run(all).await;
    assert!(took < Duration::from_millis(500), "{took:?}");
}
