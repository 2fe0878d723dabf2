//! What a server, and the wire to it, may do to a store: no acknowledged write is lost, none is done
//! twice, and every call ends by its deadline.

use crate::stage::{on_each, open, try_open};
use backlot_core::{Clock, Code, Context, Error, Idempotency};
use backlot_storage::{Migration, Migrations, Sql, Store, params, postgres, sql};
use backlot_testkit::engine::Kind;
use backlot_testkit::proxy::Proxy;
use backlot_testkit::{Engine, wait_until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Barrier, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Nothing in it refuses a line that is there already: what is done twice shows.
const MIGRATIONS: Migrations = &[Migration::new(
    1,
    "lines",
    "CREATE TABLE line (id BIGINT NOT NULL); CREATE TABLE total (id BIGINT PRIMARY KEY, sum BIGINT NOT NULL);
     INSERT INTO total (id, sum) VALUES (1, 0), (2, 0);",
)];
const PUT: Sql = sql!("INSERT INTO line (id) VALUES (?)");
const ALL: Sql = sql!("SELECT id FROM line ORDER BY id");
const ADD: Sql = sql!("UPDATE total SET sum = sum + 1 WHERE id = ?");
const SUM: Sql = sql!("SELECT sum FROM total WHERE id = ?");

fn within(millis: u64) -> Context {
    Context::background().with_timeout(Duration::from_millis(millis))
}

fn key(id: i64) -> Arc<Idempotency> {
    Arc::new(Idempotency {
        key: format!("line-{id}"),
        method: "/t/Put",
        fingerprint: 1,
    })
}

/// Writes a line and counts it, once however often it is asked.
async fn put(store: &Store, id: i64, millis: u64) -> Result<i64, Error> {
    let write = store.write_once(&within(millis), Some(&key(id)), move |tx| {
        Box::pin(async move {
            tx.execute(ADD, params![1]).await?;
            tx.execute(PUT, params![id]).await?;
            Ok::<i64, Error>(id)
        })
    });
    write.await
}

async fn lines(store: &Store) -> Vec<i64> {
    let read = store.read(&within(10_000), |tx| {
        Box::pin(async move {
            let rows = tx.query(ALL, params![]).await?;
            rows.iter()
                .map(|row| Ok(row.get(0)?))
                .collect::<Result<Vec<i64>, Error>>()
        })
    });
    read.await.unwrap()
}

async fn sum(store: &Store, id: i64) -> i64 {
    let read = store.read(&within(10_000), move |tx| {
        Box::pin(async move { Ok::<i64, Error>(tx.query_one(SUM, params![id]).await?.get(0)?) })
    });
    read.await.unwrap()
}

async fn fresh(engine: &Engine) -> Store {
    let database = engine.database().await;
    open(engine, &database, MIGRATIONS, Clock::real()).await
}

async fn few(engine: &Engine, url: &str, connections: u32, queue: usize) -> Store {
    let options = postgres::Options {
        connections,
        queue,
        ..postgres::Options::default()
    };
    try_open(engine, url, options, MIGRATIONS, Clock::real())
        .await
        .unwrap()
}

on_each! {
    async fn what_was_acknowledged_survives_a_kill_and_nothing_is_done_twice(engine: Engine) {
        const WRITERS: i64 = 8;
        let store = fresh(&engine).await;
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let failures = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (store, stop) = (store.clone(), Arc::clone(&stop));
            let (acknowledged, failures) = (Arc::clone(&acknowledged), Arc::clone(&failures));
            writers.spawn(async move {
                let mut done = Vec::new();
                let mut number = 0;
                while !stop.load(Ordering::SeqCst) {
                    let id = number * WRITERS + writer;
                    // Whether a failed one was done is unknown; under its key it is asked again.
                    while let Err(error) = put(&store, id, 2_000).await {
                        assert!(
                            matches!(error.code(), Code::Unavailable | Code::DeadlineExceeded),
                            "{}",
                            error.chain()
                        );
                        failures.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                    done.push(id);
                    number += 1;
                }
                done
            });
        }
        let more = async |count: usize| {
            let goal = acknowledged.load(Ordering::SeqCst) + count;
            wait_until("more lines are acknowledged", async || {
                let now = acknowledged.load(Ordering::SeqCst);
                if now >= goal { Ok(()) } else { Err(format!("{now} of {goal}")) }
            })
            .await;
        };
        for _ in 0..2 {
            more(40).await;
            engine.kill().await;
            engine.restart().await;
        }
        more(40).await;
        stop.store(true, Ordering::SeqCst);
        let mut expected: Vec<i64> = writers.join_all().await.concat();
        expected.sort_unstable();
        assert_eq!(lines(&store).await, expected);
        assert_eq!(sum(&store, 1).await, expected.len() as i64);
        assert!(failures.load(Ordering::SeqCst) > 0, "the kills were noticed");
    }

    async fn a_connection_lost_within_a_transaction_undoes_it(engine: Engine) {
        let database = engine.database().await;
        let proxy = Arc::new(Proxy::start(engine.port()).await);
        let store = few(&engine, &engine.url_at(proxy.port(), &database), 2, 10).await;
        let cutting = Arc::clone(&proxy);
        let lost = store.write(&within(10_000), move |tx| {
            let cutting = Arc::clone(&cutting);
            Box::pin(async move {
                tx.execute(PUT, params![1]).await?;
                cutting.cut();
                tx.execute(PUT, params![2]).await?;
                Ok::<(), Error>(())
            })
        });
        let lost = lost.await.unwrap_err();
        assert_eq!(lost.code(), Code::Unavailable, "{}", lost.chain());
        assert_eq!(lines(&store).await, [] as [i64; 0]);
        put(&store, 3, 10_000).await.unwrap();
        assert_eq!(lines(&store).await, [3]);
    }

    async fn a_commit_whose_answer_is_lost_is_done_once_under_its_key(engine: Engine) {
        let database = engine.database().await;
        let proxy = Proxy::start(engine.port()).await;
        let store = few(&engine, &engine.url_at(proxy.port(), &database), 2, 10).await;
        put(&store, 1, 10_000).await.unwrap();
        proxy.lose_answer_to(b"COMMIT");
        let lost = put(&store, 2, 10_000).await.unwrap_err();
        assert_eq!(lost.code(), Code::Unavailable, "{}", lost.chain());
        assert_eq!(put(&store, 2, 10_000).await.unwrap(), 2);
        assert_eq!(lines(&store).await, [1, 2]);
        assert_eq!(sum(&store, 1).await, 2);
    }

    async fn writes_that_deadlock_both_succeed(engine: Engine) {
        let store = fresh(&engine).await;
        let (both, attempts) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
        let mut calls = JoinSet::new();
        for order in [[1, 2], [2, 1]] {
            let (both, attempts) = (Arc::clone(&both), Arc::clone(&attempts));
            let first = Arc::new(AtomicBool::new(true));
            calls.spawn(store.write(&within(20_000), move |tx| {
                let (both, first) = (Arc::clone(&both), Arc::clone(&first));
                attempts.fetch_add(1, Ordering::SeqCst);
                Box::pin(async move {
                    tx.execute(ADD, params![order[0]]).await?;
                    if first.swap(false, Ordering::SeqCst) {
                        both.wait().await;
                    }
                    tx.execute(ADD, params![order[1]]).await?;
                    Ok::<(), Error>(())
                })
            }));
        }
        for done in calls.join_all().await {
            done.unwrap();
        }
        assert!(attempts.load(Ordering::SeqCst) > 2, "one was begun again");
        assert_eq!((sum(&store, 1).await, sum(&store, 2).await), (2, 2));
    }

    async fn calls_beyond_a_full_pool_wait_until_their_deadline_and_others_go_on(engine: Engine) {
        let database = engine.database().await;
        let store = few(&engine, &engine.url(&database), 1, 2).await;
        let (started, running) = oneshot::channel::<()>();
        let (go, may_go) = oneshot::channel::<()>();
        let both = Arc::new(std::sync::Mutex::new(Some((started, may_go))));
        let mut calls = JoinSet::new();
        calls.spawn(store.write(&within(30_000), move |tx| {
            let both = both.lock().unwrap().take();
            Box::pin(async move {
                tx.execute(PUT, params![1]).await?;
                if let Some((started, may_go)) = both {
                    started.send(()).unwrap();
                    may_go.await.unwrap();
                }
                Ok::<i64, Error>(1)
            })
        }));
        running.await.unwrap();
        let patient = store.clone();
        calls.spawn(async move {
            let write = patient.write(&within(30_000), |tx| {
                Box::pin(async move {
                    tx.execute(PUT, params![2]).await?;
                    Ok::<i64, Error>(2)
                })
            });
            write.await
        });
        let before = Instant::now();
        let brief = wait_until("the patient one waits, and a brief one waits in vain", async || {
            match store.read(&within(300), |_tx| Box::pin(async { Ok::<(), Error>(()) })).await {
                Err(error) if error.message().contains("2 calls") || error.message().contains("1 calls") => Ok(error),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        assert_eq!(brief.code(), Code::Unavailable);
        assert!(Instant::now().saturating_duration_since(before) < Duration::from_secs(20));
        go.send(()).unwrap();
        for done in calls.join_all().await {
            done.unwrap();
        }
        assert_eq!(lines(&store).await, [1, 2]);
    }

    async fn calls_to_a_frozen_server_end_by_their_deadline(engine: Engine) {
        let store = fresh(&engine).await;
        put(&store, 1, 10_000).await.unwrap();
        engine.freeze();
        for _ in 0..3 {
            let before = Instant::now();
            let failed = put(&store, 2, 500).await.unwrap_err();
            assert!(
                matches!(failed.code(), Code::DeadlineExceeded | Code::Unavailable),
                "{}",
                failed.chain()
            );
            let took = Instant::now().saturating_duration_since(before);
            assert!(took < Duration::from_secs(3), "{took:?}");
        }
        engine.thaw();
        wait_until("it serves again", async || {
            put(&store, 2, 5_000).await.map_err(|error| error.chain())
        })
        .await;
        assert_eq!(lines(&store).await, [1, 2]);
    }

    async fn a_server_started_anew_while_nobody_asked_is_not_noticed(engine: Engine) {
        let store = fresh(&engine).await;
        let mut calls = JoinSet::new();
        for id in 0..6 {
            let store = store.clone();
            calls.spawn(async move { put(&store, id, 10_000).await });
        }
        for done in calls.join_all().await {
            done.unwrap();
        }
        engine.stop().await;
        engine.restart().await;
        put(&store, 6, 10_000).await.unwrap();
        assert_eq!(lines(&store).await.len(), 7);
        engine.kill().await;
        let failed = put(&store, 7, 2_000).await.unwrap_err();
        assert_eq!(failed.code(), Code::Unavailable, "{}", failed.chain());
        engine.restart().await;
        put(&store, 7, 10_000).await.unwrap();
    }

    async fn the_server_ends_what_nobody_waits_for(engine: Engine) {
        let (sleep, running) = match engine.kind() {
            Kind::Mariadb => (
                Sql::new("SELECT CAST(SLEEP(60) AS SIGNED)"),
                "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(60)%' AND id <> CONNECTION_ID()",
            ),
            Kind::Postgres => (
                Sql::new("SELECT 1 FROM pg_sleep(60)"),
                "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()",
            ),
        };
        let store = fresh(&engine).await;
        let late = store.read(&within(700), move |tx| {
            Box::pin(async move { Ok::<_, Error>(tx.query(sleep, params![]).await?) })
        });
        let late = late.await.unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded, "{}", late.chain());
        wait_until("the server has ended it", async || {
            let count = engine.say("", running).await;
            if count.trim() == "0" { Ok(()) } else { Err(count) }
        })
        .await;
        put(&store, 1, 10_000).await.unwrap();
    }
}
