//! Measures the way of an event on this machine's disk: published, stored, read, its effect made
//! once in a service's own store. Every step is on the disk.
//!
//! ```text
//! cargo run --release -p backlot-messaging --example pipeline
//! ```

use async_trait::async_trait;
use backlot_core::{Context, Env};
use backlot_messaging::consume::{Consume, Consumer, Failure, Group, Setup};
use backlot_messaging::embedded::{Embedded, Options};
use backlot_messaging::engine::Engine;
use backlot_messaging::{Bus, Event};
use backlot_service::{Metrics, Tasks};
use backlot_storage::{Migration, Migrations, Sql, Tx, params, sql, sqlite};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const EVENTS: u64 = 1_000_000;
const BATCH: usize = 4_000;
const MIGRATIONS: Migrations = &[Migration::new(
    1,
    "total",
    "CREATE TABLE total (stars INTEGER NOT NULL) STRICT; INSERT INTO total VALUES (0);",
)];
const ADD: Sql = sql!("UPDATE total SET stars = stars + ?");

#[derive(Serialize, Deserialize)]
struct Rated {
    film: u64,
    stars: u64,
}

impl Event for Rated {
    const NAME: &'static str = "Rated";
    const TOPIC: &'static str = "ratings";
    const VERSION: u32 = 1;

    fn key(&self) -> Option<String> {
        Some(self.film.to_string())
    }
}

/// One statement for a batch: what is measured is the way.
struct Adder(Arc<AtomicU64>);

#[async_trait]
impl Consume<Rated> for Adder {
    async fn consume(&self, cx: &Context, tx: &mut Tx, event: Rated) -> Result<(), Failure> {
        self.consume_batch(cx, tx, &[event]).await
    }

    async fn consume_batch(
        &self,
        _cx: &Context,
        tx: &mut Tx,
        events: &[Rated],
    ) -> Result<(), Failure> {
        let stars: u64 = events.iter().map(|event| event.stars).sum();
        tx.execute(ADD, params![stars.cast_signed()]).await?;
        self.0.fetch_add(events.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

fn say(what: &str, took: Duration) {
    let each = took.as_secs_f64() / EVENTS as f64;
    println!(
        "{what}: {:.0} a second, {:.2} µs each",
        1.0 / each,
        each * 1e6
    );
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let (env, metrics) = (Env::real(), Metrics::new());
    let tasks = Tasks::with_metrics(&env, &metrics);
    let path = folder.path().join("broker.db");
    let engine = Embedded::file(path, Options::default(), &env, &tasks, &metrics).await?;
    let engine: Arc<dyn Engine> = Arc::new(engine);
    let clock = env.clock.clone();
    let path = folder.path().join("service.db");
    let store = sqlite::open(path, sqlite::Options::default(), MIGRATIONS, clock)?;
    let cx = Context::background().with_timeout(Duration::from_secs(600));

    let events: Vec<Rated> = (0..EVENTS)
        .map(|number| Rated {
            film: number % 5000,
            stars: number % 5 + 1,
        })
        .collect();
    let bus = Bus::new(Arc::clone(&engine), "example", &env);
    let began = Instant::now();
    bus.publish_all(&cx, &events).await?;
    say("published", Instant::now() - began);

    let handled = Arc::new(AtomicU64::new(0));
    let setup = Setup {
        engine: Arc::clone(&engine),
        service: "example",
        member: "one".to_owned(),
        env,
        metrics,
    };
    let group = Group::new("total").batch(BATCH);
    let consumer = Consumer::consuming(&setup, group, store.clone(), Adder(Arc::clone(&handled)))?;
    let began = Instant::now();
    let all = async {
        while handled.load(Ordering::Relaxed) < EVENTS {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    consumer.run(all).await;
    say(
        "read, handled in batches and settled",
        Instant::now() - began,
    );
    engine.close().await?;
    store.close().await?;
    Ok(())
}
