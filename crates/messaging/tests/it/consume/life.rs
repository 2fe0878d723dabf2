//! How a consumer lives: order, leases, pauses, engines that are away, and its end.

use super::stage::{Counted, MIGRATIONS, Stage, Together, Worker, cx, script};
use crate::far::Far;
use async_trait::async_trait;
use backlot_core::trace::TraceContext;
use backlot_core::{Context, Error as Failed};
use backlot_messaging::consume::{
    Consume, Consumer, Failing, Failure, Group, Job, Order, Setup, Work,
};
use backlot_messaging::engine::{
    Engine, Outgoing, Receipt, Report, Seek, Source, Subscription, TopicSpec,
};
use backlot_messaging::{Bus, Caps, Error};
use backlot_storage::{StoreError, Tx};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// So that a service can run one in a task of its own.
fn may_be_spawned(consumer: Consumer) -> impl Future<Output = ()> + Send + 'static {
    consumer.run(std::future::pending())
}

#[tokio::test(start_paused = true)]
async fn a_held_key_stops_no_other() {
    for group in [Group::new("g"), Group::new("g").batch(8)] {
        let group = group.attempts(1000);
        let stage = Stage::new(2).await;
        stage.publish(0..60, |n| n % 3).await;
        let is_cured = Arc::new(AtomicBool::new(false));
        let script = script({
            let is_cured = Arc::clone(&is_cured);
            move |event, _| {
                let fails = event.n == 3 && !is_cured.load(Ordering::SeqCst);
                if fails {
                    return Err(Failed::unavailable("not now").into());
                }
                Ok(())
            }
        });
        let others = async {
            stage
                .until(async || stage.effects().await.len() == 41)
                .await;
            assert_eq!(stage.lag("g").await.map(|lag| lag > 18), Some(true));
            is_cured.store(true, Ordering::SeqCst);
            stage.settled("g").await;
        };
        stage.consumer(&group, &script).run(others).await;
        let effects = stage.effects().await;
        assert_eq!(effects.len(), 60);
        for lane in 0..3 {
            let mine = effects.iter().filter(|(_, of)| *of == lane);
            assert!(mine.map(|(n, _)| *n).is_sorted(), "{effects:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_message_holds_up_its_partition_when_that_is_asked_for() {
    let stage = Stage::new(2).await;
    stage.publish(0..10, |_| 0).await;
    let script = script(|event, call| match event.n {
        4 if call < 5 => Err(Failed::unavailable("not now").into()),
        _ => Ok(()),
    });
    let group = Group::new("g").order(Order::Partition);
    stage.consume(&group, &script).await;
    assert!(stage.numbers().await.is_sorted());
    assert_eq!(stage.calls.lock()[&4], 5);
}

#[tokio::test(start_paused = true)]
async fn what_fails_among_others_waits_for_what_is_before_it_in_its_key() {
    for order in [Order::Key, Order::Partition] {
        let stage = Stage::new(2).await;
        stage.publish(0..9, |n| n % 3).await;
        let script = script(|event, call| match event.n {
            // 3 and 6 are of one key.
            3 | 6 | 7 if call < 3 => Err(Failed::unavailable("not now").into()),
            _ => Ok(()),
        });
        let group = Group::new("g").order(order).batch(20);
        let handler = Together(stage.handler(&script));
        let consumer =
            Consumer::consuming(&stage.setup(), group, stage.store.clone(), handler).unwrap();
        let began = Instant::now();
        consumer.run(stage.settled("g")).await;
        let took = Instant::now() - began;
        assert!(
            took < Duration::from_secs(10),
            "{took:?}: not after a lease"
        );
        let effects = stage.effects().await;
        assert_eq!(effects.len(), 9);
        for lane in 0..3 {
            let mine = effects.iter().filter(|(_, of)| *of == lane);
            assert!(mine.map(|(n, _)| *n).is_sorted(), "{effects:?}");
        }
    }
}

/// Notes in which trace it works.
struct Traced(Arc<Mutex<Vec<TraceContext>>>);

#[async_trait]
impl Consume<Counted> for Traced {
    async fn consume(&self, cx: &Context, _tx: &mut Tx, _event: Counted) -> Result<(), Failure> {
        self.0.lock().push(cx.trace());
        Ok(())
    }
}

#[async_trait]
impl Work<Counted> for Traced {
    async fn work(&self, cx: &Context, _job: &Job<Counted>) -> Result<(), Failure> {
        self.0.lock().push(cx.trace());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_works_in_the_trace_of_who_published() {
    let stage = Stage::new(2).await;
    let bus = Bus::new(stage.engine(), "test", &stage.env);
    let published = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let event = Counted { n: 1, lane: 0 };
    let cx = cx().with_trace(published);
    bus.publish(&cx, &event).await.unwrap();
    let traces: Arc<Mutex<Vec<TraceContext>>> = Arc::default();
    let traced = || Traced(Arc::clone(&traces));
    let (setup, store) = (stage.setup(), || stage.store.clone());
    let (single, batch) = (Group::new("single"), Group::new("batch").batch(10));
    let consumers = [
        Consumer::consuming(&setup, single, store(), traced()),
        Consumer::consuming(&setup, batch, store(), traced()),
        Consumer::working(&setup, Group::new("work"), traced()),
    ];
    for (consumer, group) in consumers.into_iter().zip(["single", "batch", "work"]) {
        consumer.unwrap().run(stage.settled(group)).await;
    }
    let traces = traces.lock();
    assert_eq!(traces.len(), 3);
    for (place, trace) in traces.iter().enumerate() {
        assert_eq!(trace.trace_id, published.trace_id);
        let before: Vec<u64> = traces[..place].iter().map(|trace| trace.span_id).collect();
        assert!(trace.span_id != published.span_id && !before.contains(&trace.span_id));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stalls_uses_no_attempt() {
    for group in [Group::new("g"), Group::new("g").batch(20)] {
        let mut stage = Stage::new(2).await;
        let (store, far) = Far::with(MIGRATIONS).await;
        stage.store = store;
        stage.publish(0..6, |n| n % 3).await;
        let group = group.attempts(2).deadline(Duration::from_secs(5));
        // It takes what it is asked, and answers nothing.
        far.dies_after(Some(0));
        let consumer = stage.consumer(&group, &script(|_, _| Ok(())));
        let over = async {
            tokio::time::sleep(Duration::from_secs(300)).await;
            far.dies_after(None);
            stage.settled("g").await;
        };
        consumer.run(over).await;
        assert_eq!(stage.letters("g").await.len(), 0);
        let mut numbers = stage.numbers().await;
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    }
}

#[tokio::test(start_paused = true)]
async fn later_uses_no_attempt_and_a_store_that_is_away_neither() {
    for order in [Order::Key, Order::None] {
        let stage = Stage::new(2).await;
        stage.publish(0..2, |n| n).await;
        let script = script(|event, call| match (event.n, call) {
            (0, 1..20) => Err(Failed::unavailable("at night").later(Duration::from_secs(60))),
            (1, 1..20) => Err(StoreError::unavailable("away").into()),
            _ => Ok(()),
        });
        let began = Instant::now();
        let group = Group::new("g").order(order).attempts(2);
        stage.consume(&group, &script).await;
        assert_eq!(stage.effects().await.len(), 2);
        assert!(Instant::now() - began >= Duration::from_secs(19 * 60));
        assert_eq!(stage.letters("g").await.len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_keeps_what_it_has() {
    let stage = Stage::new(2).await;
    stage.publish(0..4, |_| 0).await;
    let calls = Arc::new(AtomicU32::new(0));
    let worker = Worker({
        let calls = Arc::clone(&calls);
        move |_, _| {
            calls.fetch_add(1, Ordering::SeqCst);
            async {
                tokio::time::sleep(Duration::from_secs(100)).await;
                Ok(())
            }
        }
    });
    let group = Group::new("g")
        .lease(Duration::from_secs(3))
        .deadline(Duration::from_secs(200));
    let consumer = Consumer::working(&stage.setup(), group, worker).unwrap();
    consumer.run(stage.settled("g")).await;
    assert_eq!(
        calls.load(Ordering::SeqCst),
        4,
        "one after the other, each once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_handler_beyond_its_deadline_has_failed() {
    let stage = Stage::new(2).await;
    stage.publish(0..1, |_| 0).await;
    let worker = Worker(|_, attempt| async move {
        if attempt == 1 {
            std::future::pending::<()>().await;
        }
        Ok(())
    });
    let consumer = Consumer::working(&stage.setup(), Group::new("g"), worker).unwrap();
    consumer.run(stage.settled("g")).await;
    assert_eq!(stage.letters("g").await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_told_to_stop_finishes_what_runs_and_nothing_else() {
    let stage = Stage::new(2).await;
    stage.publish(0..10, |_| 0).await;
    let begun = Arc::new(Mutex::new(Vec::new()));
    let worker = || {
        let begun = Arc::clone(&begun);
        Worker(move |n, _| {
            begun.lock().push(n);
            async move {
                tokio::time::sleep(Duration::from_secs(2)).await;
                Ok(())
            }
        })
    };
    let setup = stage.setup();
    let consumer = Consumer::working(&setup, Group::new("g"), worker()).unwrap();
    let stop = stage.until(async || begun.lock().len() == 3);
    consumer.run(stop).await;
    assert_eq!(*begun.lock(), [0, 1, 2]);
    assert_eq!(stage.lag("g").await, Some(7), "what ran is settled");
    // The rest is another's, in order, and no death is suspected.
    let consumer = Consumer::working(&setup, Group::new("g"), worker()).unwrap();
    consumer.run(stage.settled("g")).await;
    assert_eq!(*begun.lock(), (0..10).collect::<Vec<u64>>());
}

/// An engine that cannot be attached to at first.
#[derive(Debug)]
struct Away(Arc<dyn Engine>, AtomicU32);

#[async_trait]
impl Engine for Away {
    fn caps(&self) -> Caps {
        self.0.caps()
    }

    async fn ensure(&self, cx: &Context, spec: &TopicSpec) -> Result<(), Error> {
        self.0.ensure(cx, spec).await
    }

    async fn append(&self, cx: &Context, out: Vec<Outgoing>) -> Result<Vec<Receipt>, Error> {
        self.0.append(cx, out).await
    }

    async fn try_append(&self, cx: &Context, out: Vec<Outgoing>) -> Result<Vec<Receipt>, Error> {
        self.0.try_append(cx, out).await
    }

    async fn attach(&self, cx: &Context, to: &Subscription) -> Result<Box<dyn Source>, Error> {
        if self.1.fetch_add(1, Ordering::SeqCst) < 5 {
            return Err(Error::Closed);
        }
        self.0.attach(cx, to).await
    }

    async fn inspect(&self, cx: &Context, topic: &str, of: Option<&str>) -> Result<Report, Error> {
        self.0.inspect(cx, topic, of).await
    }

    async fn seek(&self, cx: &Context, topic: &str, of: &str, to: Seek) -> Result<(), Error> {
        self.0.seek(cx, topic, of, to).await
    }

    async fn pause(&self, cx: &Context, topic: &str, of: &str, is: bool) -> Result<(), Error> {
        self.0.pause(cx, topic, of, is).await
    }

    async fn close(&self) -> Result<(), Error> {
        self.0.close().await
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_away_is_attached_to_again() {
    let stage = Stage::new(2).await;
    stage.publish(0..5, |n| n).await;
    let setup = Setup {
        engine: Arc::new(Away(stage.engine(), AtomicU32::new(0))),
        ..stage.setup()
    };
    let worker = Worker(|_, _| async { Ok(()) });
    let consumer = Consumer::working(&setup, Group::new("g"), worker).unwrap();
    tokio::select! {
        () = may_be_spawned(consumer) => {}
        () = stage.settled("g") => {}
    }
}

#[tokio::test(start_paused = true)]
async fn two_members_share_and_a_purged_topic_begins_anew() {
    for group in [Group::new("g"), Group::new("g").batch(10)] {
        let stage = Stage::new(2).await;
        stage.publish(0..30, |n| n).await;
        let script = script(|_, _| Ok(()));
        let (one, other) = (
            stage.consumer(&group, &script),
            stage.consumer(&group, &script),
        );
        tokio::join!(
            one.run(stage.settled("g")),
            other.run(stage.until(async || stage.effects().await.len() == 40)),
            async {
                stage.settled("g").await;
                stage
                    .engine()
                    .purge(<Counted as backlot_messaging::Event>::TOPIC)
                    .await
                    .unwrap();
                stage.publish(100..110, |n| n).await;
            }
        );
        let mut effects = stage.numbers().await;
        effects.sort_unstable();
        let expected: Vec<u64> = (0..30).chain(100..110).collect();
        assert_eq!(effects, expected, "{group:?}");
    }
}
