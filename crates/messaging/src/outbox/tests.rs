use super::*;
use crate::embedded::{Embedded, Options};
use crate::engine::{Engine, Input, Subscription};
use backlot_core::trace::TraceContext;
use backlot_core::{Context, Dice, Env};
use backlot_service::{Metrics, Tasks};
use backlot_storage::outbox::{Batch, End, Forward, Relay};
use backlot_storage::{Store, sqlite};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
struct Rated {
    film: String,
    stars: u32,
}

impl Event for Rated {
    const NAME: &'static str = "Rated";
    const TOPIC: &'static str = "ratings";
    const VERSION: u32 = 1;
    const PARTITIONS: u32 = 1;

    fn key(&self) -> Option<String> {
        Some(self.film.clone())
    }
}

struct Stage {
    store: Store,
    engine: Arc<Embedded>,
    env: Env,
}

impl Stage {
    async fn new() -> Self {
        let (env, metrics) = (Env::real(), Metrics::new());
        let tasks = Tasks::with_metrics(&env, &metrics);
        let engine = Embedded::memory(Options::default(), &env, &tasks, &metrics);
        let engine = Arc::new(engine.await.unwrap());
        let store = sqlite::memory(&[], env.clock.clone()).unwrap();
        let store = store.originating("rating", Dice::seeded(1));
        Stage { store, engine, env }
    }

    async fn relay(&self) {
        let engine = Arc::clone(&self.engine) as Arc<dyn Engine>;
        let carrier = Carrier::new(engine, self.env.clock.clone()).topic::<Rated>();
        let options = backlot_storage::outbox::Options::default();
        let relay = Relay::new(&self.store, carrier, "one", Dice::seeded(2), options);
        assert_eq!(relay.run(async {}).await, End::Empty);
    }

    async fn waiting(&self) -> Batch {
        let limits = backlot_storage::outbox::Limits::default();
        self.store.outbox().take(&cx(), limits).await.unwrap()
    }

    async fn read(&self, topic: &str) -> Vec<Record> {
        let head = self.engine.inspect(&cx(), topic, None).await.unwrap();
        let head: u64 = head.partitions.iter().map(|part| part.head).sum();
        let subscription = Subscription::new(topic, "test");
        let mut source = self.engine.attach(&cx(), &subscription).await.unwrap();
        let mut read = Vec::new();
        while read.len() as u64 != head {
            if let Input::Deliveries(some) = source.next(100).await.unwrap() {
                read.extend(some.into_iter().map(|delivery| delivery.record));
            }
        }
        read
    }
}

async fn forward(carrier: &Carrier, batch: Batch) -> Result<(), backlot_core::Error> {
    carrier.forward(&cx(), batch).await
}

fn cx() -> Context {
    Context::background().with_timeout(std::time::Duration::from_secs(30))
}

#[tokio::test]
async fn an_event_leaves_with_its_commit_and_says_where_it_comes_from() {
    let stage = Stage::new().await;
    let trace = TraceContext {
        trace_id: 7,
        span_id: 9,
        sampled: true,
    };
    let publish = |fails: bool| {
        let cx = cx().with_trace(trace);
        stage.store.write(&cx, move |tx| {
            Box::pin(async move {
                let film = "metropolis".to_owned();
                tx.publish(&Rated { film, stars: 5 }).await?;
                if fails {
                    return Err(StoreError::sql("on purpose"));
                }
                Ok(())
            })
        })
    };
    publish(true).await.unwrap_err();
    publish(false).await.unwrap();
    stage.relay().await;
    let read = stage.read("ratings").await;
    assert_eq!(read.len(), 1, "what was rolled back is heard of by nobody");
    let record = &read[0];
    assert_eq!(record.key.as_deref(), Some("metropolis"));
    assert_eq!((&*record.kind, &*record.source), ("Rated", "rating"));
    assert!(record.time.0 > 0);
    let header = record.headers.get(TRACEPARENT).unwrap();
    assert_eq!(TraceContext::parse(header), trace);
    assert_eq!(event::decode::<Rated>(record).unwrap().stars, 5);
}

#[tokio::test]
async fn a_row_that_nobody_can_read_goes_aside_and_holds_nothing_up() {
    let stage = Stage::new().await;
    let written: Result<(), StoreError> = stage
        .store
        .write(&cx(), |tx| {
            Box::pin(async move {
                let film = "metropolis".to_owned();
                tx.outbox().add(Message::new("ratings", "77", b"what?"))?;
                // A name that no engine takes.
                let record = Record::new("78", "Rated", "rating", "{}");
                let payload = form::write("no such/topic", &record, None);
                tx.outbox()
                    .add(Message::new("no such/topic", "78", payload))?;
                tx.publish(&Rated { film, stars: 4 }).await
            })
        })
        .await;
    written.unwrap();
    // The second waits for a topic that never comes: nothing passes it.
    let engine = Arc::clone(&stage.engine) as Arc<dyn Engine>;
    let carrier = Carrier::new(engine, stage.env.clock.clone()).topic::<Rated>();
    let mut batch = stage.waiting().await;
    let waits = forward(&carrier, batch);
    assert_eq!(
        waits.await.unwrap_err().code(),
        backlot_core::Code::NotFound
    );
    batch = stage.waiting().await;
    batch.messages.remove(1);
    let sent = forward(&carrier, batch);
    sent.await.unwrap();
    assert_eq!(stage.read("ratings").await.len(), 1);
    let dead = stage.read(DEAD).await;
    assert_eq!((&*dead[0].payload, &*dead[0].id), (&b"what?"[..], "77"));
    assert_eq!(dead[0].headers.get("dlq-class"), Some("undecodable"));
    assert_eq!(dead[0].headers.get("dlq-topic"), Some("ratings"));
}

#[tokio::test]
async fn a_repetition_is_published_once_and_what_is_too_much_is_split() {
    let stage = Stage::new().await;
    let engine = Arc::clone(&stage.engine) as Arc<dyn Engine>;
    let carrier = Carrier::new(engine, stage.env.clock.clone()).topic::<Rated>();
    let messages: Vec<Message> = (0..5)
        .map(|number| {
            let record = Record::new(number.to_string(), "Rated", "rating", "{}");
            // One breaks a limit of the engine.
            let record = match number {
                2 => Record {
                    time: Timestamp(-1),
                    ..record
                },
                _ => record,
            };
            Message::new(
                "ratings",
                number.to_string(),
                form::write("ratings", &record, None),
            )
        })
        .collect();
    for _ in 0..2 {
        let mut batch = Batch::default();
        batch.messages = messages.clone();
        let sent = forward(&carrier, batch);
        sent.await.unwrap();
    }
    let ids: Vec<String> = stage
        .read("ratings")
        .await
        .into_iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(ids, ["0", "1", "3", "4"]);
    let dead = stage.read(DEAD).await;
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (&*dead[0].id, dead[0].headers.get("dlq-class")),
        ("2", Some("permanent"))
    );
}

#[tokio::test]
async fn an_event_that_is_too_large_is_refused_where_it_is_published() {
    let stage = Stage::new().await;
    let refused: Result<(), StoreError> = stage
        .store
        .write(&cx(), |tx| {
            Box::pin(async move {
                let film = "x".repeat(600);
                tx.publish(&Rated { film, stars: 4 }).await
            })
        })
        .await;
    let text = refused.unwrap_err().to_string();
    assert!(
        text.contains("Rated") && text.contains("key has 600 bytes"),
        "{text}"
    );
}
