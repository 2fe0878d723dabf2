//! The conformance suite on each server.

use crate::stage::{on_each, open};
use backlot_storage::conformance;
use backlot_testkit::Engine;
use backlot_testkit::engine::Kind;

on_each! {
    async fn a_store_keeps_every_promise(engine: Engine) {
        conformance::run(async |migrations, clock| {
            let database = engine.database().await;
            open(&engine, &database, migrations, clock).await
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
