//! What passes over the wire: large calls, every kind of failure, and nobody without a secret.

use crate::stage::{Caller, Process, TOPIC, cx, done, message, take};
use backlot_broker::Options;
use backlot_core::{Clock, Code};
use backlot_messaging::engine::{Receipt, TopicSpec};
use backlot_messaging::{Engine, Error};
use std::time::Duration;

async fn process(folder: &tempfile::TempDir) -> Process {
    let file = folder.path().join("broker.db");
    Process::start(&file, "127.0.0.1:0", Clock::real(), Options::default()).await
}

#[tokio::test]
async fn a_call_larger_than_a_message_of_the_wire_is_one_call_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    let caller = Caller::of(&process.address);
    caller.topic(1).await;
    let large = |id| {
        let mut message = message(id);
        message.record.payload = vec![7; 512 * 1024].into();
        message
    };
    let mut messages: Vec<_> = (0..17).map(large).collect();
    let receipts = caller.remote.append(&cx(), messages.clone()).await.unwrap();
    assert!(
        receipts
            .iter()
            .all(|receipt| matches!(receipt, Receipt::Stored(_)))
    );
    // All or none: the last of them goes nowhere.
    messages[16].topic = "nowhere".into();
    let refused = caller.remote.append(&cx(), messages).await;
    assert!(matches!(refused, Err(Error::UnknownTopic { topic }) if topic == "nowhere"));
    let report = caller.remote.inspect(&cx(), TOPIC, None).await.unwrap();
    assert_eq!(report.partitions[0].head, 17);
    // And back, in as many answers as it takes.
    let mut reader = caller.reader(Duration::from_secs(30)).await;
    let came = take(&mut *reader, 17).await;
    assert!(
        came.iter()
            .all(|delivery| delivery.record.payload.len() == 512 * 1024)
    );
    assert!(reader.settle(done(&came)).await.unwrap().is_empty());
    process.stop().await;
}

#[tokio::test]
async fn many_small_messages_are_settled_in_one_call() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    let caller = Caller::of(&process.address);
    caller.topic(16).await;
    let keyed = |id: u64| {
        let mut message = message(id);
        message.record.key = Some(id.to_string());
        message
    };
    let all = 12_000;
    let messages = (0..all).map(keyed).collect();
    caller.remote.append(&cx(), messages).await.unwrap();
    let mut reader = caller.reader(Duration::from_secs(30)).await;
    let came = take(&mut *reader, usize::try_from(all).unwrap()).await;
    assert!(reader.settle(done(&came)).await.unwrap().is_empty());
    let report = caller
        .remote
        .inspect(&cx(), TOPIC, Some("g"))
        .await
        .unwrap();
    assert!(report.groups[0].partitions.iter().all(|part| part.lag == 0));
    process.stop().await;
}

#[tokio::test]
async fn a_refusal_says_here_what_it_said_there() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    let caller = Caller::of(&process.address);
    caller.topic(2).await;
    let spec = TopicSpec::new(TOPIC, 3);
    let wrong = TopicSpec::new("a b", 1);
    for (here, there) in [
        (
            caller.remote.ensure(&cx(), &spec).await,
            process.log.ensure(&cx(), &spec).await,
        ),
        (
            caller.remote.ensure(&cx(), &wrong).await,
            process.log.ensure(&cx(), &wrong).await,
        ),
    ] {
        let (here, there) = (here.unwrap_err(), there.unwrap_err());
        assert_eq!(format!("{here:?}"), format!("{there:?}"));
    }
    let many = || (0..17_000).map(message).collect();
    let here = caller.remote.append(&cx(), many()).await.unwrap_err();
    let there = process.log.append(&cx(), many()).await.unwrap_err();
    assert_eq!(format!("{here:?}"), format!("{there:?}"));
    process.stop().await;
}

#[tokio::test]
async fn nobody_does_anything_without_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    let stranger = Caller::with(&process.address, [8; 32]);
    let spec = TopicSpec::new(TOPIC, 1);
    for refused in [
        stranger.remote.ensure(&cx(), &spec).await,
        stranger
            .remote
            .append(&cx(), vec![message(1)])
            .await
            .map(drop),
        stranger.remote.inspect(&cx(), TOPIC, None).await.map(drop),
        stranger.remote.pause(&cx(), TOPIC, "g", true).await,
    ] {
        let error = refused.unwrap_err();
        assert!(
            matches!(
                error,
                Error::Refused {
                    code: Code::Unauthenticated,
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(!error.may_have_happened());
    }
    let report = process.log.inspect(&cx(), TOPIC, None).await;
    assert!(matches!(report, Err(Error::UnknownTopic { .. })));
    process.stop().await;
}
