//! Who gets no calls for a while, and what is not sent at all.

use super::*;

/// Ejects for milliseconds and charges little for failures, so that tests take no longer.
fn quick() -> Knobs {
    let mut policy = Policy::default();
    policy.eject.shortest = Duration::from_millis(20);
    policy.eject.longest = Duration::from_millis(40);
    policy.balance.rule = crate::policy::Rule::RoundRobin;
    Knobs::new(policy)
}

async fn quick_world(callees: &[&Callee]) -> World {
    world_of(callees, quick(), |_| None).await
}

fn ejections(world: &World, why: &str) -> u64 {
    world.metrics.counter(&EJECTED, ["t", why]).get()
}

#[tokio::test]
async fn one_that_fails_gets_five_calls_and_then_one_now_and_then() {
    let sick = Callee::doing([Does::Fails(Code::Unavailable)]);
    let (well, fine) = (Callee::default(), Callee::default());
    let world = quick_world(&[&sick, &well, &fine]).await;
    world.set(|policy| {
        policy.eject.shortest = Duration::from_secs(600);
        policy.eject.longest = Duration::from_secs(600);
    });
    assert_eq!(world.calls(1, 600).await, 5);
    assert_eq!(sick.seen().len(), 5);
    assert_eq!(world.endpoints("ejected"), 1);
    assert_eq!(ejections(&world, "failures in a row"), 1);
}

#[tokio::test]
async fn it_is_tried_by_one_call_and_comes_back_little_by_little() {
    let sick = Callee::doing([Does::Fails(Code::Unavailable)]);
    let (well, fine) = (Callee::default(), Callee::default());
    let world = quick_world(&[&sick, &well, &fine]).await;
    world.set(|policy| policy.eject.ramp = Duration::from_secs(600));
    // Reads try it, and are repeated elsewhere.
    while ejections(&world, "failed again when tried") < 3 {
        assert_eq!(world.calls(0, 10).await, 0);
    }
    assert!(sick.seen().len() <= 5 + 4, "{}", sick.seen().len());
    sick.does(Does::Answers);
    let calling = async {
        while world.endpoints("ejected") > 0 {
            assert_eq!(world.calls(0, 10).await, 0);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), calling)
        .await
        .unwrap();
    let before = sick.seen().len();
    world.calls(0, 600).await;
    let got = sick.seen().len() - before;
    // A tenth of its third.
    assert!((2..=60).contains(&got), "{got} of 600");
}

#[tokio::test]
async fn no_more_than_half_are_ejected() {
    let sick = [(); 3].map(|()| Callee::doing([Does::Fails(Code::Internal)]));
    let well = Callee::default();
    let world = quick_world(&[&sick[0], &sick[1], &sick[2], &well]).await;
    world.set(|policy| {
        policy.eject.longest = Duration::from_secs(600);
        policy.eject.shortest = Duration::from_secs(600);
    });
    world.calls(1, 100).await;
    assert_eq!(world.endpoints("ejected"), 2);
    assert!(ejections(&world, "spared") > 0);
}

#[tokio::test]
async fn where_fewer_than_half_are_well_all_are_called() {
    let sick = [(); 2].map(|()| Callee::doing([Does::Fails(Code::Internal)]));
    let (well, gone) = (Callee::default(), Callee::default());
    let world = quick_world(&[&sick[0], &sick[1], &well, &gone]).await;
    world.set(|policy| {
        policy.eject.longest = Duration::from_secs(600);
        policy.eject.shortest = Duration::from_secs(600);
    });
    world.calls(1, 60).await;
    assert_eq!(world.endpoints("ejected"), 2);
    for callee in &sick {
        callee.does(Does::Answers);
    }
    let before = sick[0].seen().len();
    assert_eq!(world.calls(1, 60).await, 0);
    assert_eq!(sick[0].seen().len(), before);
    // One of the two that are in goes as well, and does not come back.
    gone.goes();
    world
        .until("it is gone", |world| world.endpoints("ready") == 1)
        .await;
    assert_eq!(world.calls(1, 60).await, 0);
    assert!(sick[0].seen().len() - before >= 15);
}

#[tokio::test]
async fn it_is_switched_off_while_it_runs() {
    let (sick, well) = (
        Callee::doing([Does::Fails(Code::Internal)]),
        Callee::default(),
    );
    let world = quick_world(&[&sick, &well]).await;
    world.set(|policy| {
        policy.eject.longest = Duration::from_secs(600);
        policy.eject.shortest = Duration::from_secs(600);
    });
    assert_eq!(world.calls(1, 100).await, 5);
    world.set(|policy| policy.eject.on = false);
    assert_eq!(world.calls(1, 100).await, 50);
}

