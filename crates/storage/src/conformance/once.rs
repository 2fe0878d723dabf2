//! What a write done once promises.

use super::{ADD, Stage, VALUE, code};
use crate::params;
use backlot_core::{BoxFuture, Code, Context, Error, Idempotency, Principal};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

fn key(method: &'static str, key: &str, fingerprint: u64) -> Arc<Idempotency> {
    Arc::new(Idempotency {
        key: key.to_owned(),
        method,
        fingerprint,
    })
}

/// Adds one to the counter `a` and answers its value.
fn increment(
    stage: &Stage,
    cx: &Context,
    key: Option<&Arc<Idempotency>>,
) -> BoxFuture<'static, Result<(i64, String), Error>> {
    Box::pin(stage.store.write_once(cx, key, |tx| {
        Box::pin(async move {
            tx.execute(ADD, params![1, "a"]).await?;
            let value = tx.query_one(VALUE, params!["a"]).await?.get(0)?;
            Ok((value, "answer".to_owned()))
        })
    }))
}

async fn counted(stage: &Stage, key: &Arc<Idempotency>) -> Result<i64, Error> {
    increment(stage, &stage.cx(), Some(key))
        .await
        .map(|(value, _)| value)
}

pub(super) async fn the_second_call_gets_the_first_answer(stage: Stage) {
    stage.insert("a", 0).await.expect("an insert commits");
    let key = key("/t/Add", "k", u64::MAX);
    assert_eq!(counted(&stage, &key).await.ok(), Some(1));
    stage.add("a", 10).await.expect("an update commits");
    assert_eq!(counted(&stage, &key).await.ok(), Some(1));
    assert_eq!(stage.value("a").await, Some(11));
}

pub(super) async fn another_request_under_the_same_key_is_refused(stage: Stage) {
    stage.insert("a", 0).await.expect("an insert commits");
    assert_eq!(counted(&stage, &key("/t/Add", "k", 1)).await.ok(), Some(1));
    let refused = counted(&stage, &key("/t/Add", "k", 2)).await;
    assert_eq!(code(&refused), Some(Code::FailedPrecondition));
    assert!(
        refused.is_err_and(|error| error.message().contains("\"k\"")),
        "the key is named"
    );
    assert_eq!(stage.value("a").await, Some(1));
}

pub(super) async fn what_was_answered_can_be_asked_for(stage: Stage) {
    stage.insert("a", 0).await.expect("an insert commits");
    let asked = async |key: &Arc<Idempotency>| {
        let asked = stage
            .store
            .answered::<(i64, String), Error>(&stage.cx(), key);
        asked.await
    };
    let done = key("/t/Add", "k", 1);
    assert_eq!(asked(&done).await.ok(), Some(None), "it was not answered");
    counted(&stage, &done).await.expect("the write commits");
    stage.add("a", 10).await.expect("an update commits");
    let answer = asked(&done).await.expect("it can be read");
    assert_eq!(answer, Some((1, "answer".to_owned())));
    let refused = asked(&key("/t/Add", "k", 2)).await;
    assert_eq!(code(&refused), Some(Code::FailedPrecondition));
    let other = asked(&key("/t/Take", "k", 1)).await;
    assert_eq!(other.ok(), Some(None), "a key is its method's own");
}

pub(super) async fn a_key_is_its_principals_and_methods_own(stage: Stage) {
    stage.insert("a", 0).await.expect("an insert commits");
    let add = key("/t/Add", "k", 1);
    for (number, name) in ["ann", "bob"].into_iter().enumerate() {
        let cx = stage.cx().with_principal(Principal::System(name));
        for _ in 0..2 {
            let (value, _) = increment(&stage, &cx, Some(&add))
                .await
                .expect("the write commits");
            assert_eq!(value, number as i64 + 1);
        }
    }
    assert_eq!(
        counted(&stage, &key("/t/Other", "k", 2)).await.ok(),
        Some(3)
    );
}

pub(super) async fn a_failed_write_leaves_its_key_free(stage: Stage) {
    let key = key("/t/Add", "k", 1);
    assert_eq!(
        code(&counted(&stage, &key).await),
        Some(Code::Internal),
        "there is no counter yet"
    );
    stage.insert("a", 0).await.expect("an insert commits");
    assert_eq!(counted(&stage, &key).await.ok(), Some(1));
}

