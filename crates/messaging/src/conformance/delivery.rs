//! What reading promises.

use super::stage::{PATIENCE, Stage, TOPIC, number, numbers, subscription};
use crate::Error;
use crate::engine::{Begin, Gap, Input, Position, Seek, Settle, Subscription, TopicSpec};
use std::collections::BTreeSet;
use std::time::Duration;

pub(super) async fn two_groups_get_everything_each(stage: Stage) {
    stage.topic(2).await;
    stage.publish(0..20).await;
    let mut one = stage.reader("one").await;
    let mut other = stage.reader("other").await;
    let mut came = [
        numbers(&one.finish(20).await),
        numbers(&other.take(20).await),
    ];
    for came in &mut came {
        came.sort_unstable();
        assert_eq!(*came, (0..20).collect::<Vec<_>>());
    }
    assert_eq!((stage.lag("one").await, stage.lag("other").await), (0, 20));
}

pub(super) async fn a_new_group_may_begin_with_what_is_new(stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..5).await;
    let newest = Subscription {
        from: Begin::Newest,
        ..subscription("late")
    };
    let mut reader = stage.attach(&newest).await;
    stage.publish(5..7).await;
    assert_eq!(numbers(&reader.finish(2).await), [5, 6]);
}

pub(super) async fn what_is_settled_ahead_stays_settled_after_a_restart(mut stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..10).await;
    let mut reader = stage.reader("g").await;
    let taken = reader.take(10).await;
    let ahead: Vec<_> = [1, 2, 5, 9].map(|place: usize| taken[place].clone()).into();
    reader.done(&ahead).await;
    drop(reader);
    stage.die().await;
    assert_eq!(stage.lag("g").await, 6);
    let mut reader = stage.reader("g").await;
    assert_eq!(numbers(&reader.finish(6).await), [0, 3, 4, 6, 7, 8]);
    reader.nothing().await;
    assert_eq!(stage.lag("g").await, 0);
}

pub(super) async fn many_holes_lose_nothing(stage: Stage) {
    const ALL: u64 = 2_000;
    stage.topic(1).await;
    stage.publish(0..ALL).await;
    let mut reader = stage.reader("g").await;
    let mut settled = BTreeSet::new();
    let mut delivered = 0;
    // Every second message waits: no run of settled messages is longer than one.
    let later = stage.after(3_600_000);
    while delivered < ALL {
        let Ok(some) = tokio::time::timeout(Duration::from_secs(1), reader.some(200)).await else {
            break;
        };
        delivered += some.len() as u64;
        let each = some.iter().map(|delivery| {
            let settle = if number(delivery).is_multiple_of(2) {
                settled.insert(number(delivery));
                Settle::Done
            } else {
                Settle::Retry {
                    at: later,
                    failure: None,
                }
            };
            (delivery.token, settle)
        });
        let each = each.collect();
        assert_eq!(reader.source.settle(each).await.expect("settled"), []);
    }
    stage.set_on(Duration::from_secs(3_601));
    while (settled.len() as u64) < ALL {
        let some = reader.some(200).await;
        reader.done(&some).await;
        for delivery in &some {
            assert!(settled.insert(number(delivery)), "it was settled before");
        }
    }
    reader.nothing().await;
    assert_eq!(stage.lag("g").await, 0);
}

pub(super) async fn to_stop_waiting_loses_nothing(stage: Stage) {
    stage.topic(3).await;
    let mut reader = stage.reader("g").await;
    let mut came = Vec::new();
    for id in 0..30 {
        stage.publish([id]).await;
        // Polled once, and dropped wherever it stands.
        for _ in 0..3 {
            let next = reader.source.next(5);
            tokio::select! {
                biased;
                input = next => if let Input::Deliveries(some) = input.expect("it serves") {
                    let done = some.iter().map(|delivery| (delivery.token, Settle::Done));
                    let done = done.collect();
                    assert_eq!(reader.source.settle(done).await.expect("settled"), []);
                    came.extend(some);
                },
                () = tokio::task::yield_now() => {}
            }
        }
    }
    came.extend(reader.finish(30 - came.len()).await);
    let mut came = numbers(&came);
    came.sort_unstable();
    assert_eq!(came, (0..30).collect::<Vec<_>>(), "each came once");
    assert_eq!(stage.lag("g").await, 0);
}

pub(super) async fn lag_is_counted_exactly(stage: Stage) {
    stage.topic(1).await;
    let before = stage.now();
    stage.publish(0..6).await;
    let mut reader = stage.reader("g").await;
    assert_eq!(stage.lag("g").await, 6);
    let taken = reader.take(6).await;
    assert_eq!(stage.lag("g").await, 6, "what is out is not settled");
    reader.done(&taken[2..4]).await;
    assert_eq!(stage.lag("g").await, 4);
    reader.done(&taken[..2]).await;
    stage.publish(6..7).await;
    let report = stage
        .engine()
        .inspect(&stage.cx(), TOPIC, None)
        .await
        .expect("a report");
    assert_eq!(
        (report.partitions[0].start, report.partitions[0].head),
        (0, 7)
    );
    let cursor = &report.groups[0].partitions[0];
    assert_eq!((cursor.prefix, cursor.lag), (4, 3));
    let oldest = cursor.oldest.expect("something is not settled");
    assert!(before <= oldest && oldest <= stage.now(), "{oldest:?}");
    reader.done(&taken[4..]).await;
    reader.finish(1).await;
    let report = stage
        .engine()
        .inspect(&stage.cx(), TOPIC, Some("g"))
        .await
        .expect("a report");
    let cursor = &report.groups[0].partitions[0];
    assert_eq!((cursor.lag, cursor.oldest), (0, None));
    assert_eq!(report.groups[0].members, ["reader"]);
}