#[tokio::test]
async fn a_callee_that_accepts_none_gets_a_fifth() {
    let callee = Callee::doing([Does::Fails(Code::Unavailable)]);
    let world = quick_world(&[&callee]).await;
    world.calls(1, 1000).await;
    let before = callee.seen().len();
    let error = world.calls(1, 1000).await;
    assert_eq!(error, 1000);
    let sent = callee.seen().len() - before;
    assert!((120..300).contains(&sent), "{sent} of 1000");
    let held = world
        .metrics
        .counter(&NOT_SENT, ["t.T", "Write", "throttled"])
        .get();
    assert_eq!(held as usize, 2000 - callee.seen().len());
    // What was held back was not made.
    callee.does(Does::Answers);
    let mut made = 0;
    for _ in 0..200 {
        match world.call(1).await {
            Ok(_) => made += 1,
            Err(error) => assert!(!crate::was_made(&error)),
        }
    }
    assert!(made > 100, "ten that are accepted end it: {made}");
}

#[tokio::test]
async fn calls_that_reach_nobody_hold_nothing_back() {
    let callee = Callee::default();
    let world = quick_world(&[&callee]).await;
    callee.goes();
    world
        .until("it is gone", |world| world.endpoints("ready") == 0)
        .await;
    assert_eq!(world.calls(1, 2000).await, 2000);
    let held = world
        .metrics
        .counter(&NOT_SENT, ["t.T", "Write", "throttled"])
        .get();
    assert_eq!(held, 0);
}

#[tokio::test]
async fn nothing_is_made_again_while_calls_are_held_back() {
    let callee = Callee::doing([Does::Fails(Code::Unavailable)]);
    let world = quick_world(&[&callee]).await;
    // More than a client may repeat in any case.
    world.set(|policy| policy.retry.share = 100);
    world.calls(0, 1000).await;
    let made = world.count("Read", "made");
    world.calls(0, 1000).await;
    assert_eq!(world.count("Read", "made"), made);
    assert!(world.count("Read", "held back") > 100);
}

#[tokio::test]
async fn what_cannot_be_answered_in_time_is_hardly_ever_sent() {
    let callee = Callee::doing([Does::Takes(Duration::from_millis(30))]);
    let world = quick_world(&[&callee]).await;
    // Known after a second of answers.
    let learning = async {
        let series = &world.remote.0.unary[0];
        while series.latency.least(Instant::now()).is_none() {
            let calls = futures_util::future::join_all((0..20).map(|_| world.call(0)));
            assert!(calls.await.iter().all(Result::is_ok));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), learning)
        .await
        .unwrap();
    let before = callee.seen().len();
    for _ in 0..400 {
        let cx = Context::background().with_timeout(Duration::from_millis(5));
        let error = world.call_as(0, &cx).await.unwrap_err();
        assert_eq!(error.code(), Code::DeadlineExceeded);
    }
    let sent = callee.seen().len() - before;
    // One in twenty.
    assert!((4..60).contains(&sent), "{sent} of 400");
    let cx = Context::background().with_timeout(Duration::from_secs(5));
    world.call_as(0, &cx).await.unwrap();
}

#[tokio::test]
async fn one_that_hangs_is_ejected_and_one_whose_callers_are_in_haste_is_not() {
    let (stuck, well) = (Callee::doing([Does::Dawdles]), Callee::default());
    let world = quick_world(&[&stuck, &well]).await;
    let calls = async |millis| {
        let cx = Context::background().with_timeout(Duration::from_millis(millis));
        let calls = (0..10).map(|_| world.call_as(1, &cx));
        let ended = futures_util::future::join_all(calls).await;
        ended.iter().filter(|ended| ended.is_err()).count()
    };
    // By turn each gets half.
    assert_eq!(calls(200).await, 5);
    assert_eq!(calls(200).await, 5);
    assert_eq!(world.endpoints("ejected"), 0);
    assert_eq!(calls(1100).await, 5);
    assert_eq!(world.endpoints("ejected"), 1);
}

#[tokio::test]
async fn a_try_that_is_refused_does_not_draw_all_reads() {
    let sick = Callee::doing([Does::Fails(Code::Unavailable)]);
    let (well, fine) = (Callee::default(), Callee::default());
    let world = quick_world(&[&sick, &well, &fine]).await;
    while world.endpoints("ejected") == 0 {
        world.calls(0, 1).await;
    }
    // It has too much to do, and says so at once, without saying when it may be asked again.
    sick.does(Does::Fails(Code::ResourceExhausted));
    world.set(|policy| policy.eject.shortest = Duration::from_secs(600));
    let before = sick.seen().len();
    let tried = async {
        while sick.seen().len() == before {
            world.calls(0, 1).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), tried)
        .await
        .unwrap();
    assert_eq!(world.calls(0, 300).await, 0);
    assert_eq!(sick.seen().len(), before + 1);
}

#[tokio::test]
async fn those_that_come_back_together_come_back_whole() {
    let callees = [(); 3].map(|()| Callee::default());
    let world = quick_world(&callees.iter().collect::<Vec<_>>()).await;
    for kept in &world.remote.0.way.endpoints.all() {
        kept.endpoint.standing.returns(Instant::now());
    }
    assert_eq!(world.calls(0, 90).await, 0);
    // By turn, as if nothing had been.
    let shares = callees.each_ref().map(|callee| callee.seen().len());
    assert_eq!(shares, [30; 3]);
}
