use super::*;
use crate::{Fault, Host, Options, Outcome, What, World, simulate};
use backlot_core::Error;
use backlot_storage::{Migration, Sql, conformance, params, sql};
use std::time::Duration;

const MIGRATIONS: Migrations = &[Migration::new(
    1,
    "films",
    "CREATE TABLE film (id TEXT PRIMARY KEY) STRICT;",
)];
const INSERT: Sql = sql!("INSERT INTO film (id) VALUES (?)");
const COUNT: Sql = sql!("SELECT COUNT(*) FROM film");

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Runs `work` on a host with a store, while these things go wrong at 1 s and for 1.5 s.
fn with_store<S>(
    faults: Vec<What>,
    weakness: Option<Weakness>,
    work: impl FnOnce(Store, Host) -> S + Send + 'static,
) -> Outcome
where
    S: Future<Output = ()> + 'static,
{
    let outcome = simulate(1, Options::default(), move |world: &mut World| {
        world.database(weakness);
        world.faults(
            faults
                .into_iter()
                .map(|what| Fault {
                    at: seconds(1.0),
                    lasts: seconds(1.5),
                    what,
                })
                .collect(),
        );
        world.client("films", |host| async move {
            let store = open("films", MIGRATIONS, &host).await;
            work(store, host).await;
        });
    });
    assert!(outcome.holds(), "{:#?}", outcome.events);
    outcome
}

async fn open(service: &'static str, migrations: Migrations, host: &Host) -> Store {
    Hosted
        .open(service, &StoreConfig::default(), migrations, host.env())
        .await
        .expect("the store opens")
}

async fn put(store: &Store, id: &'static str) -> Result<u64, Error> {
    let cx = Context::background();
    store
        .write(&cx, move |tx| {
            Box::pin(async move { Ok(tx.execute(INSERT, params![id]).await?) })
        })
        .await
}

async fn count(store: &Store) -> i64 {
    let cx = Context::background();
    let read: Result<i64, Error> = store
        .read(&cx, |tx| {
            Box::pin(async move { Ok(tx.query_one(COUNT, params![]).await?.get(0)?) })
        })
        .await;
    read.expect("the database serves")
}

async fn until(host: &Host, at: f64) {
    tokio::time::sleep(seconds(at).saturating_sub(host.elapsed())).await;
}

#[test]
fn it_is_a_store_like_any_other() {
    let options = Options {
        panics: true,
        ..Options::default()
    };
    let outcome = simulate(1, options, |world| {
        world.database(None);
        world.client("stores", |host| async move {
            let opened = std::cell::Cell::new(0);
            conformance::run(async |migrations, clock| {
                opened.set(opened.get() + 1);
                let service: &'static str =
                    Box::leak(format!("store {}", opened.get()).into_boxed_str());
                let client = client::Client::new(service, format!("{DATABASE}:{PORT}"), host.env());
                let store = Store::remote(Arc::new(client), clock);
                store
                    .migrate(&Context::system("migrations"), migrations)
                    .await
                    .expect("the schema is made");
                store
            })
            .await;
        });
    });
    assert!(outcome.holds(), "{:#?}", outcome.events);
}

#[test]
fn a_crash_takes_open_transactions_and_nothing_that_was_committed() {
    with_store(
        vec![What::Crash(DATABASE.into())],
        None,
        |store, host| async move {
            put(&store, "committed").await.expect("the database serves");
            let cx = Context::background();
            let cut: Result<(), Error> = store
                .write(&cx, |tx| {
                    Box::pin(async move {
                        tx.execute(INSERT, params!["open"]).await?;
                        tokio::time::sleep(seconds(1.5)).await;
                        Ok(())
                    })
                })
                .await;
            assert!(cut.is_err());
            until(&host, 3.0).await;
            assert_eq!(count(&store).await, 1);
            put(&store, "open")
                .await
                .expect("nothing is left of the open transaction");
        },
    );
}

#[test]
fn a_weak_database_forgets_what_it_acknowledged() {
    with_store(
        vec![What::Crash(DATABASE.into())],
        Some(Weakness::LateSync),
        |store, host| async move {
            until(&host, 0.5).await;
            put(&store, "synced").await.expect("the database serves");
            until(&host, 3.0).await;
            // The whole second went, the table with it.
            let opened = open("films", MIGRATIONS, &host).await;
            assert_eq!(count(&opened).await, 0);
            drop(store);
        },
    );
}

