//! Schemas that were interrupted, changed, or are newer; and servers that let nobody in.

use crate::stage::{on_each, open, try_open};
use backlot_core::{Clock, Context};
use backlot_storage::outbox::{Limits, Message};
use backlot_storage::{Migration, Migrations, Refusal, StoreError, postgres};
use backlot_testkit::Engine;
use backlot_testkit::engine::Kind;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

const TWO: Migrations = &[
    Migration::new(
        1,
        "one",
        "CREATE TABLE one (x BIGINT NOT NULL);
         INSERT INTO one (x) VALUES (1);
         ALTER TABLE one ADD COLUMN y BIGINT;
         CREATE INDEX one_x ON one (x);
         INSERT INTO one (x, y) VALUES (2, 2);",
    ),
    Migration::new(
        2,
        "two",
        "CREATE TABLE two (x BIGINT); DROP TABLE two; CREATE TABLE three (x BIGINT);",
    ),
];

async fn attempt(
    engine: &Engine,
    database: &str,
    migrations: Migrations,
) -> Result<(), StoreError> {
    let options = postgres::Options::default();
    let url = engine.url(database);
    let opened = try_open(engine, &url, options, migrations, Clock::real()).await;
    opened.map(drop)
}

/// The refusal and its text, which must name its code, the database and these words.
async fn refused(
    engine: &Engine,
    database: &str,
    migrations: Migrations,
    words: &[&str],
) -> Refusal {
    let error = attempt(engine, database, migrations).await.unwrap_err();
    let text = error.to_string();
    let StoreError::Refused { refusal, .. } = error else {
        panic!("{error:?} is no refusal")
    };
    for word in words.iter().chain(&[refusal.code(), database]) {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
    refusal
}

on_each! {
    /// The program ends at any moment: a connection that is dropped is all that its server sees.
    async fn a_migration_interrupted_anywhere_goes_on_at_the_next_start(engine: Engine) {
        let mut polls = 1;
        loop {
            let database = engine.database().await;
            let mut left = polls;
            let done = {
                let mut opening = pin!(attempt(&engine, &database, TWO));
                poll_fn(|cx| {
                    if left == 0 {
                        return Poll::Ready(None);
                    }
                    left -= 1;
                    opening.as_mut().poll(cx).map(Some)
                })
                .await
            };
            open(&engine, &database, TWO, Clock::real()).await.close().await.unwrap();
            let rows = engine.say(&database, "SELECT x FROM one ORDER BY x").await;
            assert_eq!(rows, "1\n2\n", "after {polls} polls");
            let rows = engine.say(&database, "SELECT COUNT(*) FROM three").await;
            assert_eq!(rows, "0\n", "after {polls} polls");
            if let Some(done) = done {
                done.unwrap();
                break;
            }
            polls += 1;
        }
        assert!(polls > 10, "only {polls} polls: nothing was interrupted");
    }

    async fn a_changed_migration_and_a_newer_schema_are_refused(engine: Engine) {
        const CHANGED: Migrations = &[
            Migration::new(1, "one", "CREATE TABLE one (z BIGINT);"),
            TWO[1],
        ];
        let database = engine.database().await;
        attempt(&engine, &database, TWO).await.unwrap();
        attempt(&engine, &database, TWO).await.unwrap();
        assert_eq!(
            refused(&engine, &database, &TWO[..1], &["version 2 (two)", "up to 1"]).await,
            Refusal::Newer
        );
        assert_eq!(
            refused(&engine, &database, CHANGED, &["migration 1 (one)", "new migration"]).await,
            Refusal::HistoryDiffers
        );
    }

    async fn a_migration_that_fails_says_where_and_goes_on_once_corrected(engine: Engine) {
        const BROKEN: Migrations = &[Migration::new(
            1,
            "one",
            "CREATE TABLE one (x BIGINT); CREATE TABLE two (x NONSENSE); CREATE TABLE three (x BIGINT);",
        )];
        const CORRECTED: Migrations = &[Migration::new(
            1,
            "one",
            "CREATE TABLE one (x BIGINT); CREATE TABLE two (x BIGINT); CREATE TABLE three (x BIGINT);",
        )];
        const OTHERWISE: Migrations = &[Migration::new(1, "one", "CREATE TABLE one (y BIGINT);")];
        let database = engine.database().await;
        let words = match engine.kind() {
            Kind::Mariadb => ["statement 2", "the 1 before it are done"],
            Kind::Postgres => ["migration 1 (one)", "was undone"],
        };
        assert_eq!(refused(&engine, &database, BROKEN, &words).await, Refusal::MigrationFailed);
        if engine.kind() == Kind::Mariadb {
            assert_eq!(
                refused(&engine, &database, OTHERWISE, &["first 1 statements", "put it back"]).await,
                Refusal::HalfDone
            );
        }
        attempt(&engine, &database, CORRECTED).await.unwrap();
        assert_eq!(engine.say(&database, "SELECT COUNT(*) FROM three").await, "0\n");
    }

    /// One from before there were outbox, inbox and positions.
    async fn an_old_database_gets_what_it_lacks(engine: Engine) {
        let database = engine.database().await;
        attempt(&engine, &database, TWO).await.unwrap();
        for table in ["outbox", "lease", "inbox", "position"] {
            engine.say(&database, &format!("DROP TABLE backlot_{table}")).await;
        }
        let forget = "DELETE FROM backlot_schema WHERE space = 'backlot' AND version >= 2";
        engine.say(&database, forget).await;
        let store = open(&engine, &database, TWO, Clock::real()).await;
        let cx = Context::background();
        let sent: Result<(), StoreError> = store
            .write(&cx, |tx| {
                Box::pin(async move { tx.outbox().add(Message::new("t", "1", b"")) })
            })
            .await;
        sent.unwrap();
        let waiting = store.outbox().take(&cx, Limits::default()).await.unwrap();
        assert_eq!(waiting.messages[0].id, "1");
    }

    async fn a_server_that_lets_nobody_in_is_named_and_the_password_is_not(engine: Engine) {
        let (scheme, locked) = match engine.kind() {
            Kind::Mariadb => ("mysql", "CREATE USER locked@'127.0.0.1' IDENTIFIED BY 'opensesame'"),
            Kind::Postgres => ("postgres", "CREATE ROLE locked NOLOGIN"),
        };
        engine.say("", locked).await;
        let database = engine.database().await;
        let url = format!("{scheme}://locked:hunter2@127.0.0.1:{}/{database}", engine.port());
        let missing = engine.url("nowhere");
        for (url, word) in [(&*url, "locked"), (&*missing, "nowhere")] {
            let options = postgres::Options::default();
            let error = try_open(&engine, url, options, TWO, Clock::real()).await.unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("BL0009") && text.contains(word), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
