//! What an inbox promises: of any number of deliveries one has an effect.

use super::{ADD, INSERT, Stage, owned};
use crate::{Sql, Store, StoreError, params, sql};
use backlot_core::{BoxFuture, Code, Context, Error};
use std::time::Duration;
use tokio::task::JoinSet;

fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(60))
}

/// Adds one to the counter `a`, once for each id; answers whether it did.
fn consume(
    store: &Store,
    group: &'static str,
    id: impl Into<String>,
) -> BoxFuture<'static, Result<bool, Error>> {
    let id = id.into();
    Box::pin(store.write(&cx(), move |tx| {
        let id = id.clone();
        Box::pin(async move {
            let is_new = tx.inbox(group).first_time(&id).await?;
            if is_new {
                tx.execute(ADD, params![1, "a"]).await?;
            }
            Ok(is_new)
        })
    }))
}

pub(super) async fn a_message_has_its_effect_once_in_each_group(stage: Stage) {
    stage.insert("a", 0).await.expect("an insert commits");
    for (group, id, is_new) in [
        ("g", "1", true),
        ("g", "1", false),
        ("h", "1", true),
        ("g", "2", true),
        ("g", "2 ", true),
        ("h", "1", false),
    ] {
        assert_eq!(
            consume(&stage.store, group, id).await.ok(),
            Some(is_new),
            "{group} {id:?}"
        );
    }
    assert_eq!(stage.value("a").await, Some(4));
    // Twice in one transaction is twice.
    let twice: Result<(bool, bool), Error> = stage
        .store
        .write(&cx(), |tx| {
            Box::pin(async move {
                let mut inbox = tx.inbox("g");
                Ok((inbox.first_time("3").await?, inbox.first_time("3").await?))
            })
        })
        .await;
    assert_eq!(twice.ok(), Some((true, false)));
}

pub(super) async fn an_effect_that_is_undone_leaves_its_message_new(stage: Stage) {
    let failed = consume(&stage.store, "g", "1").await;
    // There is no counter yet: nothing to add to, and nothing refused it.
    assert_eq!(failed.ok(), Some(true));
    stage.insert("a", 0).await.expect("an insert commits");
    let undone: Result<(), Error> = stage
        .store
        .write(&cx(), |tx| {
            Box::pin(async move {
                assert!(tx.inbox("g").first_time("2").await?);
                Err(Error::unavailable("on purpose"))
            })
        })
        .await;
    undone.expect_err("it fails on purpose");
    assert_eq!(consume(&stage.store, "g", "2").await.ok(), Some(true));
    assert_eq!(consume(&stage.store, "g", "2").await.ok(), Some(false));
    assert_eq!(stage.value("a").await, Some(1));
}

pub(super) async fn sixteen_consumers_of_one_message_make_its_effect_once(stage: Stage) {
    race(&stage.store, &stage.store).await;
    assert_eq!(stage.value("a").await, Some(5));
}

/// Sixteen consumers at two stores get the same five messages at once.
pub(super) async fn race(one: &Store, other: &Store) {
    let inserted: Result<u64, Error> = one
        .write(&cx(), |tx| {
            Box::pin(async move { Ok(tx.execute(INSERT, params!["a", 0]).await?) })
        })
        .await;
    inserted.expect("an insert commits");
    for id in 0..5 {
        let mut consuming = JoinSet::new();
        for number in 0..16 {
            let store = if number % 2 == 0 { one } else { other };
            consuming.spawn(consume(store, "g", id.to_string()));
        }
        let done = consuming.join_all().await;
        let new = done
            .iter()
            .filter(|done| *done.as_ref().expect("conflicts are the store's business"))
            .count();
        assert_eq!(new, 1, "message {id}");
    }
}

pub(super) async fn an_earlier_failure_is_not_forgiven_by_a_message_that_came_again(stage: Stage) {
    stage.insert("a", 0).await.expect("an insert commits");
    assert_eq!(consume(&stage.store, "g", "1").await.ok(), Some(true));
    let passed_over: Result<(), Error> = stage
        .store
        .write(&cx(), |tx| {
            Box::pin(async move {
                tx.execute(ADD, params![1, "a"]).await?;
                // The rule of the table refuses it; then the message is known.
                tx.execute(INSERT, params!["b", -1]).await.map(drop).ok();
                tx.inbox("g").first_time("1").await.map(drop).ok();
                Ok(())
            })
        })
        .await;
    passed_over.expect_err("a failed statement spoils its transaction");
    assert_eq!(stage.value("a").await, Some(1));
}

pub(super) async fn old_messages_are_forgotten_in_slices(stage: Stage) {
    const COUNT: Sql = sql!("SELECT COUNT(*) FROM backlot_inbox");
    stage.insert("a", 0).await.expect("an insert commits");
    let day = Duration::from_secs(24 * 3600);
    let many: Result<(), Error> = stage
        .store
        .write(&cx(), move |tx| {
            Box::pin(async move {
                for number in 0..30 {
                    let mut inbox = tx.inbox("g").kept_for(day);
                    assert!(inbox.first_time(&format!("old-{number}")).await?);
                }
                assert!(tx.inbox("g").first_time("kept").await?);
                Ok(())
            })
        })
        .await;
    many.expect("it commits");
    stage.wait(day);
    assert_eq!(
        consume(&stage.store, "g", "old-29").await.ok(),
        Some(false),
        "a day is not over"
    );
    stage.wait(Duration::from_millis(1));
    // They go with those that come, or once a minute.
    for number in 0..4 {
        stage.wait(Duration::from_secs(60));
        let id = format!("new-{number}");
        assert_eq!(consume(&stage.store, "g", id).await.ok(), Some(true));
    }
    let left: Result<i64, Error> = stage
        .store
        .read(&cx(), |tx| {
            Box::pin(async move { Ok(tx.query_one(COUNT, params![]).await?.get(0)?) })
        })
        .await;
    assert_eq!(left.ok(), Some(1 + 4));
    assert_eq!(consume(&stage.store, "g", "kept").await.ok(), Some(false));
    assert_eq!(consume(&stage.store, "g", "old-0").await.ok(), Some(true));
}

pub(super) async fn a_name_that_is_none_is_the_callers_fault(stage: Stage) {
    let long = "x".repeat(256);
    for (group, id, word) in [
        ("", "1", "group"),
        ("g", "", "id"),
        ("g", "a\0b", "U+0000"),
        ("g", &*long, "255"),
        (&*long, "1", "128"),
    ] {
        let names = params![group, id].map(owned);
        let refused: Result<bool, StoreError> = stage
            .store
            .write(&cx(), move |tx| {
                let names = names.clone();
                Box::pin(async move {
                    let [crate::Value::Text(group), crate::Value::Text(id)] = &names else {
                        panic!("they are texts")
                    };
                    tx.inbox(group).first_time(id).await
                })
            })
            .await;
        let public = Error::from(refused.expect_err("it is no name"));
        assert_eq!(public.code(), Code::InvalidArgument);
        assert!(public.message().contains(word), "{public} lacks {word}");
    }
}
