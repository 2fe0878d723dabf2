//! What publishing promises.

use super::stage::{Stage, TOPIC, number, numbers, position, record};
use crate::Error;
use crate::engine::{Outgoing, Receipt, TopicSpec};
use crate::record::MAX_PAYLOAD;
use backlot_core::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) async fn what_is_published_is_delivered_as_it_was(stage: Stage) {
    stage.topic(1).await;
    let mut rich = record(1)
        .with_version(3)
        .with_time(Timestamp(1_234_567))
        .with_header("traceparent", "00-1")
        .with_header("note", "ü \u{1F600} \"quoted\"");
    rich.payload = vec![0, 255, 10, 13].into();
    let plain = crate::Record::bare("2", "somebody", "");
    let outgoing = [rich.clone(), plain.clone()].map(|record| Outgoing::new(TOPIC, record));
    stage.append(outgoing.into()).await.expect("published");
    let mut reader = stage.reader("g").await;
    let delivered = reader.take(2).await;
    assert_eq!(
        [&delivered[0].record, &delivered[1].record],
        [&rich, &plain]
    );
    assert_eq!((delivered[0].starts, delivered[0].attempts), (0, 0));
}

pub(super) async fn messages_of_one_partition_come_in_order(stage: Stage) {
    stage.topic(4).await;
    let mut sent: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for round in 0..10 {
        let ids = round * 30..round * 30 + 30;
        for (id, receipt) in ids.clone().zip(stage.publish(ids).await) {
            let position = position(&receipt);
            let part = sent.entry(position.partition).or_default();
            assert_eq!(position.offset, part.len() as u64, "offsets have no holes");
            part.push(id);
        }
    }
    let mut reader = stage.reader("g").await;
    let mut came: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for delivery in reader.finish(300).await {
        let part = came.entry(delivery.token.partition).or_default();
        assert_eq!(delivery.token.offset, part.len() as u64);
        part.push(number(&delivery));
    }
    assert_eq!(came, sent);
}

pub(super) async fn a_key_stays_in_its_partition_and_no_key_takes_turns(stage: Stage) {
    stage.topic(4).await;
    let same = (0..8).map(|id| Outgoing::new(TOPIC, record(id).with_key("ann")));
    let receipts = stage.append(same.collect()).await.expect("published");
    let wanted = crate::partition::of_key("ann", 4);
    for receipt in &receipts {
        assert_eq!(position(receipt).partition, wanted);
    }
    let keyless = (0..8).map(|id| {
        let mut record = record(id);
        record.key = None;
        Outgoing::new(TOPIC, record)
    });
    let receipts = stage.append(keyless.collect()).await.expect("published");
    let used: BTreeSet<u32> = receipts
        .iter()
        .map(|receipt| position(receipt).partition)
        .collect();
    assert_eq!(used.len(), 4, "no key takes turns");
}

pub(super) async fn many_are_stored_all_or_not_at_all(stage: Stage) {
    stage.topic(1).await;
    let mut outgoing: Vec<Outgoing> = (0..50).map(|id| Outgoing::new(TOPIC, record(id))).collect();
    outgoing.push(Outgoing::new("nowhere", record(50)));
    let refused = stage.append(outgoing.clone()).await;
    assert!(
        matches!(refused, Err(Error::UnknownTopic { .. })),
        "{refused:?}"
    );
    assert_eq!(
        stage.head(0).await,
        0,
        "nothing of a refused call is stored"
    );
    outgoing.pop();
    stage.append(outgoing).await.expect("published");
    assert_eq!(stage.head(0).await, 50);
    assert_eq!(stage.append(Vec::new()).await.expect("nothing is fine"), []);
}

