//! What a relay promises, whatever ends it, and whoever runs beside it.

use super::{count, cx, depth, named, send, waiting};
use crate::Store;
use crate::conformance::Stage;
use crate::outbox::{Acquired, Batch, End, Forward, Limits, Message, Options, Relay};
use backlot_core::backoff::Backoff;
use backlot_core::{Context, Dice, Error};
use std::collections::BTreeSet;
use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longer than any of these takes, if it is right.
const LONG: Duration = Duration::from_secs(60);

/// A broker that remembers what it was given.
#[derive(Clone)]
pub(in crate::conformance) struct Line {
    arrived: watch::Sender<Vec<String>>,
    trouble: Arc<dyn Fn(u64) -> Trouble + Send + Sync>,
    calls: Arc<AtomicU64>,
    /// Calls from this one on wait.
    held: watch::Sender<u64>,
}

/// What befalls one call.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::conformance) enum Trouble {
    None,
    /// Nothing arrives.
    Refused,
    /// Everything arrives, and nobody is told.
    AnswerLost,
    /// The first half arrives, and nobody is told.
    Half,
    /// Everything arrives, and the call never ends.
    Silent,
}

impl Line {
    pub(in crate::conformance) fn with(
        trouble: impl Fn(u64) -> Trouble + Send + Sync + 'static,
    ) -> Self {
        Line {
            arrived: watch::Sender::new(Vec::new()),
            trouble: Arc::new(trouble),
            calls: Arc::default(),
            held: watch::Sender::new(u64::MAX),
        }
    }

    fn hold(&self, from: u64) {
        self.held.send_replace(from);
    }

    fn sound() -> Self {
        Line::with(|_call| Trouble::None)
    }

    pub(in crate::conformance) fn arrived(&self) -> Vec<String> {
        self.arrived.borrow().clone()
    }

    /// What arrived, without what had arrived before.
    pub(in crate::conformance) fn first_times(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut all = self.arrived();
        all.retain(|id| seen.insert(id.clone()));
        all
    }

    async fn has(&self, enough: impl FnMut(&Vec<String>) -> bool) {
        let mut arrived = self.arrived.subscribe();
        let found = timeout(LONG, arrived.wait_for(enough)).await;
        found
            .unwrap_or_else(|_| panic!("only {:?} arrived", self.arrived()))
            .expect("the line is held");
    }
}

impl Forward for Line {
    async fn forward(&self, _cx: &Context, batch: Batch) -> Result<(), Error> {
        assert!(batch.fence > 0 && !batch.messages.is_empty());
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let mut held = self.held.subscribe();
        // The sender lives in self: waiting cannot fail.
        drop(held.wait_for(|from| call < *from).await);
        let trouble = (self.trouble)(call);
        let arriving = match trouble {
            Trouble::None | Trouble::AnswerLost | Trouble::Silent => batch.messages.len(),
            Trouble::Half => batch.messages.len() / 2,
            Trouble::Refused => 0,
        };
        for message in batch.messages.into_iter().take(arriving) {
            self.arrived.send_modify(|arrived| arrived.push(message.id));
            tokio::task::yield_now().await;
        }
        match trouble {
            Trouble::None => Ok(()),
            Trouble::Silent => pending().await,
            _ => Err(Error::unavailable("on purpose: the broker is away")),
        }
    }
}

pub(in crate::conformance) fn options() -> Options {
    Options {
        limits: Limits {
            messages: 3,
            bytes: usize::MAX,
        },
        poll: Duration::from_millis(5),
        backoff: Backoff {
            base: Duration::from_millis(1),
            cap: Duration::from_millis(5),
        },
        drain: LONG,
        ..Options::default()
    }
}

pub(in crate::conformance) fn relay(
    store: &Store,
    line: &Line,
    owner: &str,
    options: Options,
) -> Relay<Line> {
    Relay::new(store, line.clone(), owner, Dice::seeded(7), options)
}

/// Sends what waits, and ends.
async fn drain(store: &Store, line: &Line, owner: &str) -> End {
    relay(store, line, owner, options()).run(ready(())).await
}

fn numbered(from: u32, count: u32) -> Vec<Message> {
    let messages = (from..from + count).map(|id| Message::new("t", id.to_string(), b"").key("k"));
    messages.collect()
}

