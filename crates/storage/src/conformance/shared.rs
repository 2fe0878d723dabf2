//! What two stores on one database promise: two replicas of a service.

use super::relay::{Line, Trouble, relays_in_trouble};
use super::{ADD, INSERT, MIGRATIONS, SET, VALUE, inbox, outbox, position};
use crate::outbox::Acquired;
use crate::{Sql, Store, StoreError, params, sql};
use backlot_core::{BoxFuture, Context, Dice, Error, Idempotency};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(60))
}

fn insert(store: &Store, name: &'static str, value: i64) -> BoxFuture<'static, Result<u64, Error>> {
    Box::pin(store.write(&cx(), move |tx| {
        Box::pin(async move { Ok(tx.execute(INSERT, params![name, value]).await?) })
    }))
}

async fn value(store: &Store, name: &'static str) -> i64 {
    let read = store.read(&cx(), move |tx| {
        Box::pin(async move { tx.query_one(VALUE, params![name]).await?.get(0) })
    });
    read.await
        .unwrap_or_else(|error: StoreError| panic!("reading {name} failed: {error}"))
}

pub(super) async fn what_one_writes_the_other_reads(one: Store, other: Store) {
    insert(&one, "a", 7).await.expect("an insert commits");
    assert_eq!(value(&other, "a").await, 7);
}

pub(super) async fn concurrent_changes_of_one_value_are_not_lost(one: Store, other: Store) {
    insert(&one, "a", 0).await.expect("an insert commits");
    let mut calls = JoinSet::new();
    for number in 0..100 {
        let store = if number % 2 == 0 { &one } else { &other };
        calls.spawn(store.write(&cx(), |tx| {
            Box::pin(async move {
                let value: i64 = tx.query_one(VALUE, params!["a"]).await?.get(0)?;
                tx.execute(SET, params![value + 1, "a"]).await?;
                Ok::<(), Error>(())
            })
        }));
    }
    for done in calls.join_all().await {
        done.expect("conflicts are the store's business");
    }
    assert_eq!(value(&one, "a").await, 100);
}

/// Each takes from one of two counters if both together stay above zero: every write reads a row
/// that another changes, and changes one that the other only reads.
pub(super) async fn a_rule_over_several_rows_holds(one: Store, other: Store) {
    const SUM: Sql = sql!("SELECT name, value FROM counter ORDER BY name");
    insert(&one, "a", 10).await.expect("an insert commits");
    insert(&one, "b", 10).await.expect("an insert commits");
    let mut calls = JoinSet::new();
    for number in 0..40 {
        let (store, name) = if number % 2 == 0 {
            (&one, "a")
        } else {
            (&other, "b")
        };
        calls.spawn(store.write(&cx(), move |tx| {
            Box::pin(async move {
                let rows = tx.query(SUM, params![]).await?;
                let (mut sum, mut own) = (0, 0);
                for row in &rows {
                    sum += row.get::<i64>(1)?;
                    if row.get::<&str>(0)? == name {
                        own = row.get(1)?;
                    }
                }
                if sum > 7 && own > 0 {
                    tx.execute(ADD, params![-1, name]).await?;
                }
                Ok::<(), Error>(())
            })
        }));
    }
    for done in calls.join_all().await {
        done.expect("conflicts are the store's business");
    }
    assert_eq!(value(&one, "a").await + value(&one, "b").await, 7);
}

pub(super) async fn a_request_sent_to_both_is_done_once(one: Store, other: Store) {
    insert(&one, "a", 0).await.expect("an insert commits");
    let mut calls = JoinSet::new();
    for number in 0..60 {
        let store = if number % 2 == 0 { &one } else { &other };
        let key = Arc::new(Idempotency {
            key: format!("key-{}", number / 6),
            method: "/t/Add",
            fingerprint: 1,
        });
        calls.spawn(store.write_once(&cx(), Some(&key), |tx| {
            Box::pin(async move {
                tx.execute(ADD, params![1, "a"]).await?;
                Ok::<i64, Error>(tx.query_one(VALUE, params!["a"]).await?.get(0)?)
            })
        }));
    }
    let mut answers = Vec::new();
    for done in calls.join_all().await {
        answers.push(done.expect("the write commits"));
    }
    answers.sort_unstable();
    let expected: Vec<i64> = (0..60).map(|number| number / 6 + 1).collect();
    assert_eq!(answers, expected);
    assert_eq!(value(&other, "a").await, 10);
}

pub(super) async fn both_may_bring_the_schema_up_to_date_at_once(one: Store, other: Store) {
    let cx = cx();
    let (one, other) = tokio::join!(one.migrate(&cx, MIGRATIONS), other.migrate(&cx, MIGRATIONS));
    assert_eq!((one, other), (Ok(()), Ok(())));
}

pub(super) async fn a_message_sent_to_both_has_its_effect_once(one: Store, other: Store) {
    inbox::race(&one, &other).await;
    assert_eq!(value(&one, "a").await, 5);
}

pub(super) async fn a_batch_sent_to_both_has_its_effect_once(one: Store, other: Store) {
    position::race(&one, &other).await;
    assert_eq!(value(&one, "a").await, 40);
}

pub(super) async fn a_relay_at_each_loses_nothing_and_keeps_the_order_of_each_key(
    one: Store,
    other: Store,
) {
    let dice = Dice::seeded(13);
    let line = Line::with(move |_call| match dice.below(10) {
        0 => Trouble::Refused,
        1 => Trouble::AnswerLost,
        2 => Trouble::Half,
        _ => Trouble::None,
    });
    relays_in_trouble(&one, &other, &line).await;
}

/// Numbers are given before the commit: a lower one may become visible after a higher one was sent.
pub(super) async fn a_message_committed_late_is_not_taken_for_one_that_was_sent(
    one: Store,
    other: Store,
) {
    const ROW: Sql = sql!(
        "INSERT INTO backlot_outbox (topic, message_id, message_key, at, size, payload) VALUES ('t', 'late', NULL, 0, 0, ?)"
    );
    const TIME: Duration = Duration::from_secs(30);
    let (has_number, is_numbered) = oneshot::channel::<()>();
    let (go, may_go) = oneshot::channel::<()>();
    let both = Arc::new(Mutex::new(Some((has_number, may_go))));
    let mut late = JoinSet::new();
    late.spawn(one.write(&cx(), move |tx| {
        let both = both.lock().ok().and_then(|mut both| both.take());
        Box::pin(async move {
            tx.execute(ROW, params![b""]).await?;
            if let Some((has_number, may_go)) = both {
                has_number.send(()).ok();
                may_go.await.ok();
            }
            Ok::<(), StoreError>(())
        })
    }));
    is_numbered.await.expect("it got that far");
    // So many that they are removed by several statements.
    let early = vec!["early"; 75];
    outbox::send(&other, outbox::named(&early))
        .await
        .expect("it commits");
    let relay = other.outbox();
    let lease = match relay.acquire(&cx(), "one", TIME, None).await {
        Ok(Acquired::Held(lease)) => lease,
        found => panic!("{found:?}"),
    };
    let batch = outbox::take(&other, 100, usize::MAX).await;
    assert_eq!(outbox::ids(&batch), early);
    // Nor does it keep the relay from its work.
    let lease = relay
        .confirm(&cx(), &lease, batch.receipt(), TIME)
        .await
        .expect("nobody is in the way");
    go.send(()).expect("it waits");
    for done in late.join_all().await {
        done.expect("it commits");
    }
    relay
        .confirm(&cx(), &lease, batch.receipt(), TIME)
        .await
        .expect("nobody is in the way");
    assert_eq!(outbox::waiting(&other).await, ["late"]);
}