pub(super) async fn an_id_seen_lately_is_a_duplicate(mut stage: Stage) {
    let spec = TopicSpec {
        dedupe: Duration::from_secs(60),
        ..TopicSpec::new(TOPIC, 2)
    };
    stage.ensure(&spec).await.expect("a topic");
    let out = |id| Outgoing::new(TOPIC, record(id)).deduplicated();
    let first = stage
        .append(vec![out(1), out(2), out(1)])
        .await
        .expect("published");
    assert!(
        matches!(
            first[..],
            [Receipt::Stored(_), Receipt::Stored(_), Receipt::Duplicate]
        ),
        "{first:?}"
    );
    stage.restart().await;
    let second = stage.append(vec![out(2), out(3)]).await.expect("published");
    assert!(
        matches!(second[..], [Receipt::Duplicate, Receipt::Stored(_)]),
        "{second:?}"
    );
    stage.set_on(Duration::from_secs(61));
    let third = stage.append(vec![out(2)]).await.expect("published");
    assert!(
        matches!(third[..], [Receipt::Stored(_)]),
        "the window is over: {third:?}"
    );
    let mut reader = stage.reader("g").await;
    let mut came = numbers(&reader.finish(4).await);
    came.sort_unstable();
    assert_eq!(came, [1, 2, 2, 3]);
    reader.nothing().await;
}

pub(super) async fn a_message_comes_when_it_is_due(stage: Stage) {
    stage.topic(1).await;
    let due = stage.after(1000);
    let outgoing = vec![
        Outgoing::new(TOPIC, record(1)).at(due),
        Outgoing::new(TOPIC, record(2)),
        Outgoing::new(TOPIC, record(3)).at(Timestamp(5)),
    ];
    let receipts = stage.append(outgoing).await.expect("published");
    assert_eq!(receipts[0], Receipt::Scheduled);
    let mut reader = stage.reader("g").await;
    assert_eq!(numbers(&reader.finish(3).await), [2, 3, 1]);
    assert!(stage.now() >= due, "it came before it was due");
}

pub(super) async fn a_schedule_survives_a_restart(mut stage: Stage) {
    stage.topic(1).await;
    let due = stage.after(60_000);
    let outgoing = vec![Outgoing::new(TOPIC, record(1)).at(due).deduplicated()];
    stage.append(outgoing.clone()).await.expect("published");
    let again = stage.append(outgoing).await.expect("published");
    assert_eq!(again, [Receipt::Duplicate], "what is scheduled is seen");
    stage.die().await;
    stage.set_on(Duration::from_secs(61));
    let mut reader = stage.reader("g").await;
    assert_eq!(numbers(&reader.finish(1).await), [1]);
    drop(reader);
    stage.die().await;
    assert_eq!(stage.head(0).await, 1, "it is stored once");
}

pub(super) async fn an_unknown_topic_is_named(stage: Stage) {
    let nowhere = vec![Outgoing::new("ratigns", record(1))];
    let refused = stage.append(nowhere).await.expect_err("it is not there");
    assert!(refused.to_string().contains("\"ratigns\""), "{refused}");
    let subscription = super::stage::subscription("g");
    let attached = stage.engine().attach(&stage.cx(), &subscription).await;
    assert!(matches!(attached, Err(Error::UnknownTopic { .. })));
    stage.topic(1).await;
    let unknown = stage
        .engine()
        .inspect(&stage.cx(), TOPIC, Some("nobody"))
        .await;
    assert!(
        matches!(unknown, Err(Error::UnknownGroup { .. })),
        "{unknown:?}"
    );
}

pub(super) async fn an_oversized_record_is_refused_with_the_limit(stage: Stage) {
    stage.topic(1).await;
    let sized = |size| {
        let mut record = record(1);
        record.payload = vec![7; size].into();
        vec![Outgoing::new(TOPIC, record)]
    };
    let refused = stage
        .append(sized(MAX_PAYLOAD + 1))
        .await
        .expect_err("too large");
    assert!(
        refused.to_string().contains(&MAX_PAYLOAD.to_string()),
        "{refused}"
    );
    stage
        .append(sized(MAX_PAYLOAD))
        .await
        .expect("the limit itself is fine");
    let mut reader = stage.reader("g").await;
    assert_eq!(reader.finish(1).await[0].record.payload.len(), MAX_PAYLOAD);
}

pub(super) async fn the_number_of_partitions_never_changes(stage: Stage) {
    stage.topic(2).await;
    let refused = stage.ensure(&TopicSpec::new(TOPIC, 3)).await;
    assert!(
        matches!(
            refused,
            Err(Error::Partitions {
                has: 2,
                wanted: 3,
                ..
            })
        ),
        "{refused:?}"
    );
    for (name, partitions) in [("", 1), ("a b", 1), ("ok", 0), ("ok", 5000)] {
        let refused = stage.ensure(&TopicSpec::new(name, partitions)).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    }
}
