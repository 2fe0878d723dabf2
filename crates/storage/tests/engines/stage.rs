//! Stores on the databases of a server.

use backlot_core::Clock;
use backlot_storage::{Migrations, Store, StoreError, mysql, postgres};
use backlot_testkit::Engine;
use backlot_testkit::engine::Kind;

pub(crate) async fn try_open(
    engine: &Engine,
    url: &str,
    options: postgres::Options,
    migrations: Migrations,
    clock: Clock,
) -> Result<Store, StoreError> {
    match engine.kind() {
        Kind::Mariadb => mysql::open(url, options, migrations, clock).await,
        Kind::Postgres => postgres::open(url, options, migrations, clock).await,
    }
}

pub(crate) async fn open(
    engine: &Engine,
    database: &str,
    migrations: Migrations,
    clock: Clock,
) -> Store {
    let options = postgres::Options::default();
    try_open(engine, &engine.url(database), options, migrations, clock)
        .await
        .unwrap_or_else(|error| panic!("{}", backlot_core::error::chain(&error)))
}

/// One test on each server.
macro_rules! on_each {
    ($($(#[$attribute:meta])* async fn $name:ident($engine:ident: Engine) $body:block)*) => {
        $(
            mod $name {
                use super::*;

                #[allow(unused_mut, reason = "some servers are stopped, some are not")]
                async fn test(mut $engine: Engine) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_mariadb() {
                    if let Some(engine) = Engine::start(Kind::Mariadb).await {
                        test(engine).await;
                    }
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_postgres() {
                    if let Some(engine) = Engine::start(Kind::Postgres).await {
                        test(engine).await;
                    }
                }
            }
        )*
    };
}
pub(crate) use on_each;