#[test]
fn a_lost_answer_leaves_the_commit() {
    let outcome = with_store(vec![What::LoseAnswers], None, |store, host| async move {
        until(&host, 1.1).await;
        for id in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            if let Err(error) = put(&store, id).await {
                assert_eq!(error.code(), backlot_core::Code::Unavailable);
            }
        }
        until(&host, 3.0).await;
        assert_eq!(count(&store).await, 8);
    });
    assert!(outcome.count("answers lost after a commit") > 0);
}

#[test]
fn a_transaction_whose_service_fell_silent_is_rolled_back_and_others_go_on() {
    with_store(
        vec![What::Partition(["films".into(), DATABASE.into()])],
        None,
        |store, host| async move {
            let cx = Context::background();
            let cut: Result<(), Error> = store
                .write(&cx, |tx| {
                    Box::pin(async move {
                        tx.execute(INSERT, params!["silent"]).await?;
                        tokio::time::sleep(seconds(1.2)).await;
                        tx.execute(INSERT, params!["never"]).await?;
                        Ok(())
                    })
                })
                .await;
            assert!(cut.is_err());
            until(&host, 3.5).await;
            put(&store, "next").await.expect("the lock is free again");
            assert_eq!(count(&store).await, 1);
        },
    );
}

#[test]
fn a_database_that_answers_nobody_fails_calls_in_time() {
    for what in [What::Stall, What::Refuse] {
        with_store(vec![what], None, |store, host| async move {
            until(&host, 1.1).await;
            let began = host.elapsed();
            put(&store, "a")
                .await
                .expect_err("the database does not serve");
            assert!(
                host.elapsed() - began <= seconds(1.1),
                "{:?}",
                host.elapsed() - began
            );
            until(&host, 3.5).await;
            put(&store, "b").await.expect("it is well again");
        });
    }
}

#[test]
fn an_oracle_sees_committed_states_alone() {
    let outcome = simulate(1, Options::default(), |world| {
        let database = world.database(None);
        world.client("films", |host| async move {
            let store = open("films", MIGRATIONS, &host).await;
            let cx = Context::background();
            let written: Result<(), Error> = store
                .write(&cx, |tx| {
                    Box::pin(async move {
                        tx.execute(INSERT, params!["a"]).await?;
                        tokio::time::sleep(seconds(0.5)).await;
                        tx.execute(INSERT, params!["b"]).await?;
                        Ok(())
                    })
                })
                .await;
            written.expect("the write commits");
        });
        world.every(Duration::from_millis(10), move |trace| {
            if let Ok(Some(rows)) = database.committed("films", "SELECT COUNT(*) FROM film", &[]) {
                let seen: i64 = rows[0].get(0).expect("a count is a number");
                trace.count(if seen == 0 { "before" } else { "after" });
                if seen == 1 {
                    trace.violation("oracle", "half a transaction");
                }
            }
        });
    });
    assert!(outcome.holds(), "{:#?}", outcome.events);
}

#[test]
fn an_oracle_sees_every_committed_state() {
    let outcome = simulate(1, Options::default(), |world| {
        let database = world.database(None);
        let (looking, trace) = (database.clone(), world.trace().clone());
        database.after_commits("films", move || {
            let rows = looking.committed("films", "SELECT COUNT(*) FROM film", &[]);
            if let Ok(Some(rows)) = rows {
                let seen: i64 = rows[0].get(0).expect("a count is a number");
                trace.note("oracle", seen.to_string());
            }
        });
        world.client("films", |host| async move {
            let store = open("films", MIGRATIONS, &host).await;
            for title in ["a", "b", "c"] {
                put(&store, title).await.expect("the write commits");
            }
        });
    });
    let notes = outcome.events.iter().map(|event| event.text.as_str());
    let counts: Vec<&str> = notes.filter(|text| text.len() == 1).collect();
    assert!(counts.ends_with(&["0", "1", "2", "3"]), "{counts:?}");
}
