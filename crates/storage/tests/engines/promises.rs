//! The conformance suite on each server.

use crate::stage::{on_each, open};
use backlot_core::Context;
use backlot_storage::{conformance, mysql, postgres};
use backlot_testkit::Engine;
use backlot_testkit::engine::Kind;
use sqlx::{MySqlPool, PgPool};

on_each! {
    async fn a_store_keeps_every_promise(engine: Engine) {
        conformance::run(async |migrations, clock| {
            let database = engine.database().await;
            open(&engine, &database, migrations, clock).await
        })
        .await;
    }

    async fn large_values_and_many_rows_come_back(engine: Engine) {
        conformance::run_amounts(async |migrations, clock| {
            let database = engine.database().await;
            open(&engine, &database, migrations, clock).await
        })
        .await;
    }

    async fn a_pool_that_somebody_has_already_serves_as_well(engine: Engine) {
        conformance::run(async |migrations, clock| {
            let database = engine.database().await;
            let url = engine.url(&database);
            let store = match engine.kind() {
                Kind::Mariadb => {
                    let alter = format!("ALTER DATABASE {database} COLLATE utf8mb4_nopad_bin");
                    engine.say(&database, &alter).await;
                    mysql::over(MySqlPool::connect(&url).await.unwrap(), clock)
                }
                Kind::Postgres => postgres::over(PgPool::connect(&url).await.unwrap(), clock),
            };
            store.migrate(&Context::background(), migrations).await.unwrap();
            store
        })
        .await;
    }

    async fn two_stores_keep_every_promise_together(engine: Engine) {
        conformance::run_shared(async |migrations, clock| {
            let database = engine.database().await;
            let one = open(&engine, &database, migrations, clock.clone());
            let other = open(&engine, &database, migrations, clock.clone());
            tokio::join!(one, other)
        })
        .await;
    }
}