pub(super) async fn a_key_is_forgotten_after_a_day(stage: Stage) {
    stage.insert("a", 0).await.expect("an insert commits");
    for number in 0..25 {
        counted(&stage, &key("/t/Add", &format!("old-{number}"), 1))
            .await
            .expect("the write commits");
    }
    let kept = key("/t/Add", "old-24", 1);
    stage.wait(Duration::from_secs(24 * 3600));
    assert_eq!(
        counted(&stage, &kept).await.ok(),
        Some(25),
        "a day is not over"
    );
    stage.wait(Duration::from_millis(1));
    assert_eq!(
        counted(&stage, &kept).await.ok(),
        Some(26),
        "the day is over"
    );
    let other_payload = key("/t/Add", "old-23", 2);
    assert_eq!(counted(&stage, &other_payload).await.ok(), Some(27));
    // The rest goes in slices, with the writes or once a minute.
    stage.wait(Duration::from_secs(60));
    counted(&stage, &key("/t/Add", "new", 1))
        .await
        .expect("the write commits");
    const COUNT: crate::Sql = crate::sql!("SELECT COUNT(*) FROM backlot_idempotency");
    let left: Result<i64, Error> = stage
        .store
        .read(&stage.cx(), |tx| {
            Box::pin(async move { Ok(tx.query_one(COUNT, params![]).await?.get(0)?) })
        })
        .await;
    assert_eq!(left.ok(), Some(3));
}

/// A day of many writes is followed by a day of as many.
pub(super) async fn old_keys_go_as_fast_as_new_ones_come(stage: Stage) {
    const OLD: i64 = 2_500;
    const ROW: crate::Rows = crate::rows!(
        "INSERT INTO backlot_idempotency (subject, method, request_key, fingerprint, answer, at) VALUES ",
        "('', '/t/Add', ?, 1, ?, 0)",
        ""
    );
    const COUNT: crate::Sql = crate::sql!("SELECT COUNT(*) FROM backlot_idempotency");
    stage.insert("a", 0).await.expect("an insert commits");
    let cx = stage.cx().with_timeout(Duration::from_secs(60));
    let written = stage.store.write(&cx, |tx| {
        Box::pin(async move {
            let keys: Vec<String> = (0..OLD).map(|number| format!("old-{number}")).collect();
            for (sql, keys) in ROW.over(&keys) {
                let rows: Vec<_> = keys.iter().flat_map(|key| params![key, b""]).collect();
                tx.execute(sql, &rows).await?;
            }
            Ok::<(), Error>(())
        })
    });
    written.await.expect("the keys commit");
    // Where nobody else is in the way a few go with each write, otherwise many with a few writes.
    let enough = if crate::once::is_shared(stage.store.dialect()) {
        4
    } else {
        OLD / 10
    };
    for number in 0..enough {
        counted(&stage, &key("/t/Add", &format!("new-{number}"), 1))
            .await
            .expect("the write commits");
    }
    let left = stage.store.read(&cx, |tx| {
        Box::pin(async move { tx.query_one(COUNT, params![]).await?.get(0) })
    });
    let left: Result<i64, crate::StoreError> = left.await;
    assert_eq!(left.ok(), Some(enough));
}

pub(super) async fn the_same_request_twice_at_once_is_done_once(stage: Stage) {
    stage.insert("a", 0).await.expect("an insert commits");
    let key = key("/t/Add", "k", 1);
    let cx = stage.cx().with_timeout(Duration::from_secs(30));
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        calls.spawn(increment(&stage, &cx, Some(&key)));
    }
    for done in calls.join_all().await {
        assert_eq!(done.expect("the write commits").0, 1);
    }
    assert_eq!(stage.value("a").await, Some(1));
}

pub(super) async fn without_a_key_every_call_counts(stage: Stage) {
    stage.insert("a", 0).await.expect("an insert commits");
    for value in 1..=2 {
        let (counted, _) = increment(&stage, &stage.cx(), None)
            .await
            .expect("the write commits");
        assert_eq!(counted, value);
    }
}