fn expected(count: u32) -> Vec<String> {
    (0..count).map(|id| id.to_string()).collect()
}

pub(in crate::conformance) async fn a_commit_wakes_its_relay_at_once(stage: Stage) {
    let patient = Options {
        poll: Duration::from_secs(3600),
        ..options()
    };
    let line = Line::sound();
    let mut running = JoinSet::new();
    running.spawn(relay(&stage.store, &line, "one", patient).run(pending()));
    for number in 0..3 {
        send(&stage.store, numbered(number, 1))
            .await
            .expect("it commits");
        line.has(|arrived| arrived.len() as u32 == number + 1).await;
    }
    assert_eq!(line.arrived(), expected(3));
}

pub(in crate::conformance) async fn a_relay_that_is_told_to_stop_sends_what_waits_first(
    stage: Stage,
) {
    let line = Line::sound();
    send(&stage.store, numbered(0, 20))
        .await
        .expect("it commits");
    assert_eq!(drain(&stage.store, &line, "one").await, End::Empty);
    assert_eq!(line.arrived(), expected(20));
    assert_eq!(depth(&stage).await, Default::default());
    // The lease is free: nobody waits for one that has gone.
    let lease = stage
        .store
        .outbox()
        .acquire(&cx(), "two", LONG, None)
        .await
        .expect("it is free");
    assert!(matches!(lease, Acquired::Held(_)), "{lease:?}");
    // Who does not have it leaves what waits to the one that has.
    send(&stage.store, numbered(20, 1))
        .await
        .expect("it commits");
    assert_eq!(drain(&stage.store, &line, "one").await, End::Elsewhere);
    assert_eq!(waiting(&stage.store).await, ["20"]);
}

pub(in crate::conformance) async fn a_broker_that_is_away_is_tried_again_and_nothing_is_lost(
    stage: Stage,
) {
    let line = Line::with(|call| match call {
        0..3 => Trouble::Refused,
        3 => Trouble::AnswerLost,
        4 => Trouble::Half,
        _ => Trouble::None,
    });
    send(&stage.store, numbered(0, 8))
        .await
        .expect("it commits");
    line.hold(3);
    let relay = relay(&stage.store, &line, "one", options());
    let mut status = relay.status();
    let mut running = JoinSet::new();
    running.spawn(relay.run(pending()));
    let seen = timeout(LONG, status.wait_for(|status| status.failures == 3)).await;
    let seen = *seen.expect("it fails").expect("it runs");
    assert!(
        seen.leading && seen.sent == 0 && seen.depth.waiting == 8,
        "{seen:?}"
    );
    line.hold(u64::MAX);
    let sent = timeout(LONG, status.wait_for(|status| status.sent == 8)).await;
    assert_eq!(sent.expect("it is sent").expect("it runs").failures, 0);
    assert_eq!(line.first_times(), expected(8));
    assert_eq!(
        line.arrived().len(),
        3 + 1 + 8,
        "twice what was not answered"
    );
    running.shutdown().await;

    // One that stays away ends the drain, and the next relay need not wait.
    let away = Line::with(|_call| Trouble::Refused);
    send(&stage.store, numbered(8, 1))
        .await
        .expect("it commits");
    let brief = Options {
        drain: Duration::from_millis(100),
        ..options()
    };
    let relay = super::relay::relay(&stage.store, &away, "one", brief);
    assert_eq!(relay.run(ready(())).await, End::Cut);
    assert_eq!(drain(&stage.store, &line, "two").await, End::Empty);
    assert_eq!(line.first_times(), expected(9));
}

