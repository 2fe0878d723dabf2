//! Where calls go.

use super::*;
use crate::policy::Rule;
use std::collections::BTreeSet;

fn shares(callees: &[Callee]) -> Vec<usize> {
    callees.iter().map(|callee| callee.seen().len()).collect()
}

async fn by(rule: Rule, callees: &[Callee], zone: impl Fn(usize) -> Option<&'static str>) -> World {
    let knobs = Knobs::default();
    let world = world_of(&callees.iter().collect::<Vec<_>>(), knobs, zone).await;
    world.set(|policy| policy.balance.rule = rule);
    world
}

#[tokio::test]
async fn a_slow_instance_loses_its_calls() {
    let callees = [(); 4].map(|()| Callee::doing([Does::Takes(Duration::from_millis(1))]));
    callees[0].does(Does::Takes(Duration::from_millis(40)));
    let world = by(Rule::LeastBusy, &callees, |_| None).await;
    for _ in 0..40 {
        let calls = futures_util::future::join_all((0..8).map(|_| world.call(0)));
        assert!(calls.await.iter().all(Result::is_ok));
    }
    let shares = shares(&callees);
    // A quarter would be 80; it has one whenever the others have several.
    assert!(shares[0] < 48, "{shares:?}");
}

#[tokio::test]
async fn one_that_is_dead_gets_no_second_call_while_another_lives() {
    let (dead, well) = (Callee::doing([Does::Closes]), Callee::default());
    let world = world(&[&dead, &well]).await;
    // It takes connections, and drops each with its first call.
    assert_eq!(world.calls(0, 300).await, 0);
    assert!(dead.seen().len() <= 1, "{:?}", dead.seen());
}

#[tokio::test]
async fn one_that_stops_to_answer_gets_no_more_once_its_first_is_late() {
    let (stuck, well) = (Callee::doing([Does::Dawdles]), Callee::default());
    let world = world(&[&stuck, &well]).await;
    let mut waiting = Vec::new();
    while stuck.seen().is_empty() {
        let mut call = Box::pin(world.call(0));
        let answered = tokio::time::timeout(Duration::from_millis(50), &mut call);
        if answered.await.is_err() {
            waiting.push(call);
        }
    }
    assert_eq!(world.calls(0, 500).await, 0);
    assert_eq!(stuck.seen().len(), 1);
}

#[tokio::test]
async fn one_after_the_other_gets_as_many_as_each() {
    let callees = [(); 4].map(|()| Callee::default());
    let world = by(Rule::RoundRobin, &callees, |_| None).await;
    assert_eq!(world.calls(0, 100).await, 0);
    assert_eq!(shares(&callees), [25; 4]);
}

#[tokio::test]
async fn what_is_about_the_same_goes_to_the_same_instance() {
    let callees = [(); 4].map(|()| Callee::default());
    let world = by(Rule::ConsistentHash, &callees, |_| None).await;
    assert_eq!(world.calls(0, 40).await, 0);
    let mut alike = shares(&callees);
    alike.sort_unstable();
    assert_eq!(alike, [0, 0, 0, 40], "the same request");
    for key in 0..200u32 {
        let cx = Context::background().with_affinity(key.to_le_bytes());
        for _ in 0..2 {
            world.call_as(0, &cx).await.unwrap();
        }
    }
    let shares = shares(&callees);
    assert!(shares.iter().all(|share| *share >= 40), "{shares:?}");
    // Pairs went to the same.
    assert!(shares.iter().all(|share| share % 2 == 0), "{shares:?}");
}

#[tokio::test]
async fn a_key_that_all_ask_for_is_shared_by_the_next() {
    let callees = [(); 4].map(|()| Callee::doing([Does::Takes(Duration::from_millis(20))]));
    let world = by(Rule::ConsistentHash, &callees, |_| None).await;
    let calls = futures_util::future::join_all((0..64).map(|_| world.call(0)));
    assert!(calls.await.iter().all(Result::is_ok));
    let shares = shares(&callees);
    // A quarter more than 16 of 64, and the one that makes them whole.
    assert!(shares.iter().all(|share| *share <= 21), "{shares:?}");
}

#[tokio::test]
async fn calls_stay_in_their_zone_unless_it_is_much_busier() {
    let time = Duration::from_millis(2);
    let callees = [(); 4].map(|()| Callee::doing([Does::Takes(time)]));
    let zone = |number| Some(if number < 2 { "here" } else { "there" });
    let world = by(Rule::LeastBusy, &callees, zone).await;
    // The first few find out how long an answer takes anywhere.
    assert_eq!(world.calls(0, 200).await, 0);
    let far = |callees: &[Callee]| callees[2].seen().len() + callees[3].seen().len();
    assert!(far(&callees) <= 20, "{:?}", shares(&callees));
    // Twice as busy is too busy.
    let calls = futures_util::future::join_all((0..60).map(|_| world.call(0)));
    assert!(calls.await.iter().all(Result::is_ok));
    assert!(far(&callees) >= 12, "{:?}", shares(&callees));
    let before = far(&callees);
    for callee in &callees[..2] {
        callee.does(Does::Fails(Code::Unavailable));
    }
    assert_eq!(world.calls(0, 100).await, 0, "they are repeated elsewhere");
    assert!(far(&callees) - before >= 100, "{:?}", shares(&callees));
}

#[tokio::test]
async fn a_client_of_many_instances_connects_to_some() {
    let callees = [(); 12].map(|()| Callee::default());
    let knobs = Knobs::default();
    let world = world_of(&callees.iter().collect::<Vec<_>>(), knobs, |_| None).await;
    assert_eq!(world.endpoints("ready"), 12);
    world.set(|policy| policy.balance.subset = 4);
    world
        .until("four are left", |world| world.endpoints("ready") == 4)
        .await;
    let chosen: BTreeSet<_> = world
        .remote
        .0
        .way
        .endpoints
        .addresses()
        .into_iter()
        .collect();
    assert_eq!(world.calls(0, 60).await, 0);
    assert_eq!(
        callees
            .iter()
            .filter(|callee| !callee.seen().is_empty())
            .count(),
        4
    );
    // One of its own leaves: another takes its place, and the rest stays.
    let instances = world.instances.borrow().instances.to_vec();
    let gone = chosen.first().unwrap();
    let rest = instances
        .into_iter()
        .filter(|instance| instance.address != *gone);
    world
        .instances
        .send_replace(InstanceSet::new(rest.collect()));
    let changed = |world: &World| !world.remote.0.way.endpoints.addresses().contains(gone);
    world.until("it is gone", changed).await;
    let after: BTreeSet<_> = world
        .remote
        .0
        .way
        .endpoints
        .addresses()
        .into_iter()
        .collect();
    assert_eq!(after.len(), 4);
    assert_eq!(after.intersection(&chosen).count(), 3);
}
