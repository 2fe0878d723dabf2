//! What becomes of messages that fail.

use super::stage::{Stage, TOPIC, numbers, record, subscription};
use crate::Error;
use crate::caps::{Durability, Needs};
use crate::engine::{Failure, Outgoing, Settle, Subscription, TopicSpec};
use std::time::Duration;

const DEAD: &str = "events.g.dlq";

fn failure(message: &str) -> Failure {
    Failure {
        at_ms: 7,
        class: "transient".into(),
        message: message.into(),
    }
}

pub(super) async fn a_retry_comes_at_its_time_with_its_failures(stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..3).await;
    let mut reader = stage.reader("g").await;
    let taken = reader.take(3).await;
    let at = stage.after(250);
    let retry = Settle::Retry {
        at,
        failure: Some(failure("first")),
    };
    reader.settle(taken[0].token, retry).await;
    reader.done(&taken[1..]).await;
    let again = reader.take(1).await;
    assert!(stage.now() >= at, "it came before its time");
    assert_eq!((numbers(&again), again[0].attempts), (vec![0], 1));
    let retry = Settle::Retry {
        at: stage.now(),
        failure: Some(failure("second")),
    };
    reader.settle(again[0].token, retry).await;
    let again = reader.take(1).await;
    assert_eq!(again[0].attempts, 2);
    assert_eq!(again[0].failures, [failure("first"), failure("second")]);
    reader.done(&again).await;
    reader.nothing().await;
    assert_eq!(stage.lag("g").await, 0);
}

pub(super) async fn a_retry_survives_a_restart(mut stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..2).await;
    let mut reader = stage.reader("g").await;
    let taken = reader.take(2).await;
    let retry = Settle::Retry {
        at: stage.after(3_600_000),
        failure: Some(failure("before")),
    };
    reader.settle(taken[0].token, retry).await;
    reader.done(&taken[1..]).await;
    drop(reader);
    stage.die().await;
    let report = stage
        .engine()
        .inspect(&stage.cx(), TOPIC, Some("g"))
        .await
        .expect("a report");
    assert_eq!(report.groups[0].partitions[0].retrying, 1);
    let mut reader = stage.reader("g").await;
    reader.nothing().await;
    stage.set_on(Duration::from_secs(3_601));
    let again = reader.take(1).await;
    assert_eq!(
        (again[0].attempts, &*again[0].failures),
        (1, &[failure("before")][..])
    );
    reader.done(&again).await;
    assert_eq!(stage.lag("g").await, 0);
}

pub(super) async fn later_is_no_attempt(stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..1).await;
    let mut reader = stage.reader("g").await;
    for _ in 0..3 {
        let taken = reader.take(1).await;
        assert_eq!((taken[0].attempts, taken[0].starts), (0, 0));
        let later = Settle::Retry {
            at: stage.after(20),
            failure: None,
        };
        reader.settle(taken[0].token, later).await;
    }
    reader.finish(1).await;
}

pub(super) async fn a_failed_message_stays_out_and_its_attempt_is_counted(stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..3).await;
    let mut reader = stage.reader("g").await;
    let taken = reader.take(3).await;
    let token = taken[0].token;
    reader.settle(token, Settle::Failed(failure("first"))).await;
    reader.done(&taken[1..]).await;
    reader.nothing().await;
    assert_eq!(stage.lag("g").await, 1, "it is out");
    // It may fail again, and what is told twice counts once.
    reader
        .settle(token, Settle::Failed(failure("second")))
        .await;
    reader
        .settle(token, Settle::Failed(failure("second")))
        .await;
    let retry = Settle::Retry {
        at: stage.now(),
        failure: None,
    };
    reader.settle(token, retry).await;
    let again = reader.take(1).await;
    assert_eq!(again[0].attempts, 2);
    assert_eq!(again[0].failures, [failure("first"), failure("second")]);
    reader.settle(token, Settle::Failed(failure("third"))).await;
    reader.done(&again).await;
    assert_eq!(stage.lag("g").await, 0, "what failed can be done later");
}

pub(super) async fn what_failed_and_came_to_its_end_in_one_call_is_at_its_end(stage: Stage) {
    stage.topic(1).await;
    let dead = TopicSpec::new(DEAD, 1);
    stage.ensure(&dead).await.expect("the topic is made");
    stage.publish(0..4).await;
    let mut reader = stage.reader("g").await;
    let taken = reader.take(4).await;
    let failed = |what| Settle::Failed(failure(what));
    let letter = Outgoing::new(DEAD, record(1));
    let at = stage.now();
    let retry = Settle::Retry {
        at,
        failure: Some(failure("second")),
    };
    let ends = [
        Settle::Done,
        Settle::Dead(Box::new(letter)),
        retry,
        failed("second"),
    ];
    let settles = taken.iter().zip(ends);
    let settles = settles.flat_map(|(delivery, end)| {
        let token = delivery.token;
        [(token, failed("first")), (token, end)]
    });
    reader.settle_all(settles.collect()).await;
    let again = reader.take(1).await;
    assert_eq!((numbers(&again), again[0].attempts), (vec![2], 2));
    reader.done(&again).await;
    assert_eq!(stage.lag("g").await, 1, "the last one is out still");
    reader.done(&taken[3..]).await;
    assert_eq!(stage.lag("g").await, 0);
    let mut letters = stage.attach(&Subscription::new(DEAD, "people")).await;
    assert_eq!(numbers(&letters.take(1).await), [1]);
}

