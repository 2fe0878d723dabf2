//! Time to live, restarts and outages of the embedded registry.

use crate::net::Memory;
use crate::world::{Process, ids, instance, until, until_set};
use backlot_cluster::{Registry, Status};
use backlot_core::discovery::Resolver;
use backlot_core::env::Phase;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn an_instance_that_dies_without_a_word_is_gone_after_its_time_to_live() {
    let net = Memory::default();
    let [registry, dying, watching] = [1, 2, 3].map(|seed| Process::new(&net, seed));
    registry.serve().await;
    let registration = dying.client().register(instance("rating", "rating-1"));
    registration.registered().await;
    let mut watch = watching.client().watch("rating");
    until(&mut watch, "rating-1").await;
    dying.kill().await;
    let took = until(&mut watch, "").await;
    // The last heartbeat was at most 1.1 s before the death.
    assert!((1_800..=3_500).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_an_instance_for_as_long_as_they_come() {
    let net = Memory::default();
    let [registry, rating, watching] = [1, 2, 3].map(|seed| Process::new(&net, seed));
    registry.serve().await;
    let registration = rating.client().register(instance("rating", "rating-1"));
    let mut watch = watching.client().watch("rating");
    until(&mut watch, "rating-1").await;
    watch.mark_unchanged();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(!watch.has_changed().unwrap(), "{:?}", *watch.borrow());
    assert_eq!(registration.status(), Status::Registered);
}

#[tokio::test(start_paused = true)]
async fn a_deregistered_instance_is_gone_for_every_watcher_at_once() {
    let net = Memory::default();
    let [registry, rating, watching] = [1, 2, 3].map(|seed| Process::new(&net, seed));
    registry.serve().await;
    let registration = rating.client().register(instance("rating", "rating-1"));
    let mut watch = watching.client().watch("rating");
    until(&mut watch, "rating-1").await;
    registration.deregister().await;
    let took = until(&mut watch, "").await;
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_last_set_is_kept_for_ever_while_the_registry_is_away() {
    let net = Memory::default();
    let [registry, rating, watching] = [1, 2, 3].map(|seed| Process::new(&net, seed));
    registry.serve().await;
    let registration = rating.client().register(instance("rating", "rating-1"));
    let mut watch = watching.client().watch("rating");
    until(&mut watch, "rating-1").await;
    registry.kill().await;
    until_set(&mut watch, "stale", |set| set.stale).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(ids(&watch.borrow()), "rating-1");
    assert!(watch.borrow().stale);
    assert_eq!(registration.status(), Status::Unreachable);
    // The registry comes back, and with it everything by itself.
    let again = Process::new(&net, 4);
    again.serve().await;
    let took = until_set(&mut watch, "fresh", |set| !set.stale).await;
    assert!(took <= Duration::from_secs(1), "{took:?}");
    let mut other = again.client().watch("rating");
    let took = until(&mut other, "rating-1").await;
    assert!(took <= Duration::from_secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_restarted_registry_makes_nobody_disappear() {
    let net = Memory::default();
    let [registry, first, second, watching] = [1, 2, 3, 4].map(|seed| Process::new(&net, seed));
    registry.serve().await;
    let _first = first.client().register(instance("rating", "a"));
    let _second = second.client().register(instance("rating", "b"));
    let mut watch = watching.client().watch("rating");
    until(&mut watch, "a b").await;

    // The second instance dies in the same moment as the registry.
    registry.kill().await;
    second.kill().await;
    let again = Process::new(&net, 5);
    again.serve().await;
    let mut seen = watch.clone();
    let lost_a = async {
        // Never ends: a is there all the time.
        seen.wait_for(|set| !ids(set).starts_with('a'))
            .await
            .map(drop)
            .unwrap();
    };
    let took = tokio::select! {
        biased;
        () = lost_a => panic!("the living instance disappeared"),
        took = until(&mut watch, "a") => took,
    };
    // A time to live and a second after the first contact with the new run.
    assert!((4_000..=5_200).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stops_takes_back_what_it_announced() {
    let net = Memory::default();
    let [registry, rating, watching] = [1, 2, 3].map(|seed| Process::new(&net, seed));
    registry.serve().await;
    let _kept = rating.client().register(instance("rating", "rating-1"));
    let mut watch = watching.client().watch("rating");
    until(&mut watch, "rating-1").await;
    rating.env.shutdown.advance(Phase::Stopped);
    let took = until(&mut watch, "").await;
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert!(
        rating
            .tasks
            .shutdown(Duration::from_secs(5))
            .await
            .aborted
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_registry_refuses_is_told() {
    let net = Memory::default();
    let [registry, rating] = [1, 2].map(|seed| Process::new(&net, seed));
    registry.serve().await;
    let registration = rating.client().register(instance("rating", "not an id"));
    let mut status = registration.watch();
    let refused = status
        .wait_for(|status| matches!(status, Status::Refused(_)))
        .await
        .unwrap()
        .clone();
    let Status::Refused(why) = refused else {
        unreachable!()
    };
    assert!(why.contains("id: must be 1 to 128 letters"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn deregistering_without_a_registry_gives_up_in_time() {
    let net = Memory::default();
    let rating = Process::new(&net, 1);
    let registration = rating.client().register(instance("rating", "rating-1"));
    let outcome = tokio::time::timeout(Duration::from_secs(4), registration.deregister()).await;
    assert!(outcome.is_ok());
}
