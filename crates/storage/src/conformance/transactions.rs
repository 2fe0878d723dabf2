//! What one transaction promises, alone and among others.

use super::{ADD, INSERT, SET, Stage, VALUE, code, owned};
use crate::{Sql, params, sql};
use backlot_core::{Code, Error};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

pub(super) async fn a_committed_write_is_seen_by_every_later_read(stage: Stage) {
    stage.insert("a", 0).await.expect("an insert commits");
    for value in 1..=50 {
        assert_eq!(stage.add("a", 1).await.expect("an update commits"), 1);
        assert_eq!(stage.value("a").await, Some(value));
    }
}

pub(super) async fn a_transaction_sees_its_own_changes(stage: Stage) {
    let seen: Result<i64, Error> = stage
        .store
        .write(&stage.cx(), |tx| {
            Box::pin(async move {
                tx.execute(INSERT, params!["a", 3]).await?;
                tx.execute(ADD, params![4, "a"]).await?;
                Ok(tx.query_one(VALUE, params!["a"]).await?.get(0)?)
            })
        })
        .await;
    assert_eq!(seen.expect("the write commits"), 7);
}

pub(super) async fn an_error_undoes_everything(stage: Stage) {
    let failed: Result<(), Error> = stage
        .store
        .write(&stage.cx(), |tx| {
            Box::pin(async move {
                tx.execute(INSERT, params!["a", 1]).await?;
                Err(Error::not_found("nothing here"))
            })
        })
        .await;
    assert_eq!(code(&failed), Some(Code::NotFound));
    assert_eq!(stage.value("a").await, None);
}

pub(super) async fn a_panic_undoes_everything_and_the_store_lives_on(stage: Stage) {
    let failed: Result<(), Error> = stage
        .store
        .write(&stage.cx(), |tx| {
            Box::pin(async move {
                tx.execute(INSERT, params!["a", 1]).await?;
                panic!("on purpose: a check of the conformance suite");
            })
        })
        .await;
    assert_eq!(code(&failed), Some(Code::Internal));
    let chain = failed
        .map_err(|error| error.chain())
        .expect_err("it panicked");
    assert!(
        chain.contains("on purpose") && chain.contains("transactions.rs:"),
        "{chain}"
    );
    let failed: Result<(), Error> = stage
        .store
        .read(&stage.cx(), |_tx| {
            panic!("on purpose: before its future exists")
        })
        .await;
    assert_eq!(code(&failed), Some(Code::Internal));
    assert_eq!(stage.value("a").await, None);
    stage.insert("a", 1).await.expect("the store lives on");
}

/// Money moves between two counters while reads add them up.
pub(super) async fn a_read_sees_one_snapshot(stage: Stage) {
    stage.insert("a", 1000).await.expect("an insert commits");
    stage.insert("b", 1000).await.expect("an insert commits");
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let moved = stage.store.write(&stage.cx(), |tx| {
            Box::pin(async move {
                tx.execute(ADD, params![-7, "a"]).await?;
                tx.execute(ADD, params![7, "b"]).await?;
                Ok::<i64, Error>(2000)
            })
        });
        let summed = stage.store.read(&stage.cx(), |tx| {
            Box::pin(async move {
                let first: i64 = tx.query_one(VALUE, params!["a"]).await?.get(0)?;
                let second: i64 = tx.query_one(VALUE, params!["b"]).await?.get(0)?;
                Ok::<i64, Error>(first + second)
            })
        });
        calls.spawn(moved);
        calls.spawn(summed);
    }
    for sum in calls.join_all().await {
        assert_eq!(sum.expect("reads and writes succeed"), 2000);
    }
}

pub(super) async fn a_read_changes_nothing(stage: Stage) {
    let failed: Result<u64, Error> = stage
        .store
        .read(&stage.cx(), |tx| {
            Box::pin(async move { Ok(tx.execute(INSERT, params!["a", 1]).await?) })
        })
        .await;
    assert_eq!(code(&failed), Some(Code::Internal));
    assert_eq!(stage.value("a").await, None);
    stage.insert("a", 1).await.expect("writes still may");
}

pub(super) async fn concurrent_increments_are_not_lost(stage: Stage) {
    stage.insert("a", 0).await.expect("an insert commits");
    let mut calls = JoinSet::new();
    for _ in 0..64 {
        calls.spawn(
            stage
                .store
                .write(&stage.cx().with_timeout(Duration::from_secs(30)), |tx| {
                    Box::pin(async move {
                        let value: i64 = tx.query_one(VALUE, params!["a"]).await?.get(0)?;
                        tx.execute(SET, params![value + 1, "a"]).await?;
                        Ok::<(), Error>(())
                    })
                }),
        );
    }
    for done in calls.join_all().await {
        done.expect("conflicts are the store's business");
    }
    assert_eq!(stage.value("a").await, Some(64));
}

