//! Until when a call may take.

use crate::Clients;
use crate::clients::rating;
use crate::probe::{CountRequest, CountResponse, HangRequest, LookRequest, Sight, StreamRequest};
use backlot::core::deadline::hop_reserve;
use backlot::{Code, Context, Error};
use std::time::Duration;
use tokio::time::Instant;

fn hang(name: &str) -> HangRequest {
    HangRequest {
        name: name.to_owned(),
    }
}

pub(super) async fn counted(world: &Clients, name: &str) -> CountResponse {
    let request = CountRequest {
        name: name.to_owned(),
    };
    world.worked("count", world.probe.count(&world.nobody(), request).await)
}

/// Waits until as many calls were given up as began, and one did.
pub(super) async fn all_given_up(world: &Clients, name: &str) {
    world
        .eventually("the handler ends", async || {
            match counted(world, name).await {
                CountResponse {
                    begun: 1,
                    given_up: 1,
                } => Ok(()),
                other => Err(Error::unavailable(format!("{other:?}"))),
            }
        })
        .await;
}

fn remaining(sight: &Sight) -> Duration {
    Duration::from_nanos(sight.remaining_nanos)
}

pub(super) async fn a_deadline_that_has_passed_does_not_run_the_handler(world: &Clients) {
    let passed = |cx: Context| cx.with_timeout(Duration::ZERO);
    let outcome = world
        .probe
        .hang(&passed(world.nobody()), hang("passed"))
        .await;
    world.refused("hang", outcome, Code::DeadlineExceeded);
    assert_eq!(counted(world, "passed").await, CountResponse::default());
    let outcome = world
        .rating
        .put_rating(&passed(world.user("ann")), rating("ann", "passed", 4))
        .await;
    world.refused("put", outcome, Code::DeadlineExceeded);
    assert_eq!(world.aggregate("passed").await.count, 0);
    let request = StreamRequest {
        count: 1,
        ..StreamRequest::default()
    };
    let outcome = world.probe.stream(&passed(world.nobody()), request).await;
    world.refused("stream", outcome, Code::DeadlineExceeded);
    // The first thing that is wrong is told alike everywhere.
    let outcome = world
        .rating
        .put_rating(&passed(world.nobody()), rating("", "", 0))
        .await;
    world.refused("all wrong", outcome, Code::DeadlineExceeded);
}

pub(super) async fn a_deadline_shrinks_at_each_hop(world: &Clients) {
    for asked in [
        Duration::from_millis(900),
        Duration::from_secs(3),
        Duration::from_secs(30),
    ] {
        let cx = world.nobody().with_timeout(asked);
        let sights = world
            .worked("look", world.probe.look(&cx, LookRequest { hops: 5 }).await)
            .sights;
        assert_eq!(sights.len(), 6);
        let mut before = asked;
        for sight in &sights {
            let now = remaining(sight);
            let most = before - hop_reserve(before);
            assert!(
                now <= most,
                "{now:?} of {before:?} are left, at most {most:?} may be"
            );
            before = now;
        }
    }
}

pub(super) async fn a_call_that_hangs_ends_at_its_deadline_and_its_handler_with_it(
    world: &Clients,
) {
    let cx = world.nobody().with_timeout(Duration::from_millis(300));
    let outcome = world.probe.hang(&cx, hang("hangs")).await;
    world.refused("hang", outcome, Code::DeadlineExceeded);
    let late = Instant::now().saturating_duration_since(cx.deadline().instant());
    assert!(late < Duration::from_secs(5), "it ended {late:?} late");
    all_given_up(world, "hangs").await;
}

pub(super) async fn a_caller_that_leaves_ends_the_handler(world: &Clients) {
    {
        let cx = world.nobody().with_timeout(Duration::from_secs(50));
        let call = world.probe.hang(&cx, hang("left"));
        let begun = world.eventually("the handler begins", async || {
            match counted(world, "left").await {
                CountResponse {
                    begun: 1,
                    given_up: 0,
                } => Ok(()),
                other => Err(Error::unavailable(format!("{other:?}"))),
            }
        });
        tokio::select! {
            biased;
            outcome = call => panic!("it ended by itself: {outcome:?}"),
            () = begun => {}
        }
    }
    all_given_up(world, "left").await;
}

pub(super) async fn a_stream_ends_at_its_deadline(world: &Clients) {
    let cx = world.nobody().with_timeout(Duration::from_millis(500));
    let request = StreamRequest {
        count: 3,
        hang: true,
        ..StreamRequest::default()
    };
    let mut stream = world.worked("stream", world.probe.stream(&cx, request).await);
    for number in 1..=3 {
        let item = world.some("an item", stream.next().await);
        assert_eq!(world.worked("an item", item).number, number);
    }
    let end = world.some("its end", stream.next().await);
    world.refused("its end", end, Code::DeadlineExceeded);
    assert!(stream.next().await.is_none());
    assert!(cx.deadline().has_passed() || cx.deadline().remaining() < Duration::from_millis(20));
}

pub(super) async fn no_deadline_is_longer_than_a_minute(world: &Clients) {
    let cx = world.nobody().with_timeout(Duration::from_secs(100_000));
    let sights = world
        .worked("look", world.probe.look(&cx, LookRequest { hops: 1 }).await)
        .sights;
    assert!(
        sights
            .iter()
            .all(|sight| remaining(sight) <= Duration::from_secs(60)),
        "{sights:?}"
    );
    // Nobody has to say how long: there is always a limit.
    let sights = world
        .worked(
            "look",
            world
                .probe
                .look(&world.nobody(), LookRequest { hops: 1 })
                .await,
        )
        .sights;
    assert!(
        sights
            .iter()
            .all(|sight| remaining(sight) <= Duration::from_secs(5)),
        "{sights:?}"
    );
}
