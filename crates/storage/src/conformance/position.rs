//! What a position promises: a batch has its effect once, and none is left out.

use super::{ADD, INSERT, Stage};
use crate::position::{At, MAX_AHEAD};
use crate::{Store, StoreError, params};
use backlot_core::{BoxFuture, Code, Context, Error};
use std::ops::Range;
use std::time::Duration;
use tokio::task::JoinSet;

fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(60))
}

/// Adds to the counter `a` how many offsets are new; answers them.
fn consume(
    store: &Store,
    log: u64,
    offsets: Range<u64>,
) -> BoxFuture<'static, Result<Range<u64>, StoreError>> {
    Box::pin(store.write(&cx(), move |tx| {
        let offsets = offsets.clone();
        Box::pin(async move {
            let mut position = tx.position("g", "t", 3).contiguous();
            let new = position.advance(log, offsets).await?;
            let count = (new.end - new.start) as i64;
            tx.execute(ADD, params![count, "a"]).await?;
            Ok(new)
        })
    }))
}

async fn at(store: &Store, partition: u32) -> Option<At> {
    let read = store.read(&cx(), move |tx| {
        Box::pin(async move { tx.position("g", "t", partition).read().await })
    });
    let read: Result<_, StoreError> = read.await;
    read.expect("the position is read")
}

pub(super) async fn a_batch_has_its_effect_once_and_none_is_left_out(stage: Stage) {
    let store = &stage.store;
    stage.insert("a", 0).await.expect("an insert commits");
    assert_eq!(at(store, 3).await, None);
    // A group may begin anywhere.
    assert_eq!(consume(store, 5, 100..110).await, Ok(100..110));
    assert_eq!(at(store, 3).await, Some(At { log: 5, next: 110 }));
    assert_eq!(at(store, 4).await, None, "another partition");
    // Again, an older one, a part of one, one that is empty.
    for again in [100..110, 90..95, 110..110] {
        let new = consume(store, 5, again).await.expect("it came before");
        assert!(new.is_empty(), "{new:?}");
    }
    assert_eq!(consume(store, 5, 105..115).await, Ok(110..115));
    assert_eq!(stage.value("a").await, Some(15));
    let gap = consume(store, 5, 116..120)
        .await
        .expect_err("115 is missing");
    let public = Error::from(gap);
    assert_eq!(public.code(), Code::FailedPrecondition);
    let text = public.message();
    assert!(
        text.contains("is 115") && text.contains("begins at 116"),
        "{text}"
    );
    assert_eq!(at(store, 3).await, Some(At { log: 5, next: 115 }));
    // A log that may have holes.
    let skipped: Result<Range<u64>, StoreError> = store
        .write(&cx(), |tx| {
            Box::pin(async move { tx.position("g", "t", 3).advance(5, 116..120).await })
        })
        .await;
    assert_eq!(skipped, Ok(116..120));
    assert_eq!(stage.value("a").await, Some(15));
}

pub(super) async fn a_log_that_begins_anew_is_read_from_its_beginning_and_the_old_one_never_again(
    stage: Stage,
) {
    let store = &stage.store;
    stage.insert("a", 0).await.expect("an insert commits");
    assert_eq!(consume(store, 5, 0..100).await, Ok(0..100));
    assert_eq!(consume(store, 6, 0..10).await, Ok(0..10), "it was emptied");
    assert_eq!(at(store, 3).await, Some(At { log: 6, next: 10 }));
    let gone = consume(store, 5, 100..110)
        .await
        .expect_err("this log is gone");
    let text = gone.to_string();
    assert!(
        text.contains("incarnation 6") && text.contains("is of 5"),
        "{text}"
    );
    assert_eq!(stage.value("a").await, Some(110));
    // Before its first message came, it is noted already.
    assert_eq!(consume(store, 7, 0..0).await, Ok(0..0));
    assert_eq!(at(store, 3).await, Some(At { log: 7, next: 0 }));
}

