//! What networks do to connections, as far as a wire in a test's hand can do it.

use super::*;
use backlot_testkit::proxy::{Faults, Proxy};

/// A world of two callees, the first of them behind a wire.
async fn wired(knobs: Knobs) -> (World, Proxy, [Callee; 2]) {
    let callees = [Callee::default(), Callee::default()];
    let env = Env::real();
    let address = callees[0].serve(&env, &Tasks::new(&env)).await;
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::start(port).await;
    *callees[0].at.lock() = Some(proxy.address());
    let world = world_of(&[&callees[0], &callees[1]], knobs, |_number| None).await;
    (world, proxy, callees)
}

/// Asks often, and sees what is wrong soon.
fn watchful() -> Knobs {
    let mut policy = Policy::default();
    policy.connect.ping = Duration::from_millis(100);
    policy.connect.answer = Duration::from_millis(300);
    policy.connect.longest_pause = Duration::from_millis(100);
    policy.eject.on = false;
    Knobs::new(policy)
}

#[tokio::test]
async fn a_wire_that_falls_silent_is_seen_and_what_was_asked_over_it_is_asked_of_another() {
    let (world, proxy, _callees) = wired(watchful()).await;
    for lost in [
        Faults::SILENT,
        Faults {
            to_server_lost: true,
            ..Faults::default()
        },
        Faults {
            to_client_lost: true,
            ..Faults::default()
        },
    ] {
        assert_eq!(world.calls(0, 20).await, 0);
        proxy.set(lost);
        let calls = futures_util::future::join_all((0..20).map(|_| world.call(0)));
        for answer in calls.await {
            answer.unwrap();
        }
        world
            .until("it is seen", |world| world.endpoints("failed") == 1)
            .await;
        // Connections are taken at this end of the wire, and nobody answers over them.
        let taken = proxy.taken();
        world
            .until("it is tried again", |_| proxy.taken() > taken)
            .await;
        assert_eq!(world.calls(0, 20).await, 0);
        assert_eq!(world.endpoints("ready"), 1);
        proxy.set(Faults::default());
        world
            .until("it is there again", |world| world.endpoints("ready") == 2)
            .await;
    }
}

#[tokio::test]
async fn a_wire_that_is_cut_or_half_closed_costs_no_call() {
    let (world, proxy, _callees) = wired(watchful()).await;
    for round in 1..=5 {
        let calls = futures_util::future::join_all((0..20).map(|_| world.call(0)));
        let (answers, ()) = tokio::join!(calls, async {
            tokio::task::yield_now().await;
            match round % 2 {
                0 => proxy.cut(),
                _ => proxy.half_close(),
            }
        });
        for answer in answers {
            answer.unwrap();
        }
        world
            .until("it is there again", |world| {
                world.endpoints("ready") == 2 && proxy.taken() > round
            })
            .await;
    }
}

#[tokio::test]
async fn a_slow_wire_loses_its_calls() {
    for slow in [
        Faults {
            delay: Duration::from_millis(20),
            ..Faults::default()
        },
        Faults {
            rate: Some(4_000),
            ..Faults::default()
        },
    ] {
        let (world, proxy, [behind, other]) = wired(Knobs::default()).await;
        proxy.set(slow);
        assert_eq!(world.calls(0, 200).await, 0);
        let (slow_got, other_got) = (behind.seen().len(), other.seen().len());
        assert!(slow_got <= 20, "{slow:?}: {slow_got} beside {other_got}");
    }
}