pub(super) async fn a_failed_message_comes_before_its_later_neighbours_after_a_death(
    mut stage: Stage,
) {
    stage.topic(1).await;
    stage.publish(0..4).await;
    let mut reader = stage.reader("g").await;
    let taken = reader.take(4).await;
    reader.done(&taken[..1]).await;
    let failed = Settle::Failed(failure("before"));
    reader.settle(taken[1].token, failed).await;
    drop(reader);
    stage.die().await;
    let mut reader = stage.reader("g").await;
    let again = reader.finish(3).await;
    assert_eq!(numbers(&again), [1, 2, 3]);
    assert_eq!(
        (again[0].attempts, &*again[0].failures),
        (1, &[failure("before")][..])
    );
}

pub(super) async fn a_failed_message_comes_before_its_later_neighbours_to_another_member(
    mut stage: Stage,
) {
    stage.topic(1).await;
    stage.publish(0..6).await;
    let mut reader = stage.reader("g").await;
    reader.take(4).await;
    drop(reader);
    stage.die().await;
    // Asked for one by one, each comes alone now; one that failed does not keep the next from coming.
    let mut reader = stage.reader("g").await;
    let first = reader.take(1).await;
    let failed = Settle::Failed(failure("before"));
    reader.settle(first[0].token, failed).await;
    let second = reader.take(1).await;
    assert_eq!((numbers(&first), numbers(&second)), (vec![0], vec![1]));
    reader.close().await;
    let mut reader = stage.reader("g").await;
    let again = reader.finish(6).await;
    assert_eq!(numbers(&again), [0, 1, 2, 3, 4, 5]);
    assert_eq!(again[0].attempts, 1);
    assert_eq!(stage.lag("g").await, 0);
}

pub(super) async fn a_dead_letter_and_its_acknowledgement_are_one(mut stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..2).await;
    let mut reader = stage.reader("g").await;
    let taken = reader.take(2).await;
    let letter = Outgoing::new(DEAD, record(0).with_header("dlq-class", "permanent"));
    let dead = |token| vec![(token, Settle::Dead(Box::new(letter.clone())))];
    let refused = reader.source.settle(dead(taken[0].token)).await;
    assert!(
        matches!(refused, Err(Error::UnknownTopic { .. })),
        "{refused:?}"
    );
    assert_eq!(
        stage.lag("g").await,
        2,
        "without a letter there is no acknowledgement"
    );
    stage
        .ensure(&TopicSpec::new(DEAD, 1))
        .await
        .expect("a topic");
    assert_eq!(
        reader
            .source
            .settle(dead(taken[0].token))
            .await
            .expect("settled"),
        []
    );
    assert_eq!(stage.lag("g").await, 1);
    // Told twice, it is one letter.
    assert_eq!(
        reader
            .source
            .settle(dead(taken[0].token))
            .await
            .expect("settled"),
        []
    );
    drop(reader);
    stage.die().await;
    let mut letters = stage
        .attach(&Subscription {
            topic: DEAD.into(),
            ..subscription("people")
        })
        .await;
    let came = letters.finish(1).await;
    assert_eq!(came[0].record, letter.record);
    letters.nothing().await;
    let mut reader = stage.reader("g").await;
    assert_eq!(numbers(&reader.finish(1).await), [1]);
}

pub(super) async fn settling_twice_changes_nothing(stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..3).await;
    let mut reader = stage.reader("g").await;
    let taken = reader.take(3).await;
    let retry = Settle::Retry {
        at: stage.after(3_600_000),
        failure: Some(failure("once")),
    };
    let all = vec![
        (taken[0].token, Settle::Done),
        (taken[0].token, Settle::Done),
        (taken[1].token, retry.clone()),
        (taken[1].token, Settle::Done),
    ];
    assert_eq!(
        reader.source.settle(all.clone()).await.expect("settled"),
        []
    );
    assert_eq!(reader.source.settle(all).await.expect("settled"), []);
    assert_eq!(stage.lag("g").await, 2, "the first word counts");
    assert_eq!(
        reader
            .source
            .settle(Vec::new())
            .await
            .expect("nothing is fine"),
        []
    );
}

pub(super) async fn a_subscription_that_needs_more_is_refused(stage: Stage) {
    stage.topic(1).await;
    let caps = stage.engine().caps();
    let needs = |durability| Subscription {
        needs: Needs {
            durability,
            ..Needs::default()
        },
        ..subscription("g")
    };
    if caps.durability < Durability::Replicated {
        let refused = stage
            .engine()
            .attach(&stage.cx(), &needs(Durability::Replicated))
            .await;
        let text = refused.expect_err("it is refused").to_string();
        assert!(
            text.contains(caps.name) && text.contains("replicated"),
            "{text}"
        );
    }
    stage.attach(&needs(caps.durability)).await;
}