pub(super) async fn a_position_moves_with_its_effect_or_not_at_all(stage: Stage) {
    let store = &stage.store;
    let undone: Result<(), Error> = store
        .write(&cx(), |tx| {
            Box::pin(async move {
                let new = tx.position("g", "t", 3).advance(1, 0..10).await?;
                assert_eq!(new, 0..10);
                Err(Error::unavailable("on purpose"))
            })
        })
        .await;
    undone.expect_err("it fails on purpose");
    assert_eq!(at(store, 3).await, None);
    stage.insert("a", 0).await.expect("an insert commits");
    assert_eq!(consume(store, 1, 0..10).await, Ok(0..10));
    // A replay.
    let set: Result<(), StoreError> = store
        .write(&cx(), |tx| {
            Box::pin(async move { tx.position("g", "t", 3).set(At { log: 1, next: 4 }).await })
        })
        .await;
    set.expect("it is set");
    assert_eq!(consume(store, 1, 0..10).await, Ok(4..10));
}

pub(super) async fn what_is_done_ahead_is_kept_with_the_position(stage: Stage) {
    let store = &stage.store;
    let put = |next: u64, ahead: Vec<u8>| {
        store.write(&cx(), move |tx| {
            let ahead = ahead.clone();
            Box::pin(async move {
                let mut position = tx.position("g", "t", 3);
                position.set_ahead(At { log: 1, next }, &ahead).await?;
                position.read_ahead().await
            })
        })
    };
    for ahead in [vec![1, 0, 255], vec![7; MAX_AHEAD], Vec::new()] {
        let kept: Result<_, StoreError> = put(4, ahead.clone()).await;
        assert_eq!(kept, Ok(Some((At { log: 1, next: 4 }, ahead))));
    }
    let refused: Result<_, StoreError> = put(5, vec![7; MAX_AHEAD + 1]).await;
    let text = refused.expect_err("it is too much").to_string();
    assert!(text.contains("61440 is the most"), "{text}");
    assert_eq!(at(store, 3).await, Some(At { log: 1, next: 4 }));
}

pub(super) async fn consumers_of_the_same_batches_make_each_effect_once(stage: Stage) {
    race(&stage.store, &stage.store).await;
    assert_eq!(stage.value("a").await, Some(40));
}

/// Consumers at two stores get the same batches at once, also the very first.
pub(super) async fn race(one: &Store, other: &Store) {
    let inserted: Result<u64, Error> = one
        .write(&cx(), |tx| {
            Box::pin(async move { Ok(tx.execute(INSERT, params!["a", 0]).await?) })
        })
        .await;
    inserted.expect("an insert commits");
    for from in [0, 10, 20, 30] {
        let mut consuming = JoinSet::new();
        for number in 0..8 {
            let store = if number % 2 == 0 { one } else { other };
            consuming.spawn(consume(store, 1, from..from + 10));
        }
        let mut new = 0;
        for done in consuming.join_all().await {
            new += done.expect("conflicts are the store's business").count();
        }
        assert_eq!(new, 10, "from {from}");
    }
}

pub(super) async fn what_is_no_position_is_refused(stage: Stage) {
    let beyond = i64::MAX as u64 + 1;
    for (log, offsets, words) in [
        (1, Range { start: 5, end: 4 }, "ends before it begins"),
        (1, 0..beyond, "2^63"),
        (beyond, 0..1, "2^63"),
    ] {
        let refused = consume(&stage.store, log, offsets).await;
        let text = refused.expect_err("it is none").to_string();
        assert!(
            text.contains(words) && text.contains("partition 3 of \"t\""),
            "{text}"
        );
    }
    let unnamed: Result<Option<At>, StoreError> = stage
        .store
        .read(&cx(), |tx| {
            Box::pin(async move { tx.position("", "t", 0).read().await })
        })
        .await;
    assert!(
        matches!(unnamed, Err(StoreError::Field { .. })),
        "{unnamed:?}"
    );
}