pub(super) async fn a_paused_group_gets_nothing_until_it_resumes(mut stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..2).await;
    let mut reader = stage.reader("g").await;
    let first = reader.take(1).await;
    let pause = async |stage: &Stage, paused| {
        let paused = stage.engine().pause(&stage.cx(), TOPIC, "g", paused).await;
        paused.expect("it is told");
    };
    pause(&stage, true).await;
    reader.nothing().await;
    reader.done(&first).await;
    reader.close().await;
    stage.restart().await;
    let mut reader = stage.reader("g").await;
    reader.nothing().await;
    let report = stage
        .engine()
        .inspect(&stage.cx(), TOPIC, Some("g"))
        .await
        .expect("a report");
    assert!(report.groups[0].paused);
    pause(&stage, false).await;
    assert_eq!(numbers(&reader.finish(1).await), [1]);
    let unknown = stage
        .engine()
        .pause(&stage.cx(), TOPIC, "nobody", true)
        .await;
    assert!(matches!(unknown, Err(Error::UnknownGroup { .. })));
}

pub(super) async fn a_group_is_moved_to_an_offset(stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..10).await;
    let mut reader = stage.reader("g").await;
    let finished = reader.finish(8).await;
    let out = reader.take(1).await;
    let seek = async |to| stage.engine().seek(&stage.cx(), TOPIC, "g", to).await;
    let at = |offset| {
        Seek::Offset(Position {
            partition: 0,
            offset,
        })
    };
    seek(at(3)).await.expect("moved");
    let stale = reader
        .source
        .settle(vec![(out[0].token, Settle::Done)])
        .await;
    assert_eq!(stale.expect("told").len(), 1, "what was out is stale");
    let again = reader.finish(7).await;
    assert_eq!(numbers(&again), [3, 4, 5, 6, 7, 8, 9]);
    assert!(again[0].token.epoch > finished[0].token.epoch);
    seek(Seek::Oldest).await.expect("moved");
    assert_eq!(numbers(&reader.take(10).await), (0..10).collect::<Vec<_>>());
    seek(Seek::Newest).await.expect("moved");
    stage.publish([10]).await;
    assert_eq!(numbers(&reader.finish(1).await), [10]);
    seek(at(99)).await.expect("the nearest that is there");
    assert_eq!(stage.lag("g").await, 0);
    let wrong = Seek::Offset(Position {
        partition: 1,
        offset: 0,
    });
    assert!(matches!(seek(wrong).await, Err(Error::Invalid { .. })));
    let unknown = stage
        .engine()
        .seek(&stage.cx(), TOPIC, "nobody", Seek::Oldest)
        .await;
    assert!(matches!(unknown, Err(Error::UnknownGroup { .. })));
}

pub(super) async fn a_group_is_moved_to_a_time(stage: Stage) {
    stage.topic(1).await;
    let mut moments = Vec::new();
    for id in 0..6 {
        stage.set_on(Duration::from_secs(10));
        moments.push(stage.now());
        stage.publish([id * 2, id * 2 + 1]).await;
    }
    let mut reader = stage.reader("g").await;
    reader.finish(12).await;
    for (place, moment) in (0..).zip(moments) {
        stage
            .engine()
            .seek(&stage.cx(), TOPIC, "g", Seek::Time(moment))
            .await
            .expect("moved");
        let again = reader.finish(12 - place * 2).await;
        assert_eq!(number(&again[0]), place as u64 * 2, "from {moment:?}");
        assert!(again[0].stored >= moment);
    }
    let later = Seek::Time(stage.after(60_000));
    stage
        .engine()
        .seek(&stage.cx(), TOPIC, "g", later)
        .await
        .expect("moved");
    reader.nothing().await;
}

pub(super) async fn what_is_too_old_is_passed_over_and_told(stage: Stage) {
    let spec = TopicSpec {
        retention: Some(Duration::from_secs(3600)),
        ..TopicSpec::new(TOPIC, 1)
    };
    stage.ensure(&spec).await.expect("a topic");
    stage.publish(0..5).await;
    let mut reader = stage.reader("g").await;
    reader.finish(2).await;
    drop(reader);
    stage.set_on(Duration::from_secs(3601));
    stage.publish(5..7).await;
    let trimmed = async {
        loop {
            let report = stage.engine().inspect(&stage.cx(), TOPIC, None).await;
            if report.expect("a report").partitions[0].start == 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, trimmed)
        .await
        .expect("it is removed");
    assert_eq!(stage.lag("g").await, 2, "what is gone is no lag");
    let mut reader = stage.reader("g").await;
    let told = reader
        .tell(|input| matches!(input, Input::Skipped { .. }))
        .await;
    let skipped = Input::Skipped {
        partition: 0,
        first: 2,
        end: 5,
        cause: Gap::Retention,
    };
    assert_eq!(told, skipped);
    assert_eq!(numbers(&reader.finish(2).await), [5, 6]);
}
