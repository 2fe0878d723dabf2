//! Groups that end, and what operators see of those there are.

use super::stage::{PATIENCE, Stage, TOPIC, numbers, subscription};
use crate::Error;
use crate::engine::TopicSpec;
use std::time::Duration;

/// The names of the groups of the suite's topic.
async fn groups(stage: &Stage) -> Vec<String> {
    let report = stage.engine().inspect(&stage.cx(), TOPIC, None).await;
    let groups = report.expect("a report").groups.into_iter();
    groups.map(|group| group.group).collect()
}

async fn forget(stage: &Stage, group: &str) -> Result<(), Error> {
    stage.engine().forget(&stage.cx(), TOPIC, group).await
}

pub(super) async fn topics_are_listed_with_their_groups(stage: Stage) {
    let mut spec = TopicSpec::new("another", 3);
    spec.retention = Some(Duration::from_secs(60));
    stage.ensure(&spec).await.expect("a topic");
    stage.topic(2).await;
    for group in ["b", "a"] {
        stage.reader(group).await.close().await;
    }
    let topics = stage.engine().topics(&stage.cx()).await.expect("a list");
    assert_eq!(topics.len(), 2);
    assert_eq!((&topics[0].spec, topics[0].groups.len()), (&spec, 0));
    assert_eq!(
        (&*topics[1].spec.name, topics[1].spec.partitions),
        (TOPIC, 2)
    );
    assert_eq!(topics[1].groups, ["a", "b"]);
}

pub(super) async fn a_forgotten_group_begins_anew(mut stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..3).await;
    let mut reader = stage.reader("g").await;
    reader.finish(2).await;
    reader.close().await;
    forget(&stage, "g").await.expect("forgotten");
    assert_eq!(groups(&stage).await, [""; 0]);
    let again = forget(&stage, "g").await;
    assert!(
        matches!(again, Err(Error::UnknownGroup { .. })),
        "{again:?}"
    );
    let mut reader = stage.reader("g").await;
    assert_eq!(numbers(&reader.finish(3).await), [0, 1, 2]);
    reader.close().await;
    stage.restart().await;
    assert_eq!(groups(&stage).await, ["g"]);
}

pub(super) async fn a_group_with_members_is_not_forgotten(stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..2).await;
    let mut reader = stage.reader("g").await;
    let taken = reader.take(1).await;
    let refused = forget(&stage, "g").await.expect_err("it is refused");
    let text = refused.to_string();
    assert!(text.contains("\"g\"") && text.contains('1'), "{text}");
    // Nothing happened to it.
    reader.done(&taken).await;
    assert_eq!(numbers(&reader.finish(1).await), [1]);
}

pub(super) async fn an_ephemeral_group_ends_with_its_last_member(stage: Stage) {
    stage.topic(2).await;
    stage.publish(0..2).await;
    let mut one = stage.attach(&subscription("e").ephemeral()).await;
    let other = stage.attach(&subscription("e").ephemeral()).await;
    one.some(1).await;
    assert_eq!(groups(&stage).await, ["e"]);
    one.close().await;
    assert_eq!(groups(&stage).await, ["e"], "one member is left");
    other.close().await;
    assert_eq!(groups(&stage).await, [""; 0]);
    let mut again = stage.attach(&subscription("e").ephemeral()).await;
    again.finish(2).await;
}

pub(super) async fn an_ephemeral_group_whose_process_died_ends_when_its_lease_is_long_over(
    mut stage: Stage,
) {
    stage.topic(1).await;
    let lasting = stage.reader("lasting").await;
    let reader = stage.attach(&subscription("e").ephemeral()).await;
    drop((lasting, reader));
    stage.die().await;
    // It may be on its way back.
    let mut reader = stage.attach(&subscription("e").ephemeral()).await;
    stage.publish(0..1).await;
    reader.finish(1).await;
    // As long as it has a member it stays, however long that is silent.
    stage.set_on(Duration::from_secs(3600));
    reader.nothing().await;
    assert_eq!(groups(&stage).await, ["e", "lasting"]);
    drop(reader);
    stage.die().await;
    assert_eq!(groups(&stage).await, ["e", "lasting"]);
    stage.set_on(Duration::from_secs(3600));
    let gone = async {
        while groups(&stage).await != ["lasting"] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("it is removed");
}

pub(super) async fn a_group_stays_what_its_first_member_made_it(stage: Stage) {
    stage.topic(1).await;
    for (first, second) in [
        (subscription("l"), subscription("l").ephemeral()),
        (subscription("e").ephemeral(), subscription("e")),
    ] {
        let reader = stage.attach(&first).await;
        let refused = stage.engine().attach(&stage.cx(), &second).await;
        let text = refused.expect_err("it is refused").to_string();
        assert!(text.starts_with("ephemeral"), "{text}");
        reader.close().await;
    }
    assert_eq!(groups(&stage).await, ["l"]);
}