pub(super) async fn a_failing_write_does_not_fail_its_neighbours(stage: Stage) {
    stage.insert("a", 0).await.expect("an insert commits");
    let mut calls = JoinSet::new();
    for number in 0..40 {
        let call = stage.store.write(
            &stage.cx().with_timeout(Duration::from_secs(30)),
            move |tx| {
                Box::pin(async move {
                    tx.execute(ADD, params![1, "a"]).await?;
                    match number % 4 {
                        1 => Err(Error::invalid_argument("on purpose")),
                        // The error of a statement counts even when it was the second.
                        2 => Ok(tx.execute(INSERT, params!["a", 1]).await?),
                        _ => Ok(1),
                    }
                })
            },
        );
        calls.spawn(async move { (number % 4, call.await) });
    }
    for (kind, done) in calls.join_all().await {
        let expected = match kind {
            1 => Some(Code::InvalidArgument),
            2 => Some(Code::AlreadyExists),
            _ => None,
        };
        assert_eq!(code(&done), expected, "{done:?}");
    }
    assert_eq!(stage.value("a").await, Some(20));
}

pub(super) async fn a_write_whose_deadline_passed_is_not_run(stage: Stage) {
    let ran = Arc::new(AtomicBool::new(false));
    let cx = stage.cx().with_timeout(Duration::ZERO);
    let failed: Result<(), Error> = stage
        .store
        .write(&cx, {
            let ran = Arc::clone(&ran);
            move |_tx| {
                ran.store(true, Ordering::SeqCst);
                Box::pin(async { Ok(()) })
            }
        })
        .await;
    assert_eq!(code(&failed), Some(Code::DeadlineExceeded));
    assert!(!ran.load(Ordering::SeqCst));
}

pub(super) async fn a_broken_constraint_says_which_kind(stage: Stage) {
    const STEP: Sql = sql!("INSERT INTO step (id, counter) VALUES (?, ?)");
    stage.insert("a", 1).await.expect("an insert commits");
    let twice = stage.insert("a", 1).await;
    assert_eq!(code(&twice), Some(Code::AlreadyExists));
    let orphan = stage.change(STEP, params![1, "nobody"].map(owned)).await;
    assert_eq!(code(&orphan), Some(Code::FailedPrecondition));
    let negative = stage.add("a", -2).await;
    assert_eq!(code(&negative), Some(Code::FailedPrecondition));
    let missing = stage
        .change(SET, params![None::<i64>, "a"].map(owned))
        .await;
    assert_eq!(code(&missing), Some(Code::FailedPrecondition));
    for error in [twice, orphan, negative, missing]
        .into_iter()
        .filter_map(Result::err)
    {
        assert!(
            !error.message().contains("counter"),
            "names of tables stay inside: {}",
            error.message()
        );
    }
    assert_eq!(stage.value("a").await, Some(1));
}

