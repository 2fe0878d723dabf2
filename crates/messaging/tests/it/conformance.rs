//! The suite, on a file and in memory.

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
    let (env, metrics) = (env(clock), Metrics::new());
    let tasks = Tasks::with_metrics(&env, &metrics);
    let engine: Result<Embedded, Error> =
        Embedded::over(store, durability, OPTIONS, &env, &tasks, &metrics).await;
    Arc::new(engine.unwrap())
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
