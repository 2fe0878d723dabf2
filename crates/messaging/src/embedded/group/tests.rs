//! How partitions are shared.

use super::*;
use crate::embedded::repository::topics::{Range, Stored};
use crate::engine::TopicSpec;
use crate::telemetry::OfTopic;
use backlot_service::Metrics;
use proptest::prelude::*;

fn group(partitions: u32) -> Group {
    let metrics = Metrics::new();
    let stored = Stored {
        id: 1,
        spec: TopicSpec::new("t", partitions),
        incarnation: 1,
    };
    let empty = Range {
        first: 0,
        head: 0,
        bytes: 0,
    };
    let ranges = vec![empty; partitions as usize];
    let topic = Topic::new(stored, &ranges, OfTopic::new(&metrics, "t"));
    let telemetry = OfGroup::new(&metrics, "t", "g");
    let stored = crate::embedded::repository::cursors::Stored {
        id: 1,
        name: "g".to_owned(),
        is_paused: false,
        is_ephemeral: false,
    };
    Group::new(stored, Arc::new(topic), telemetry)
}

fn targets(group: &Group) -> Vec<Option<u64>> {
    let state = group.state.lock();
    state.parts.iter().map(|part| part.target).collect()
}

fn loads(group: &Group, members: &[u64]) -> Vec<usize> {
    let targets = targets(group);
    let load = |member: &u64| {
        targets
            .iter()
            .filter(|target| **target == Some(*member))
            .count()
    };
    members.iter().map(load).collect()
}

fn join(group: &Group) -> u64 {
    group.join(Subscription::new("t", "g"))
}

proptest! {
    #[test]
    fn shares_differ_by_one_at_most_and_no_more_moves_than_must(
        partitions in 1u32..30, steps in proptest::collection::vec(0usize..8, 1..20)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime");
        let _in_it = runtime.enter();
        let group = group(partitions);
        let mut members = vec![join(&group)];
        for step in steps {
            let before = targets(&group);
            let mut gone = None;
            if step < 5 || members.len() == 1 {
                members.push(join(&group));
            } else {
                let member = members.remove(step % members.len());
                group.leave(member, false);
                gone = Some(member);
            }
            let loads = loads(&group, &members);
            let (most, least) = (loads.iter().max(), loads.iter().min());
            prop_assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{loads:?}");
            prop_assert_eq!(loads.iter().sum::<usize>(), partitions as usize);
            let moved = before.iter().zip(targets(&group)).filter(|(old, new)| **old != *new);
            // What moves is what the one who came gets, or the one who went had.
            let must = match gone {
                Some(gone) => before.iter().filter(|target| **target == Some(gone)).count(),
                None => *loads.last().unwrap_or(&0),
            };
            prop_assert!(moved.count() <= must, "{before:?} {:?}", targets(&group));
        }
    }
}