pub(super) async fn one_statement_over_many_rows_says_what_each_did(stage: Stage) {
    const NEW: Sql = sql! {
        default: "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        mysql: "INSERT IGNORE INTO counter (name, value) VALUES (?, ?)",
    };
    stage.insert("b", 7).await.expect("an insert commits");
    let each = async |sql: Sql, columns: usize, rows: &[(&'static str, i64)]| {
        let rows = rows.to_vec();
        let written = stage.store.write(&stage.cx(), move |tx| {
            let rows = rows.clone();
            Box::pin(async move {
                let row = |(name, value): &(&'static str, i64)| params![*name, *value];
                let params: Vec<_> = rows.iter().flat_map(row).collect();
                Ok::<_, Error>(tx.execute_each(sql, columns, params).await?)
            })
        });
        written.await
    };
    let changed = each(NEW, 2, &[("a", 1), ("b", 2), ("c", 3), ("a", 4)]).await;
    assert_eq!(changed.ok(), Some(vec![1, 0, 1, 0]));
    assert_eq!(each(NEW, 2, &[]).await.ok(), Some(vec![]));
    let twice = each(INSERT, 2, &[("d", 1), ("a", 1)]).await;
    assert_eq!(code(&twice), Some(Code::AlreadyExists));
    let uneven = each(NEW, 3, &[("d", 1), ("e", 1)]).await;
    assert_eq!(code(&uneven), Some(Code::Internal));
    for (name, value) in [("a", Some(1)), ("b", Some(7)), ("c", Some(3)), ("d", None)] {
        assert_eq!(stage.value(name).await, value, "{name}");
    }
}

pub(super) async fn wrong_sql_is_the_codes_fault_and_stays_hidden(stage: Stage) {
    const WRONG: Sql = sql!("SELECT secret_column FROM counter");
    let failed = stage
        .change(WRONG, [])
        .await
        .expect_err("there is no such column");
    assert_eq!(failed.code(), Code::Internal);
    assert!(
        !failed.message().contains("secret_column"),
        "{}",
        failed.message()
    );
    assert!(
        failed.chain().contains("secret_column"),
        "{}",
        failed.chain()
    );
    let short: Result<u64, Error> = stage
        .store
        .write(&stage.cx(), |tx| {
            Box::pin(async move { Ok(tx.execute(SET, params![1]).await?) })
        })
        .await;
    assert_eq!(code(&short), Some(Code::Internal), "a parameter too few");
}

pub(super) async fn every_kind_of_value_comes_back(stage: Stage) {
    const PUT: Sql = sql!("INSERT INTO kind (id, t, r, b, n) VALUES (?, ?, ?, ?, ?)");
    const GET: Sql = sql!("SELECT t, r, b, n FROM kind ORDER BY id");
    let (text, bytes) = ("Amélie \u{1F3AC} ' \"", [0_u8, 255, 10]);
    stage
        .change(PUT, params![1, text, 0.5, &bytes, i64::MIN].map(owned))
        .await
        .expect("an insert commits");
    stage
        .change(
            PUT,
            params![2, "", -1.5, &[0_u8; 0], None::<i64>].map(owned),
        )
        .await
        .expect("an insert commits");
    let rows = stage
        .store
        .read(&stage.cx(), |tx| {
            Box::pin(async move { Ok::<_, Error>(tx.query(GET, params![]).await?) })
        })
        .await
        .expect("a read succeeds");
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].get::<&str>(0).ok(), Some(text));
    assert_eq!(rows[0].get::<f64>(1).ok(), Some(0.5));
    assert_eq!(rows[0].get::<&[u8]>(2).ok(), Some(&bytes[..]));
    assert_eq!(rows[0].get::<i64>(3).ok(), Some(i64::MIN));
    assert_eq!(rows[1].get::<&str>(0).ok(), Some(""));
    assert_eq!(rows[1].get::<Vec<u8>>(2).ok(), Some(vec![]));
    assert_eq!(rows[1].get::<Option<i64>>(3).ok(), Some(None));
}

pub(super) async fn one_row_means_one(stage: Stage) {
    const ALL: Sql = sql!("SELECT value FROM counter");
    let one = async |stage: &Stage| -> Result<i64, Error> {
        let read = stage.store.read(&stage.cx(), |tx| {
            Box::pin(async move { Ok::<i64, Error>(tx.query_one(ALL, params![]).await?.get(0)?) })
        });
        read.await
    };
    assert_eq!(code(&one(&stage).await), Some(Code::Internal));
    stage.insert("a", 5).await.expect("an insert commits");
    assert_eq!(one(&stage).await.ok(), Some(5));
    stage.insert("b", 6).await.expect("an insert commits");
    assert_eq!(code(&one(&stage).await), Some(Code::Internal));
}

pub(super) async fn a_closed_store_is_unavailable(stage: Stage) {
    stage.store.close().await.expect("closing succeeds");
    assert_eq!(code(&stage.insert("a", 1).await), Some(Code::Unavailable));
    let read: Result<(), Error> = stage
        .store
        .read(&stage.cx(), |_tx| Box::pin(async { Ok(()) }))
        .await;
    assert_eq!(code(&read), Some(Code::Unavailable));
}

/// PostgreSQL takes no further statement then, so none may rely on one.
pub(super) async fn a_failed_statement_spoils_its_transaction(stage: Stage) {
    stage.insert("a", 1).await.expect("an insert commits");
    let passed_over: Result<u64, Error> = stage
        .store
        .write(&stage.cx(), |tx| {
            Box::pin(async move {
                tx.execute(ADD, params![5, "a"]).await?;
                Ok(tx.execute(INSERT, params!["a", 1]).await.unwrap_or(0))
            })
        })
        .await;
    assert_eq!(code(&passed_over), Some(Code::AlreadyExists));
    assert_eq!(stage.value("a").await, Some(1));
    stage.add("a", 1).await.expect("the next one commits");
}

/// Locally it is refused; over a wire it works, because nobody else waits.
pub(super) async fn a_closure_may_await_something_else_or_is_told_so(stage: Stage) {
    let done: Result<(), Error> = stage
        .store
        .write(&stage.cx(), |tx| {
            Box::pin(async move {
                tx.execute(INSERT, params!["a", 1]).await?;
                tokio::task::yield_now().await;
                tx.execute(ADD, params![1, "a"]).await?;
                Ok(())
            })
        })
        .await;
    match done {
        Ok(()) => assert_eq!(stage.value("a").await, Some(2)),
        Err(error) => {
            assert_eq!(error.code(), Code::Internal);
            assert!(error.chain().contains("awaited"), "{}", error.chain());
            assert_eq!(stage.value("a").await, None);
        }
    }
    stage.insert("b", 1).await.expect("the store lives on");
}
