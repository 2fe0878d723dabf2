//! Which ends of a member are ends in order, and after which everything it had out is suspect.

use crate::mortal::some;
use crate::stage::{Stage, TOPIC, cx, out, out_to};
use backlot_core::Clock;
use backlot_messaging::embedded::{MIGRATIONS, Options};
use backlot_messaging::engine::{Cause, Engine, Input, Settle, Source, Subscription};
use backlot_storage::sqlite;
use std::time::Duration;

const ALL: u64 = 8;

async fn stage(partitions: u32) -> Stage {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    Stage::on(store, Options::default(), partitions).await
}

/// How many messages the next member gets at once after this end of one that had all of them out.
async fn next_after(end: impl AsyncFnOnce(Box<dyn Source>)) -> u64 {
    let stage = stage(1).await;
    stage.publish((0..ALL).map(out).collect()).await.unwrap();
    let mut reader = stage.reader("g").await;
    assert_eq!(some(&mut *reader, 100).await.len() as u64, ALL);
    end(reader).await;
    let mut next = stage.reader("g").await;
    some(&mut *next, 100).await.len() as u64
}

#[tokio::test(start_paused = true)]
async fn who_is_dropped_after_its_lease_may_have_hung_in_what_it_had() {
    let late = next_after(async |reader| {
        tokio::time::sleep(Duration::from_secs(31)).await;
        drop(reader);
    });
    assert_eq!(late.await, ALL / 2, "a trial");
    let in_time = next_after(async |reader| {
        tokio::time::sleep(Duration::from_secs(29)).await;
        drop(reader);
    });
    assert_eq!(in_time.await, ALL);
    // Whoever says that it leaves is not dead, however long it was silent.
    let closed = next_after(async |reader| {
        tokio::time::sleep(Duration::from_secs(31)).await;
        reader.close().await.unwrap();
    });
    assert_eq!(closed.await, ALL);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_had_who_is_said_to_be_dead_is_suspect() {
    assert_eq!(next_after(async |reader| reader.abandon()).await, ALL / 2);
}

#[tokio::test(start_paused = true)]
async fn a_drain_of_which_its_owner_never_heard_is_no_end_in_order() {
    for hears in [true, false] {
        let stage = stage(2).await;
        let messages = (0..2 * ALL).map(|id| out_to((u32::from(id >= ALL), 2), id));
        stage.publish(messages.collect()).await.unwrap();
        // Its lease is long: nothing but the drain ends.
        let long = Subscription {
            lease: Duration::from_secs(600),
            ..Subscription::new(TOPIC, "g")
        };
        let mut one = stage.engine.attach(&cx(), &long).await.unwrap();
        let mut left = 2 * ALL;
        while left > 0 {
            left -= some(&mut *one, 100).await.len() as u64;
        }
        let mut other = stage.reader("g").await;
        if hears {
            let told = one.next(100).await.unwrap();
            let is_notice = |told: &Input| matches!(told, Input::Revoked { cause, .. } if *cause == Cause::Rebalance);
            assert!(is_notice(&told), "{told:?}");
        }
        let came = some(&mut *other, 100).await.len() as u64;
        assert_eq!(came, if hears { ALL } else { ALL / 2 }, "heard: {hears}");
        drop(one);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_busy_through_its_drain_is_not_dead() {
    let stage = stage(2).await;
    let messages = (0..2 * ALL).map(|id| out_to((u32::from(id >= ALL), 2), id));
    stage.publish(messages.collect()).await.unwrap();
    let mut one = stage.reader("g").await;
    let mut taken = Vec::new();
    while (taken.len() as u64) < 2 * ALL {
        taken.extend(some(&mut *one, 100).await);
    }
    let mut other = stage.reader("g").await;
    // It asks for no more, and says that it works on what it has.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let longer = Settle::Extend(Duration::from_secs(30));
    let extended = taken.iter().map(|it| (it.token, longer.clone())).collect();
    assert!(one.settle(extended).await.unwrap().is_empty());
    assert_eq!(some(&mut *other, 100).await.len() as u64, ALL);
}
