//! Commits that fail: nothing is answered that is not so, and the engine goes on without a restart.

use crate::far::{Far, Fault};
use crate::stage::{Stage, TOPIC, cx, done, ids, messages, out};
use backlot_core::{Dice, Timestamp};
use backlot_messaging::embedded::Options;
use backlot_messaging::engine::{Engine, Failure, Gap, Input, Receipt, Settle, TopicSpec};
use std::collections::BTreeMap;
use std::time::Duration;

async fn stage() -> (Stage, Far) {
    let (store, far) = Far::open().await;
    let stage = Stage::over(store, Options::default()).await;
    // The paused clock goes on when everybody waits: the faults are not for the engine's start.
    tokio::time::sleep(Duration::from_millis(1)).await;
    (stage, far)
}

#[tokio::test(start_paused = true)]
async fn a_publish_whose_commit_failed_is_unknown_and_the_next_goes_well() {
    let (stage, far) = stage().await;
    far.next_fails(Fault::Undone);
    let failed = stage.publish(vec![out(1)]).await.unwrap_err();
    assert!(failed.may_have_happened(), "{failed}");
    stage.publish(vec![out(2)]).await.unwrap();
    let mut reader = stage.reader("g").await;
    let came = messages(&mut *reader).await;
    assert_eq!((ids(&came), came[0].token.offset), (vec![2], 0));
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_was_lost_still_wakes_its_readers() {
    let (stage, far) = stage().await;
    let mut reader = stage.reader("g").await;
    assert!(matches!(reader.next(1).await, Ok(Input::Assigned(_))));
    let waiting = messages(&mut *reader);
    let publishing = async {
        far.next_fails(Fault::Unheard);
        let failed = stage
            .publish(vec![out(1).deduplicated()])
            .await
            .unwrap_err();
        assert!(failed.may_have_happened(), "{failed}");
        // Whoever publishes again does it safely by its id.
        let again = stage
            .engine
            .append(&cx(), vec![out(1).deduplicated()])
            .await;
        assert_eq!(again.unwrap(), [Receipt::Duplicate]);
    };
    let (came, ()) = tokio::join!(waiting, publishing);
    assert_eq!(ids(&came), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_nobody_waits_for_any_more_is_in_nobodys_way() {
    let (stage, _far) = stage().await;
    let mut reader = stage.reader("g").await;
    assert!(matches!(reader.next(1).await, Ok(Input::Assigned(_))));
    stage.publish(vec![out(1), out(2)]).await.unwrap();
    let first = messages(&mut *reader).await;
    stage.publish(vec![out(3), out(4)]).await.unwrap();
    // Wherever the read is when its caller turns to something else.
    for polls in 1..12 {
        {
            let mut next = reader.next(1);
            for _ in 0..polls {
                tokio::select! {
                    biased;
                    _read = &mut next => break,
                    () = tokio::task::yield_now() => {}
                }
            }
        }
        let settling = reader.settle(done(&first));
        let settled = tokio::time::timeout(Duration::from_secs(5), settling).await;
        assert!(settled.is_ok(), "after {polls} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_repeated_and_nobody_hears_of_it() {
    let (stage, far) = stage().await;
    far.fail([Some(Fault::Conflict); 3]);
    let receipts = stage
        .engine
        .append(&cx(), vec![out(1), out(2)])
        .await
        .unwrap();
    assert!(matches!(
        receipts[..],
        [Receipt::Stored(_), Receipt::Stored(_)]
    ));
    let mut reader = stage.reader("g").await;
    assert_eq!(ids(&messages(&mut *reader).await), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_was_settled_with_an_unknown_end_may_be_settled_again() {
    for fault in [Fault::Undone, Fault::Unheard] {
        let (stage, far) = stage().await;
        stage
            .engine
            .ensure(&cx(), &TopicSpec::new("dead", 1))
            .await
            .unwrap();
        stage.publish((0..3).map(out).collect()).await.unwrap();
        let mut reader = stage.reader("g").await;
        let taken = messages(&mut *reader).await;
        let mut letter = out(2);
        letter.topic = "dead".into();
        let all = vec![
            (taken[0].token, Settle::Done),
            (
                taken[1].token,
                Settle::Retry {
                    at: Timestamp(0),
                    failure: Some(Failure {
                        at_ms: 0,
                        class: "transient".into(),
                        message: "once".into(),
                    }),
                },
            ),
            (taken[2].token, Settle::Dead(Box::new(letter))),
        ];
        far.next_fails(fault);
        let failed = reader.settle(all.clone()).await.unwrap_err();
        assert!(failed.may_have_happened(), "{failed}");
        assert_eq!(reader.settle(all).await.unwrap(), []);
        let again = messages(&mut *reader).await;
        assert_eq!(
            (ids(&again), again[0].attempts),
            (vec![1], 1),
            "after {fault:?}"
        );
        reader.settle(done(&again)).await.unwrap();
        assert_eq!(stage.lag("g").await, 0);
        let letters = stage.engine.inspect(&cx(), "dead", None).await.unwrap();
        assert_eq!(letters.partitions[0].head, 1, "one letter after {fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_told_also_when_it_is_not_known_to_be_passed_over() {
    for fault in [Fault::Undone, Fault::Unheard] {
        let (stage, far) = stage().await;
        let mut reader = stage.reader("g").await;
        let assigned = reader.next(100).await.unwrap();
        assert!(matches!(assigned, Input::Assigned(_)), "{assigned:?}");
        stage.publish((0..4).map(out).collect()).await.unwrap();
        let small = TopicSpec {
            retention_bytes: Some(1),
            ..TopicSpec::new(TOPIC, 1)
        };
        stage.engine.ensure(&cx(), &small).await.unwrap();
        stage.engine.tend().await.unwrap();
        let keeps = TopicSpec::new(TOPIC, 1);
        stage.engine.ensure(&cx(), &keeps).await.unwrap();
        stage.publish(vec![out(4)]).await.unwrap();
        far.next_fails(fault);
        reader.next(100).await.unwrap_err();
        let skipped = Input::Skipped {
            partition: 0,
            first: 0,
            end: 4,
            cause: Gap::Retention,
        };
        assert_eq!(reader.next(100).await.unwrap(), skipped, "after {fault:?}");
        let came = messages(&mut *reader).await;
        assert_eq!(ids(&came), [4]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_epoch_that_may_have_begun_is_begun_again() {
    for fault in [Fault::Undone, Fault::Unheard] {
        let (stage, far) = stage().await;
        stage.publish(vec![out(1)]).await.unwrap();
        let mut reader = stage.reader("g").await;
        far.fail([None, Some(fault)]);
        reader.next(1).await.unwrap_err();
        let came = messages(&mut *reader).await;
        assert_eq!((ids(&came), came[0].starts), (vec![1], 0));
        assert_eq!(reader.settle(done(&came)).await.unwrap(), []);
    }
}

/// Every commit fails in some way with a chance of a third: publishers repeat by id, the reader
/// goes on whatever it is told, and in the end each message was settled once.
#[tokio::test(start_paused = true)]
async fn under_random_faults_every_message_is_settled_once() {
    for seed in 0..20 {
        under_random_faults(seed).await;
    }
}

async fn under_random_faults(seed: u64) {
    const ALL: u64 = 60;
    let (stage, far) = stage().await;
    let dice = Dice::seeded(seed);
    let fault = |dice: &Dice| match dice.below(9) {
        0 => Some(Fault::Undone),
        1 => Some(Fault::Unheard),
        2 => Some(Fault::Conflict),
        _ => None,
    };
    let mut reader = loop {
        let subscription = backlot_messaging::engine::Subscription::new(TOPIC, "g");
        if let Ok(reader) = stage.engine.attach(&cx(), &subscription).await {
            break reader;
        }
    };
    far.fail((0..4000).map(|_| fault(&dice)));
    let publishing = async {
        for id in 0..ALL {
            while stage.publish(vec![out(id).deduplicated()]).await.is_err() {}
        }
    };
    let mut settled: BTreeMap<u64, u32> = BTreeMap::new();
    let mut last = None;
    let reading = async {
        while settled.len() < usize::try_from(ALL).unwrap() {
            let next = reader.next(7);
            let Ok(input) = tokio::time::timeout(Duration::from_millis(50), next).await else {
                continue;
            };
            let Ok(Input::Deliveries(deliveries)) = input else {
                continue;
            };
            for delivery in deliveries {
                let id = ids(std::slice::from_ref(&delivery))[0];
                let is_failing = delivery.attempts == 0 && id.is_multiple_of(5);
                let settle = if is_failing {
                    Settle::Retry {
                        at: Timestamp(0),
                        failure: Some(Failure {
                            at_ms: 0,
                            class: "transient".into(),
                            message: id.to_string(),
                        }),
                    }
                } else {
                    Settle::Done
                };
                let stale = loop {
                    match reader.settle(vec![(delivery.token, settle.clone())]).await {
                        Ok(stale) => break stale,
                        Err(_) => tokio::task::yield_now().await,
                    }
                };
                if stale.is_empty() && !is_failing {
                    *settled.entry(id).or_default() += 1;
                    assert!(
                        id.is_multiple_of(5) || last.is_none_or(|last| last < id),
                        "{id} after {last:?}, seed {seed}"
                    );
                    if !id.is_multiple_of(5) {
                        last = Some(id);
                    }
                    let attempts = u32::from(id.is_multiple_of(5));
                    assert_eq!(delivery.attempts, attempts, "seed {seed}");
                }
            }
        }
    };
    let both = async { tokio::join!(publishing, reading) };
    tokio::time::timeout(Duration::from_secs(3600), both)
        .await
        .unwrap_or_else(|_| panic!("seed {seed} hangs"));
    far.faults.lock().unwrap().clear();
    assert!(
        settled.values().all(|times| *times == 1),
        "seed {seed}: {settled:?}"
    );
    assert_eq!(stage.lag("g").await, 0, "seed {seed}");
    let report = stage.engine.inspect(&cx(), TOPIC, Some("g")).await.unwrap();
    assert_eq!(
        report.partitions[0].head, ALL,
        "nothing is stored twice, seed {seed}"
    );
    assert_eq!(report.groups[0].partitions[0].retrying, 0, "seed {seed}");
}
