//! One queue, told what happens.

use super::*;
use crate::Record;
use crate::engine::Failure as Kept;
use backlot_service::Metrics;
use std::sync::Arc;
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_secs(3600);

fn pool() -> Arc<Pool> {
    let telemetry = OfQueue::new(&Metrics::new(), "t", "g");
    let seams = (Clock::real(), Dice::seeded(1));
    Arc::new(Pool::new(1, ("t", "g"), 10, seams, telemetry))
}

fn of(offset: u64) -> Of {
    let token = Token {
        partition: 0,
        offset,
        epoch: 1,
    };
    let side = Side::Topic;
    Of { side, token }
}

fn delivery(offset: u64, failures: Vec<Kept>) -> Delivery {
    Delivery {
        token: of(offset).token,
        stored: Timestamp(0),
        starts: 0,
        attempts: 0,
        failures,
        record: Record::new(offset.to_string(), "Errand", "shop", "{}"),
    }
}

async fn offer(pool: &Arc<Pool>, offers: &mut JoinSet<End>, deliveries: Vec<Delivery>) {
    let before = pool.report().ready;
    let count = deliveries.len();
    for delivery in deliveries {
        let (pool, of) = (Arc::clone(pool), of(delivery.token.offset));
        offers.spawn(async move { pool.offer(of, delivery).await });
    }
    while pool.report().ready < before + count {
        tokio::task::yield_now().await;
    }
}

async fn pull(pool: &Pool, max: usize) -> Vec<Leased> {
    let ask = Ask {
        max,
        ..Ask::new("t", "g", "w")
    };
    pool.wait(&ask).unwrap().until(Instant::now()).await
}

fn nonce(leased: &Leased) -> u128 {
    leased.lease.number().unwrap().1
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_given_again_waits_for_the_engine_too() {
    let (pool, mut offers) = (pool(), JoinSet::new());
    offer(
        &pool,
        &mut offers,
        vec![delivery(0, vec![]), delivery(1, vec![])],
    )
    .await;
    let leased = pull(&pool, 2).await;
    let answer = |at: usize| pool.answer(nonce(&leased[at]), &Answer::Done);
    let telling = |heard| match heard {
        Heard::Telling(told) => told,
        other => panic!("{other:?}"),
    };
    let (first, again) = (telling(answer(0)), telling(answer(0)));
    let done = [(of(0).token, Settle::Done)];
    pool.settled(Side::Topic, &done, &[]);
    assert_eq!((first.await, again.await), (Ok(true), Ok(true)));
    assert!(matches!(answer(0), Heard::Noted), "now it is known");

    let (first, again) = (telling(answer(1)), telling(answer(1)));
    pool.lost(Side::Topic, None);
    assert!(first.await.is_err() && again.await.is_err(), "nobody knows");
    assert!(matches!(answer(1), Heard::Over), "it was never told");
}

#[tokio::test(start_paused = true)]
async fn what_is_out_is_over_when_the_engine_is_lost() {
    let (pool, mut offers) = (pool(), JoinSet::new());
    offer(&pool, &mut offers, vec![delivery(0, vec![])]).await;
    let leased = pull(&pool, 1).await;
    pool.lost(Side::Again, None);
    let extend = || pool.answer(nonce(&leased[0]), &Answer::Extend(LONG));
    assert!(matches!(extend(), Heard::Noted), "it is of the other topic");
    pool.lost(Side::Topic, None);
    assert!(matches!(extend(), Heard::Over));
    let ended = offers.join_next().await.unwrap().unwrap();
    assert!(matches!(ended, End::Withdrawn), "its place is free again");
}

#[tokio::test(start_paused = true)]
async fn a_queue_closes_although_messages_come_if_nobody_asks_for_them() {
    let (pool, mut offers) = (pool(), JoinSet::new());
    let idle = Duration::from_secs(60);
    assert_eq!(pull(&pool, 1).await, []);
    for offset in 0..5 {
        tokio::time::advance(idle / 5 - Duration::from_millis(1)).await;
        assert!(pool.sweep(idle).is_some(), "{offset}");
        offer(&pool, &mut offers, vec![delivery(offset, vec![])]).await;
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(pool.sweep(idle).is_none());
    assert!(pool.is_closed());
    while let Some(ended) = offers.join_next().await {
        assert!(matches!(ended.unwrap(), End::Withdrawn));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_handed_out_at_once_fits_with_how_it_failed() {
    let (pool, mut offers) = (pool(), JoinSet::new());
    let failed = Kept {
        at_ms: 0,
        class: "transient:UNKNOWN".into(),
        message: "x".repeat(1000),
    };
    let failures = vec![failed; 10];
    let deliveries = (0..1000).map(|offset| delivery(offset, failures.clone()));
    offer(&pool, &mut offers, deliveries.collect()).await;
    let leased = pull(&pool, 1000).await;
    let bytes: usize = leased.iter().map(|it| it.failures.len() * 1000).sum();
    assert!(bytes > 1_000_000 && bytes <= BYTES, "{bytes}");
}
