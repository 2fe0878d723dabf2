//! The same on the servers of others: what was kept stays, and every way of writing agrees.

use super::Controller;
use super::batch_tests::{TEXTS, are_kept_under_numbers, interleave, keep_under_texts, step};
use super::tests::speaking;
use crate::repository::MIGRATIONS;
use backlot::Clock;
use backlot::storage::{Migrations, Store, mysql, postgres};
use backlot_testkit::Engine;
use backlot_testkit::engine::Kind;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

async fn open(engine: &Engine, database: &str, migrations: Migrations) -> Store {
    let (url, clock) = (engine.url(database), Clock::real());
    let opened = match engine.kind() {
        Kind::Mariadb => mysql::open(&url, mysql::Options::default(), migrations, clock).await,
        Kind::Postgres => {
            postgres::open(&url, postgres::Options::default(), migrations, clock).await
        }
    };
    opened.unwrap()
}

async fn holds(kind: Kind) {
    let Some(engine) = Engine::start(kind).await else {
        return;
    };
    let database = engine.database().await;
    let old = open(&engine, &database, TEXTS).await;
    keep_under_texts(&old).await;
    old.close().await.unwrap();
    let store = open(&engine, &database, MIGRATIONS).await;
    are_kept_under_numbers(&Controller::new(speaking(store.clone()), Clock::real())).await;
    store.close().await.unwrap();

    // The same steps each time.
    let steps = proptest::collection::vec(step(), 30..40);
    let steps = steps.new_tree(&mut TestRunner::deterministic()).unwrap();
    let store = open(&engine, &engine.database().await, MIGRATIONS).await;
    interleave(
        &Controller::new(speaking(store.clone()), Clock::real()),
        &steps.current(),
    )
    .await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_was_kept_stays_and_all_ways_agree_on_postgres() {
    holds(Kind::Postgres).await;
}

#[tokio::test]
async fn what_was_kept_stays_and_all_ways_agree_on_mariadb() {
    holds(Kind::Mariadb).await;
}
