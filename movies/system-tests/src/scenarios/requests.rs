//! Streams of requests.

use super::deadline::{all_given_up, counted};
use crate::Clients;
use crate::probe::{CollectRequest, CountResponse, FailRequest, PermitRequest};
use backlot::{Code, Context, Error, Streaming};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

fn step(number: u32) -> CollectRequest {
    CollectRequest {
        number,
        ..CollectRequest::default()
    }
}

fn named(name: &str) -> CollectRequest {
    CollectRequest {
        name: name.to_owned(),
        ..CollectRequest::default()
    }
}

/// `first`, then `rest`; counts what was taken, and nobody else holds the count once it is dropped.
fn counting(
    first: CollectRequest,
    rest: impl Iterator<Item = CollectRequest> + Send + 'static,
) -> (Streaming<CollectRequest>, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let messages = std::iter::once(first).chain(rest).inspect(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    (Streaming::of(messages), sent)
}

fn a_while(world: &Clients) -> Context {
    world.nobody().with_timeout(Duration::from_secs(50))
}

/// Waits until the handler of this name runs.
async fn begun(world: &Clients, name: &str) {
    world
        .eventually("the handler begins", async || {
            match counted(world, name).await {
                CountResponse {
                    begun: 1,
                    given_up: 0,
                } => Ok(()),
                other => Err(Error::unavailable(format!("{other:?}"))),
            }
        })
        .await;
}

pub(super) async fn many_requests_arrive_whole_and_in_order(world: &Clients) {
    for count in [1, 2, 1000] {
        let steps = Streaming::of((1..=count).map(step));
        let outcome = world.probe.collect(&a_while(world), steps).await;
        let seen = world.worked("collect", outcome);
        world.transcript.add("seen", &(seen.count, seen.sum));
        assert_eq!(seen.count, count);
        assert_eq!(seen.sum, u64::from(count * (count + 1) / 2));
        assert!(seen.ascending);
    }
    // Larger than any window between the two.
    let large = (1..=40).map(|number| CollectRequest {
        filling: vec![7; 300_000],
        ..step(number)
    });
    let outcome = world
        .probe
        .collect(&a_while(world), Streaming::of(large))
        .await;
    let seen = world.worked("collect much", outcome);
    assert_eq!((seen.count, seen.sum, seen.ascending), (40, 820, true));
}

pub(super) async fn no_requests_at_all_are_answered_too(world: &Clients) {
    let outcome = world
        .probe
        .collect(&world.nobody(), Streaming::of([]))
        .await;
    assert_eq!(world.answered("nothing", outcome).count, 0);
}

pub(super) async fn the_first_wrong_request_is_named_and_refuses_the_call(world: &Clients) {
    for forgiving in [false, true] {
        let first = CollectRequest {
            forgiving,
            ..step(1)
        };
        let steps = Streaming::of([first, step(2), step(1001), step(1002)]);
        let outcome = world.probe.collect(&world.nobody(), steps).await;
        let error = world.refused("a wrong request", outcome, Code::InvalidArgument);
        assert_eq!(error.violations().len(), 1, "{error}");
        assert_eq!(error.violations()[0].field, "number");
        assert!(error.message().contains("in message 3"), "{error}");
    }
    let outcome = world
        .probe
        .collect(&world.nobody(), Streaming::of([step(1001)]))
        .await;
    world.refused("the first is wrong", outcome, Code::InvalidArgument);
}

pub(super) async fn a_callee_that_fails_early_ends_the_sending(world: &Clients) {
    for code in [
        Code::FailedPrecondition,
        Code::ResourceExhausted,
        Code::Internal,
    ] {
        let fail = FailRequest {
            code: i32::from(code.number()),
            message: "enough".to_owned(),
            pushback_millis: Some(70),
            ..FailRequest::default()
        };
        let fifth = CollectRequest {
            fail: Some(fail),
            ..step(5)
        };
        let endless = (2..5)
            .map(step)
            .chain([fifth])
            .chain((0..).map(|_| CollectRequest {
                filling: vec![7; 1000],
                ..step(6)
            }));
        let (steps, sent) = counting(step(1), endless);
        let outcome = world.probe.collect(&a_while(world), steps).await;
        let error = world.refused("enough", outcome, code);
        assert_eq!(error.message(), "enough");
        assert_eq!(error.pushback(), Some(Duration::from_millis(70)));
        assert!(sent.load(Ordering::Relaxed) >= 5);
        assert_eq!(
            Arc::strong_count(&sent),
            1,
            "nobody holds the stream any more"
        );
    }
}

pub(super) async fn requests_that_fail_give_the_call_up_and_their_error_is_the_callers(
    world: &Clients,
) {
    let (running, runs) = oneshot::channel();
    let steps = Streaming::new(async_stream::stream! {
        yield Ok(named("own-failure"));
        drop(runs.await);
        yield Err(Error::data_loss("the disk is gone").with_violation("disk", "is gone"));
    });
    let cx = a_while(world);
    let told = async {
        begun(world, "own-failure").await;
        let _told = running.send(());
    };
    let (outcome, ()) = tokio::join!(world.probe.collect(&cx, steps), told);
    let error = world.refused("own failure", outcome, Code::DataLoss);
    assert_eq!(error.violations()[0].field, "disk");
    all_given_up(world, "own-failure").await;
}

pub(super) async fn a_stream_of_requests_ends_at_its_deadline(world: &Clients) {
    let cx = world.nobody().with_timeout(Duration::from_millis(300));
    let silent = Streaming::new(async_stream::stream! {
        yield Ok(named("late"));
        std::future::pending::<()>().await;
    });
    let outcome = world.probe.collect(&cx, silent).await;
    world.refused("no end", outcome, Code::DeadlineExceeded);
    all_given_up(world, "late").await;
    let passed = world.nobody().with_timeout(Duration::ZERO);
    let (steps, sent) = counting(named("too-late"), std::iter::empty());
    let outcome = world.probe.collect(&passed, steps).await;
    world.refused("too late", outcome, Code::DeadlineExceeded);
    assert_eq!(sent.load(Ordering::Relaxed), 0);
    assert_eq!(counted(world, "too-late").await, CountResponse::default());
}

pub(super) async fn a_sender_that_leaves_ends_the_handler(world: &Clients) {
    {
        let first = CollectRequest {
            hang: true,
            ..named("sender-left")
        };
        let (steps, _sent) = counting(
            first,
            (0..).map(|_| CollectRequest {
                filling: vec![7; 1000],
                ..step(1)
            }),
        );
        let cx = a_while(world);
        tokio::select! {
            biased;
            outcome = world.probe.collect(&cx, steps) => panic!("it ended by itself: {outcome:?}"),
            () = begun(world, "sender-left") => {}
        }
    }
    all_given_up(world, "sender-left").await;
}

pub(super) async fn a_slow_callee_holds_the_sender_back(world: &Clients) {
    const COUNT: usize = 256;
    const SIZE: usize = 32 * 1024;
    /// What may lie between the two: a window, a buffer, a message.
    const BETWEEN: usize = 2 * 1024 * 1024;
    let first = CollectRequest {
        gated: true,
        ..named("slow")
    };
    let rest = (1..COUNT).map(|_| CollectRequest {
        filling: vec![7; SIZE],
        ..step(1)
    });
    let (steps, sent) = counting(first, rest);
    let permit = async |count: usize| {
        let request = PermitRequest {
            name: "slow".to_owned(),
            count: u32::try_from(count).unwrap_or_default(),
        };
        let outcome = world.probe.permit(&a_while(world), request).await;
        world.worked("permit", outcome).taken as usize
    };
    let watching = async {
        for _ in 0..24 {
            let taken = permit(1).await;
            let between = (sent.load(Ordering::Relaxed) - taken) * SIZE;
            assert!(between <= BETWEEN, "{between} bytes are sent but not taken");
        }
        // The rest, and the end.
        permit(COUNT - 24).await;
    };
    let cx = a_while(world);
    let (outcome, ()) = tokio::join!(world.probe.collect(&cx, steps), watching);
    let seen = world.worked("collect", outcome);
    assert_eq!(seen.count as usize, COUNT);
    assert_eq!(sent.load(Ordering::Relaxed), COUNT);
}

pub(super) async fn requests_pass_through_hops_under_their_key(world: &Clients) {
    let hopping = || CollectRequest { hops: 3, ..step(1) };
    let key = backlot::Idempotency {
        key: "one-upload".to_owned(),
        method: "",
        fingerprint: 0,
    };
    let cx = a_while(world).with_idempotency(Some(Arc::new(key)));
    let steps = Streaming::of([hopping(), step(2), step(3)]);
    let outcome = world.probe.collect(&cx, steps).await;
    let seen = world.answered("three hops", outcome);
    assert_eq!((seen.count, seen.sum), (3, 6));
    assert_eq!(seen.idempotency_key.as_deref(), Some("one-upload"));
    // Without one it travels under a key of its own.
    let outcome = world
        .probe
        .collect(&a_while(world), Streaming::of([step(1)]))
        .await;
    assert!(world.worked("no key", outcome).idempotency_key.is_some());
    // What is wrong is found at the first hop, and named as its sender counts.
    let steps = Streaming::of([hopping(), step(2), step(5000)]);
    let outcome = world.probe.collect(&a_while(world), steps).await;
    let error = world.refused("wrong at three hops", outcome, Code::InvalidArgument);
    assert!(error.message().ends_with("in message 3"), "{error}");
    // What the last hop says comes back through all.
    let fail = FailRequest {
        code: i32::from(Code::Aborted.number()),
        message: "as told".to_owned(),
        ..FailRequest::default()
    };
    let failing = CollectRequest {
        fail: Some(fail),
        ..step(2)
    };
    let steps = Streaming::of([hopping(), failing, step(3)]);
    let outcome = world.probe.collect(&a_while(world), steps).await;
    world.refused("failed at three hops", outcome, Code::Aborted);
}
