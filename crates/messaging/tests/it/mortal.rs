//! A process that dies and is started again.

use crate::stage::{Stage, cx, done, ids, out};
use backlot_core::Clock;
use backlot_messaging::embedded::{MIGRATIONS, Options};
use backlot_messaging::engine::{Delivery, Engine, Input, Source, TopicSpec};
use backlot_storage::{Refusal, StoreError, sqlite};
use std::time::Duration;

pub(crate) const DEAD: &str = "events.g.dlq";

/// An engine whose process dies, and is started again over the same store.
pub(crate) struct Mortal {
    place: sqlite::Memory,
    stage: Option<Stage>,
    partitions: u32,
}

impl Mortal {
    pub(crate) async fn new(partitions: u32) -> Self {
        let mut mortal = Mortal {
            place: sqlite::Memory::default(),
            stage: None,
            partitions,
        };
        mortal.die().await;
        let spec = TopicSpec::new(DEAD, 1);
        mortal.stage().engine.ensure(&cx(), &spec).await.unwrap();
        mortal
    }

    pub(crate) fn stage(&self) -> &Stage {
        self.stage.as_ref().expect("it is open between deaths")
    }

    pub(crate) async fn die(&mut self) {
        self.stage = None;
        let store = loop {
            match self.place.open(MIGRATIONS, Clock::real()) {
                Ok(store) => break store,
                Err(StoreError::Refused {
                    refusal: Refusal::InUse,
                    ..
                }) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(error) => panic!("{error}"),
            }
        };
        let options = Options {
            tend: Duration::from_secs(3600),
            ..Options::default()
        };
        self.stage = Some(Stage::on(store, options, self.partitions).await);
    }

    pub(crate) async fn publish(&self, ids: std::ops::Range<u64>) {
        self.stage().publish(ids.map(out).collect()).await.unwrap();
    }

    /// All of these are out when the process dies.
    pub(crate) async fn die_with_all_out(&mut self, ids: std::ops::Range<u64>) {
        let mut left = usize::try_from(ids.end - ids.start).unwrap();
        self.publish(ids).await;
        let mut reader = self.reader().await;
        while left > 0 {
            left -= some(&mut *reader, left).await.len();
        }
        drop(reader);
        self.die().await;
    }

    pub(crate) async fn reader(&self) -> Box<dyn Source> {
        self.stage().reader("g").await
    }
}

/// The next messages.
pub(crate) async fn some(reader: &mut dyn Source, most: usize) -> Vec<Delivery> {
    let waiting = async {
        loop {
            if let Input::Deliveries(deliveries) = reader.next(most).await.unwrap() {
                return deliveries;
            }
        }
    };
    let waiting = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    waiting.expect("messages come")
}

pub(crate) async fn nothing(reader: &mut dyn Source) {
    let waiting = tokio::time::timeout(Duration::from_millis(100), async {
        loop {
            if let Input::Deliveries(deliveries) = reader.next(2000).await.unwrap() {
                return ids(&deliveries);
            }
        }
    });
    if let Ok(came) = waiting.await {
        panic!("nothing was to come, {came:?} came");
    }
}

pub(crate) async fn finish(reader: &mut dyn Source, deliveries: &[Delivery]) {
    assert_eq!(reader.settle(done(deliveries)).await.unwrap(), []);
}