/// The program ends at any moment: after every one of the relay's steps it is dropped once.
pub(in crate::conformance) async fn a_relay_that_crashes_anywhere_loses_nothing_and_keeps_the_order(
    stage: Stage,
) {
    const MESSAGES: u32 = 7;
    let mut polls = 1;
    let mut from = 0;
    loop {
        let line = Line::sound();
        send(&stage.store, numbered(from, MESSAGES))
            .await
            .expect("it commits");
        let ended = {
            let mut running = pin!(relay(&stage.store, &line, "one", options()).run(ready(())));
            let mut left = polls;
            poll_fn(|cx| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                running.as_mut().poll(cx).map(Some)
            })
            .await
        };
        assert_eq!(drain(&stage.store, &line, "one").await, End::Empty);
        let sent: Vec<String> = (from..from + MESSAGES).map(|id| id.to_string()).collect();
        assert_eq!(line.first_times(), sent, "after {polls} polls");
        from += MESSAGES;
        if ended.is_some() {
            break;
        }
        polls += 1;
    }
    assert!(
        polls > 3,
        "only {polls} polls: there was nothing to interrupt"
    );

    // Once for certain between sending and confirming, however many steps one poll takes.
    let line = Line::with(|call| match call {
        0 => Trouble::Silent,
        _ => Trouble::None,
    });
    send(&stage.store, numbered(from, MESSAGES))
        .await
        .expect("it commits");
    tokio::select! {
        ended = relay(&stage.store, &line, "one", options()).run(pending()) => panic!("{ended:?}"),
        () = line.has(|arrived| arrived.len() == 3) => {}
    }
    assert_eq!(drain(&stage.store, &line, "one").await, End::Empty);
    let sent: Vec<String> = (from..from + MESSAGES).map(|id| id.to_string()).collect();
    assert_eq!(line.first_times(), sent);
    assert_eq!(line.arrived().len(), 3 + 7, "the first three twice");
}

/// Two relays, a broker that loses calls and answers, and leases that expire in the middle.
pub(in crate::conformance) async fn two_relays_lose_nothing_and_keep_the_order_of_each_key(
    stage: Stage,
) {
    let now = Arc::clone(&stage.now);
    let dice = Dice::seeded(11);
    let line = Line::with(move |_call| {
        // A third of a lease: now and then it expires before anybody extends it.
        now.fetch_add(
            10_000 * i64::try_from(dice.below(5)).unwrap_or(0),
            Ordering::SeqCst,
        );
        match dice.below(10) {
            0 => Trouble::Refused,
            1 => Trouble::AnswerLost,
            2 => Trouble::Half,
            _ => Trouble::None,
        }
    });
    relays_in_trouble(&stage.store, &stage.store, &line).await;
}

/// Writers at both stores, and a relay at each.
pub(in crate::conformance) async fn relays_in_trouble(one: &Store, other: &Store, line: &Line) {
    const EACH: usize = 20;
    let names = ["a", "b", "c"];
    for name in names {
        insert(one, name).await;
    }
    let (stop, stopped) = watch::channel(false);
    let mut running = JoinSet::new();
    for (store, owner) in [(one, "one"), (other, "two")] {
        let mut stopped = stopped.clone();
        running.spawn(relay(store, line, owner, options()).run(async move {
            drop(stopped.wait_for(|stopped| *stopped).await);
        }));
    }
    let mut writing = JoinSet::new();
    for number in 0..EACH * names.len() {
        let store = if number % 2 == 0 { one } else { other };
        writing.spawn(count(store, names[number % names.len()]));
    }
    for done in writing.join_all().await {
        done.expect("conflicts are the store's business");
    }
    let all = EACH * names.len();
    line.has(|arrived| arrived.iter().collect::<BTreeSet<_>>().len() == all)
        .await;
    stop.send_replace(true);
    for end in running.join_all().await {
        assert_ne!(end, End::Cut);
    }
    let first = line.first_times();
    for name in names {
        let mut of_key = first.clone();
        of_key.retain(|id| id.starts_with(name));
        let expected: Vec<String> = (1..=EACH).map(|value| format!("{name}-{value}")).collect();
        assert_eq!(of_key, expected);
    }
    assert_eq!(waiting(one).await, [] as [&str; 0]);
}

async fn insert(store: &Store, name: &'static str) {
    let inserted: Result<u64, Error> = store
        .write(&cx(), move |tx| {
            Box::pin(async move {
                Ok(tx
                    .execute(crate::conformance::INSERT, crate::params![name, 0])
                    .await?)
            })
        })
        .await;
    inserted.expect("an insert commits");
}

pub(in crate::conformance) async fn limits_that_allow_nothing_are_refused(stage: Stage) {
    send(&stage.store, named(&["1"])).await.expect("it commits");
    for messages in [0, 1001] {
        let limits = Limits { messages, bytes: 1 };
        let refused = stage.store.outbox().take(&cx(), limits).await;
        let text = refused.expect_err("it allows nothing").to_string();
        assert!(text.contains("1 to 1000"), "{text}");
    }
}
