//! Flipped bits: found, told, put aside, never silently wrong.

use crate::stage::{Stage, TOPIC, cx, done, ids, messages, next, out};
use backlot_core::{Clock, Context, Timestamp};
use backlot_messaging::embedded::{MIGRATIONS, Options};
use backlot_messaging::engine::{Engine, Gap, Input, Settle};
use backlot_messaging::telemetry::QUARANTINED;
use backlot_storage::{Sql, Store, StoreError, params, sql, sqlite};
use std::time::Duration;

const DATA: Sql = sql!("SELECT data FROM batch WHERE base = ?");
const SET: Sql = sql!("UPDATE batch SET data = ? WHERE base = ?");
const SHIFT: Sql = sql!("UPDATE batch SET at = at, cnt = cnt + 1 WHERE base = ?");
const TIMER: Sql = sql!("UPDATE timer SET data = x'00'");
const NOW: Sql = sql!("UPDATE timer SET due = 1");

const BOOKMARK: Sql = sql!("UPDATE cursor SET acked = acked + 2");
const BEYOND: Sql = sql!("UPDATE cursor SET ahead = CAST(ahead || x'0101' AS BLOB)");

async fn stage() -> (Stage, Store) {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    (Stage::over(store.clone(), Options::default()).await, store)
}

/// The log opened anew: what one has in memory is not what is stored.
async fn reopened(stage: Stage, store: &Store) -> Stage {
    drop(stage);
    Stage::over(store.clone(), Options::default()).await
}

async fn run(store: &Store, sql: Sql, base: Option<i64>) {
    let running = store.write(&Context::background(), move |tx| {
        Box::pin(async move {
            match base {
                Some(base) => tx.execute(sql, params![base]).await,
                None => tx.execute(sql, params![]).await,
            }
        })
    });
    assert_eq!(running.await.unwrap(), 1);
}

/// Flips one bit in the batch that begins at an offset.
async fn flip(store: &Store, base: i64, bit: usize) {
    let flipping = store.write(&Context::background(), move |tx| {
        Box::pin(async move {
            let mut data: Vec<u8> = tx.query_one(DATA, params![base]).await?.get(0)?;
            let bit = bit % (data.len() * 8);
            data[bit / 8] ^= 1 << (bit % 8);
            tx.execute(SET, params![&data, base]).await?;
            Ok::<(), StoreError>(())
        })
    });
    flipping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_flipped_bit_is_put_aside_and_the_partition_goes_on() {
    for bit in [0, 9, 77, 100, 203, 318, 1000] {
        let (stage, store) = stage().await;
        for first in [0, 2, 4] {
            stage
                .publish(vec![out(first), out(first + 1)])
                .await
                .unwrap();
        }
        flip(&store, 2, bit).await;
        let stage = reopened(stage, &store).await;
        let skipped = Input::Skipped {
            partition: 0,
            first: 2,
            end: 4,
            cause: Gap::Damaged,
        };
        // The second group comes when it is put aside already, and is told all the same.
        for group in ["one", "other"] {
            let mut reader = stage.reader(group).await;
            let before = messages(&mut *reader).await;
            assert_eq!(ids(&before), [0, 1]);
            assert_eq!(next(&mut *reader).await, skipped);
            let after = messages(&mut *reader).await;
            assert_eq!(ids(&after), [4, 5]);
            reader.settle(done(&before)).await.unwrap();
            reader.settle(done(&after)).await.unwrap();
            assert_eq!(stage.lag(group).await, 0);
        }
        let report = stage.engine.inspect(&cx(), TOPIC, None).await.unwrap();
        assert_eq!(report.partitions[0].damaged, [(2, 4)]);
        let counted = stage.metrics.counter(&QUARANTINED, [TOPIC]);
        assert_eq!(counted.get(), 1, "bit {bit}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_in_memory_still_is_not_read_from_a_damaged_batch() {
    let (stage, store) = stage().await;
    let mut reader = stage.reader("g").await;
    stage.publish(vec![out(0), out(1)]).await.unwrap();
    flip(&store, 0, 200).await;
    let read = messages(&mut *reader).await;
    assert_eq!(ids(&read), [0, 1]);
    reader.settle(done(&read)).await.unwrap();
    assert_eq!(stage.lag("g").await, 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_batch_may_be_the_damaged_one() {
    let (stage, store) = stage().await;
    stage.publish(vec![out(0)]).await.unwrap();
    run(&store, SHIFT, Some(0)).await;
    let stage = reopened(stage, &store).await;
    let mut reader = stage.reader("g").await;
    let told = next(&mut *reader).await;
    assert!(
        matches!(
            told,
            Input::Skipped {
                first: 0,
                end: 1,
                cause: Gap::Damaged,
                ..
            }
        ),
        "{told:?}"
    );
    stage.publish(vec![out(1)]).await.unwrap();
    assert_eq!(ids(&messages(&mut *reader).await), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_in_a_damaged_batch_is_told_too() {
    let (stage, store) = stage().await;
    stage.publish(vec![out(0), out(1)]).await.unwrap();
    let mut reader = stage.reader("g").await;
    let taken = messages(&mut *reader).await;
    let later = Settle::Retry {
        at: Timestamp(0),
        failure: None,
    };
    flip(&store, 0, 200).await;
    reader.settle(done(&taken[1..])).await.unwrap();
    reader.settle(vec![(taken[0].token, later)]).await.unwrap();
    let told = next(&mut *reader).await;
    assert!(
        matches!(
            told,
            Input::Skipped {
                first: 0,
                end: 1,
                cause: Gap::Damaged,
                ..
            }
        ),
        "{told:?}"
    );
    assert_eq!(stage.lag("g").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_message_for_later_is_put_aside() {
    let (stage, store) = stage().await;
    let later = Clock::real().wall().plus(Duration::from_secs(3600));
    stage.publish(vec![out(0).at(later)]).await.unwrap();
    run(&store, TIMER, None).await;
    run(&store, NOW, None).await;
    // A new engine looks at once.
    drop(stage);
    let stage = Stage::over(store, Options::default()).await;
    let put_aside = async {
        loop {
            let report = stage.engine.inspect(&cx(), TOPIC, None).await.unwrap();
            if !report.partitions[0].damaged.is_empty() {
                return report.partitions[0].clone();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let part = tokio::time::timeout(Duration::from_secs(30), put_aside)
        .await
        .unwrap();
    // It had no place in the log.
    assert_eq!((part.damaged, part.head), (vec![(0, 0)], 0));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_bookmark_passes_over_nothing_and_begins_anew() {
    for damage in [BOOKMARK, BEYOND] {
        let (stage, store) = stage().await;
        stage.publish((0..6).map(out).collect()).await.unwrap();
        let mut reader = stage.reader("g").await;
        let taken = messages(&mut *reader).await;
        reader.settle(done(&taken[..2])).await.unwrap();
        reader.close().await.unwrap();
        run(&store, damage, None).await;
        // A new engine reads what is stored.
        drop(stage);
        let stage = Stage::over(store, Options::default()).await;
        let mut reader = stage.reader("g").await;
        let mut again = Vec::new();
        while again.len() < 6 {
            let some = messages(&mut *reader).await;
            reader.settle(done(&some)).await.unwrap();
            again.extend(ids(&some));
        }
        assert_eq!(again, [0, 1, 2, 3, 4, 5], "{damage:?}");
        assert_eq!(stage.lag("g").await, 0);
    }
}
