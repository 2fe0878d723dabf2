//! The promise: a store means the same on every database. All scenarios, one after the other in
//! one world whose services keep their data on a real server; and schemas that leave nothing to the
//! rules of a language.

use crate::worlds::{Running, Ways};
use backlot::app::cli::Options;
use backlot_testkit::Engine;
use backlot_testkit::engine::Kind;
use movies_system_tests::scenarios;

/// The services that keep data, and so their databases.
const KEEPING: [&str; 2] = ["metadata", "rating"];

async fn all_scenarios_hold(kind: Kind, ways: Ways) {
    let Some(engine) = Engine::start(kind).await else {
        return;
    };
    let mut options = Options::default();
    for service in KEEPING {
        let database = format!("movies_{service}");
        engine.make_database(&database).await;
        let url = engine.url(&database);
        options.set.push(format!("{service}.store.url={url}"));
    }
    let running = Running::start_with(ways, options).await;
    for scenario in scenarios::all() {
        println!("{kind:?}, {ways:?}: {}", scenario.name);
        (scenario.run)(&running.clients).await;
    }
    running.stop().await;
    for service in KEEPING {
        texts_are_compared_by_bytes(&engine, &format!("movies_{service}")).await;
    }
}

async fn texts_are_compared_by_bytes(engine: &Engine, database: &str) {
    let sql = match engine.kind() {
        Kind::Mariadb => {
            "SELECT table_name, column_name, collation_name FROM information_schema.columns
             WHERE table_schema = DATABASE() AND collation_name <> 'utf8mb4_nopad_bin'"
        }
        Kind::Postgres => {
            "SELECT table_name, column_name, collation_name FROM information_schema.columns
             WHERE table_schema = 'public' AND data_type IN ('text', 'character varying', 'character')
                   AND collation_name IS DISTINCT FROM 'C'"
        }
    };
    let others = engine.say(database, sql).await;
    assert_eq!(
        others, "",
        "columns of {database} that a language's rules compare"
    );
}

#[tokio::test]
async fn all_scenarios_hold_on_postgres() {
    all_scenarios_hold(Kind::Postgres, Ways::Remote).await;
}

#[tokio::test]
async fn all_scenarios_hold_on_mariadb() {
    all_scenarios_hold(Kind::Mariadb, Ways::Direct).await;
}
