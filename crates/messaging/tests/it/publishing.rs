//! The way in: one commit for many, and what waits.

use crate::far::Far;
use crate::stage::{Stage, TOPIC, cx, done, ids, messages, out};
use backlot_core::{Clock, Context, Timestamp};
use backlot_messaging::Error;
use backlot_messaging::embedded::{MIGRATIONS, Options};
use backlot_messaging::engine::{Engine, Input, Receipt, Settle, TopicSpec};
use backlot_messaging::telemetry::{COMMIT_MESSAGES, LAG, PUBLISHED, SETTLED, STORED};
use backlot_storage::sqlite;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

async fn stage() -> Stage {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    Stage::over(store, Options::default()).await
}

#[tokio::test(start_paused = true)]
async fn many_messages_are_one_commit() {
    let stage = stage().await;
    stage.publish((0..500).map(out).collect()).await.unwrap();
    let commits = stage.metrics.histogram(&COMMIT_MESSAGES, []);
    assert_eq!((commits.count(), commits.sum()), (1, 500.0));
    assert_eq!(stage.metrics.counter(&PUBLISHED, [TOPIC]).get(), 500);
}

#[tokio::test(start_paused = true)]
async fn too_many_for_one_call_names_the_limits() {
    let stage = stage().await;
    let refused = stage
        .publish((0..16_385).map(out).collect())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("16384"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_holds_back_or_says_how_long_it_is() {
    let (store, far) = Far::open().await;
    let options = Options {
        queue: 4,
        ..Options::default()
    };
    let stage = Stage::over(store, options).await;
    let held = far.database.lock().await;
    let soon = Context::background().with_timeout(Duration::from_millis(50));
    // It has begun when its caller stops waiting: the store has it.
    let begun = stage.engine.append(&soon, vec![out(1)]).await.unwrap_err();
    assert!(begun.may_have_happened(), "{begun}");
    let soon = Context::background().with_timeout(Duration::from_millis(50));
    let one = stage.engine.append(&soon, vec![out(2)]);
    let other = stage.engine.append(&soon, vec![out(3)]);
    let late = stage
        .engine
        .append(&soon, vec![out(6), out(7), out(8), out(9)]);
    let busy = async {
        tokio::task::yield_now().await;
        stage.engine.try_append(&cx(), vec![out(10), out(11)]).await
    };
    let (one, other, late, busy) = tokio::join!(one, other, late, busy);
    // These waited for the one that had begun, and were never begun.
    for waited in [one, other, late] {
        let error = waited.unwrap_err();
        assert!(matches!(error, Error::Late), "{error}");
    }
    let busy = busy.unwrap_err();
    assert!(matches!(busy, Error::Busy { .. }), "{busy}");
    drop(held);
    stage.publish(vec![out(12)]).await.unwrap();
    let mut reader = stage.reader("g").await;
    let came = ids(&messages(&mut *reader).await);
    assert!(
        came == [1, 12] || came == [12],
        "what was not begun is not stored: {came:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_closed_engine_says_so_and_keeps_what_it_took() {
    let place = sqlite::Memory::default();
    let stage = Stage::over(
        place.open(MIGRATIONS, Clock::real()).unwrap(),
        Options::default(),
    )
    .await;
    let mut reader = stage.reader("g").await;
    let publishing = stage.publish((0..3).map(out).collect());
    let (published, closed) = tokio::join!(publishing, stage.engine.close());
    published.unwrap();
    closed.unwrap();
    assert!(matches!(
        stage.publish(vec![out(4)]).await,
        Err(Error::Closed)
    ));
    assert!(matches!(reader.next(1).await, Err(Error::Closed)));
    drop((reader, stage));
    let stage = Stage::over(
        place.open(MIGRATIONS, Clock::real()).unwrap(),
        Options::default(),
    )
    .await;
    let mut reader = stage.reader("g").await;
    assert_eq!(ids(&messages(&mut *reader).await), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_purged_topic_begins_anew_for_every_group() {
    let stage = stage().await;
    stage.publish((0..3).map(out).collect()).await.unwrap();
    let mut reader = stage.reader("g").await;
    let taken = messages(&mut *reader).await;
    reader.settle(done(&taken)).await.unwrap();
    stage.engine.purge(TOPIC).await.unwrap();
    stage.publish(vec![out(9)]).await.unwrap();
    let came = messages(&mut *reader).await;
    assert_eq!((ids(&came), came[0].token.offset), (vec![9], 0));
}

#[tokio::test(start_paused = true)]
async fn the_oldest_go_while_there_are_too_many_bytes() {
    let stage = stage().await;
    let spec = TopicSpec {
        retention_bytes: Some(100_000),
        ..TopicSpec::new(TOPIC, 1)
    };
    stage.engine.ensure(&cx(), &spec).await.unwrap();
    for id in 0..10 {
        let mut outgoing = out(id);
        outgoing.record.payload = vec![1; 30_000].into();
        stage.publish(vec![outgoing]).await.unwrap();
    }
    stage.engine.tend().await.unwrap();
    let report = stage.engine.inspect(&cx(), TOPIC, None).await.unwrap();
    assert_eq!(
        (report.partitions[0].start, report.partitions[0].head),
        (7, 10)
    );
    assert!(report.partitions[0].bytes <= 100_000);
}

#[tokio::test(start_paused = true)]
async fn what_groups_are_behind_is_measured() {
    let stage = stage().await;
    stage.publish((0..5).map(out).collect()).await.unwrap();
    let mut reader = stage.reader("g").await;
    let taken = messages(&mut *reader).await;
    reader.settle(done(&taken[..2])).await.unwrap();
    stage.engine.tend().await.unwrap();
    assert_eq!(stage.metrics.gauge(&LAG, [TOPIC, "g", "0"]).get(), 3);
    assert_eq!(stage.metrics.gauge(&STORED, [TOPIC]).get(), 5);
    assert_eq!(
        stage.metrics.counter(&SETTLED, [TOPIC, "g", "done"]).get(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_dropped_ends_its_sources() {
    let stage = stage().await;
    let mut reader = stage.reader("g").await;
    assert!(matches!(reader.next(1).await, Ok(Input::Assigned(_))));
    let waiting = reader.next(1);
    let (told, ()) = tokio::join!(waiting, async { drop(stage.engine) });
    assert!(matches!(told, Err(Error::Closed)));
}

#[tokio::test(start_paused = true)]
async fn callers_at_once_share_commits_and_each_gets_its_own_receipts() {
    let stage = stage().await;
    let engine = &stage.engine;
    let calls = (0..40).map(async |id| {
        engine
            .append(&cx(), vec![out(id * 2), out(id * 2 + 1)])
            .await
    });
    let mut offsets = Vec::new();
    for receipts in futures(calls).await {
        for receipt in receipts.unwrap() {
            let Receipt::Stored(position) = receipt else {
                panic!("{receipt:?}");
            };
            offsets.push(position.offset);
        }
    }
    assert_eq!(offsets, (0..80).collect::<Vec<_>>());
    let commits = stage.metrics.histogram(&COMMIT_MESSAGES, []);
    assert!(commits.count() < 40, "{} commits", commits.count());
}

#[tokio::test(start_paused = true)]
async fn with_too_many_holes_no_more_is_delivered_until_they_close_and_nothing_is_lost() {
    const ALL: u64 = 10_000;
    let now = Arc::new(AtomicI64::new(1_000_000));
    let clock = Clock::from_fn({
        let now = Arc::clone(&now);
        move || Timestamp(now.load(Ordering::SeqCst))
    });
    let store = sqlite::memory(MIGRATIONS, clock.clone()).unwrap();
    let stage = Stage::at(clock, store, Options::default(), 1).await;
    stage.publish((0..ALL).map(out).collect()).await.unwrap();
    let mut reader = stage.reader("g").await;
    let (mut delivered, mut waiting) = (0, 0);
    // Every second one waits: no run of settled messages is longer than one.
    while let Ok(some) = tokio::time::timeout(Duration::from_secs(5), messages(&mut *reader)).await
    {
        delivered += some.len() as u64;
        let each = some.iter().map(|delivery| {
            if delivery.token.offset.is_multiple_of(2) {
                waiting += 1;
                let retry = Settle::Retry {
                    at: Timestamp(2_000_000),
                    failure: None,
                };
                return (delivery.token, retry);
            }
            (delivery.token, Settle::Done)
        });
        reader.settle(each.collect()).await.unwrap();
    }
    // 4,096 runs beyond the first hole, and what was on its way.
    assert!((8192..9300).contains(&delivered), "{delivered}");
    let report = stage.engine.inspect(&cx(), TOPIC, Some("g")).await.unwrap();
    assert_eq!(report.groups[0].partitions[0].retrying, waiting);
    now.store(3_000_000, Ordering::SeqCst);
    let mut came = BTreeSet::new();
    while (came.len() as u64) < ALL - delivered + waiting {
        let some = messages(&mut *reader).await;
        reader.settle(done(&some)).await.unwrap();
        for id in ids(&some) {
            assert!(came.insert(id), "{id} came twice");
        }
    }
    assert_eq!(stage.lag("g").await, 0);
}

/// All of them, begun at once, in order.
async fn futures<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut calls: Vec<_> = calls.map(|call| Some(Box::pin(call))).collect();
    let mut outputs: Vec<Option<F::Output>> = calls.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (call, output) in calls.iter_mut().zip(&mut outputs) {
            if let Some(running) = call
                && let std::task::Poll::Ready(done) = running.as_mut().poll(cx)
            {
                (*call, *output) = (None, Some(done));
            }
        }
        if calls.iter().all(Option::is_none) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
