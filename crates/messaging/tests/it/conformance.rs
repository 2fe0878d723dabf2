//! The suite, on a file and in memory.

use crate::far::Far;
use crate::stage::env;
use async_trait::async_trait;
use backlot_core::Clock;
use backlot_messaging::caps::Durability;
use backlot_messaging::conformance::{self, Place};
use backlot_messaging::embedded::{Embedded, MIGRATIONS, Options};
use backlot_messaging::{Engine, Error};
use backlot_service::{Metrics, Tasks};
use backlot_storage::{Refusal, Store, StoreError, sqlite};
use std::sync::Arc;
use std::time::Duration;

const OPTIONS: Options = Options {
    queue: 65_536,
    tend: Duration::from_millis(50),
    patience: Duration::from_secs(30),
    letters: Duration::from_secs(30 * 24 * 3600),
};

/// Waits until whoever had it has let go.
async fn opened(open: impl Fn() -> Result<Store, StoreError>) -> Store {
    let opening = async {
        loop {
            match open() {
                Ok(store) => return store,
                Err(StoreError::Refused {
                    refusal: Refusal::InUse,
                    ..
                }) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("it does not open: {error}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), opening)
        .await
        .expect("the last engine lets go of its store")
}

async fn engine(store: Store, durability: Durability, clock: Clock) -> Arc<dyn Engine> {
    Arc::new(embedded(store, durability, clock).await)
}

async fn embedded(store: Store, durability: Durability, clock: Clock) -> Embedded {
    let (env, metrics) = (env(clock), Metrics::new());
    let tasks = Tasks::with_metrics(&env, &metrics);
    let engine: Result<Embedded, Error> =
        Embedded::over(store, durability, OPTIONS, &env, &tasks, &metrics).await;
    engine.unwrap()
}

#[derive(Default)]
struct InMemory(sqlite::Memory);

#[async_trait]
impl Place for InMemory {
    async fn open(&self, clock: Clock) -> Arc<dyn Engine> {
        let store = opened(|| self.0.open(MIGRATIONS, clock.clone())).await;
        engine(store, Durability::Memory, clock).await
    }
}

struct InFile(tempfile::TempDir);

#[async_trait]
impl Place for InFile {
    async fn open(&self, clock: Clock) -> Arc<dyn Engine> {
        let path = self.0.path().join("broker.db");
        let options = sqlite::Options {
            readers: 1,
            ..sqlite::Options::default()
        };
        let store =
            opened(|| sqlite::open(&path, options.clone(), MIGRATIONS, clock.clone())).await;
        engine(store, Durability::Disk, clock).await
    }
}

#[tokio::test(start_paused = true)]
async fn the_engine_in_memory_keeps_every_promise() {
    let left_out = conformance::run(async || Box::new(InMemory::default()) as Box<dyn Place>).await;
    assert!(left_out.is_empty(), "{left_out:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_in_a_file_keeps_every_promise() {
    let make = async || Box::new(InFile(tempfile::tempdir().unwrap())) as Box<dyn Place>;
    let left_out = conformance::run(make).await;
    assert!(left_out.is_empty(), "{left_out:?}");
}

/// A database behind a wire, which outlives those who use it.
struct BehindAWire(Store);

#[async_trait]
impl Place for BehindAWire {
    async fn open(&self, clock: Clock) -> Arc<dyn Engine> {
        engine(self.0.clone(), Durability::Memory, clock).await
    }
}

#[tokio::test(start_paused = true)]
async fn the_engine_behind_a_wire_keeps_every_promise() {
    let make = async || Box::new(BehindAWire(Far::open().await.0)) as Box<dyn Place>;
    let left_out = conformance::run(make).await;
    assert!(left_out.is_empty(), "{left_out:?}");
}

/// An engine that sends dead letters where it must not.
struct Sabotaged(InMemory);

#[async_trait]
impl Place for Sabotaged {
    async fn open(&self, clock: Clock) -> Arc<dyn Engine> {
        let store = opened(|| self.0.0.open(MIGRATIONS, clock.clone())).await;
        let engine = embedded(store, Durability::Memory, clock).await;
        engine.sabotage_redrives();
        Arc::new(engine)
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "a redrive must not publish to the source topic again")]
async fn an_engine_that_sends_letters_to_the_source_topic_is_noticed() {
    let make = async || Box::new(Sabotaged(InMemory::default())) as Box<dyn Place>;
    conformance::run_one("redriven_letters_reach_only_their_group", make).await;
}
