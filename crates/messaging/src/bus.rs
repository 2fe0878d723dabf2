//! Publishing events where there is no transaction to publish them with.
//!
//! A service that changes its store publishes [with the change](crate::outbox). This is for the
//! rest: loaders, gateways, tools. What is published here is in the log when the answer comes.

use crate::Error;
use crate::engine::{Engine, Outgoing, Receipt, TopicSpec};
use crate::event::{self, Event, Stamp};
use crate::outbox::trace;
use crate::pull::Puller;
use backlot_core::{Clock, Context, Dice, Env, Timestamp};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// The most messages and bytes of one call to an engine: below the limits of each.
const CALL_MESSAGES: usize = 8 * 1024;
const CALL_BYTES: usize = 3 << 20;
/// How much memory is taken at once for bodies of one call, and with how little left more is taken.
const PIECE: usize = 16 * 1024;
const LEFT: usize = 512;

/// Publishes events to an engine. Cheap to clone.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    engine: Arc<dyn Engine>,
    source: Arc<str>,
    clock: Clock,
    dice: Dice,
    /// Topics that were there when something was published to them.
    known: Mutex<BTreeSet<&'static str>>,
}

/// How one event is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publish {
    delay: Option<Delay>,
    id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delay {
    For(Duration),
    Until(Timestamp),
}

impl Publish {
    /// At once, under a fresh id.
    #[must_use]
    pub fn new() -> Self {
        Publish::default()
    }

    /// So much later.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = Some(Delay::For(delay));
        self
    }

    /// Not before this time.
    #[must_use]
    pub fn at(mut self, due: Timestamp) -> Self {
        self.delay = Some(Delay::Until(due));
        self
    }

    /// Under this id, and not at all when it was published to this topic lately. Consumers know
    /// the event by its id too: another event needs another.
    #[must_use]
    pub fn dedupe(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
}

impl Bus {
    /// A bus to this engine, for what `source` says. A topic that is not there is made when the
    /// first event is published to it.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, source: impl Into<Arc<str>>, env: &Env) -> Self {
        Bus(Arc::new(Inner {
            engine,
            source: source.into(),
            clock: env.clock.clone(),
            // Two of one source must never give two events the same id.
            dice: env.dice.split(),
            known: Mutex::default(),
        }))
    }

    /// The engine under it.
    #[must_use]
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.0.engine
    }

    /// Pulls events of a queue for one worker, which is named for people.
    ///
    /// # Errors
    /// [`Error::Lacking`] when the engine has no queues: a [`Desk`](crate::pull::Desk) makes them.
    pub fn pull<E: Event>(
        &self,
        group: impl Into<String>,
        worker: impl Into<String>,
    ) -> Result<Puller<E>, Error> {
        let queues = self.0.engine.queues().ok_or_else(|| Error::Lacking {
            engine: self.0.engine.caps().name,
            promise: "queues by itself".to_owned(),
            cure: "put a pull::Desk above it, and make a Puller of that",
        })?;
        Ok(Puller::new(queues, group, worker))
    }

    /// Publishes an event; waits for a place in the engine's queue until the context's deadline.
    ///
    /// # Errors
    /// [`Error`], which says whether it can have happened.
    pub async fn publish<E: Event>(&self, cx: &Context, event: &E) -> Result<Receipt, Error> {
        self.publish_with(cx, event, Publish::default()).await
    }

    /// Publishes an event in this way.
    ///
    /// # Errors
    /// As [`publish`](Bus::publish).
    pub async fn publish_with<E: Event>(
        &self,
        cx: &Context,
        event: &E,
        how: Publish,
    ) -> Result<Receipt, Error> {
        let outgoing = Stamper::of::<E>(&self.0, cx).stamp(event, how)?;
        let receipts = self.0.append::<E>(cx, vec![outgoing], true).await?;
        receipts
            .first()
            .copied()
            .ok_or(Error::Unknown { source: None })
    }

    /// Publishes an event, unless there is no place in the engine's queue.
    ///
    /// # Errors
    /// As [`publish`](Bus::publish); and [`Error::Busy`] with the length of the queue.
    pub async fn try_publish<E: Event>(&self, cx: &Context, event: &E) -> Result<Receipt, Error> {
        let outgoing = Stamper::of::<E>(&self.0, cx).stamp(event, Publish::default())?;
        let receipts = self.0.append::<E>(cx, vec![outgoing], false).await?;
        receipts
            .first()
            .copied()
            .ok_or(Error::Unknown { source: None })
    }

    /// Publishes any number of events in their order; answers how many. What fits into one call of
    /// an engine (8,192 events and 3 MiB) is one commit: all or none. More is published call by
    /// call, the next made ready while one is being stored, and stops at the first that fails: give
    /// the context time enough for all.
    ///
    /// # Errors
    /// As [`publish`](Bus::publish); the events of calls before the one that failed are published.
    pub async fn publish_all<E: Event>(&self, cx: &Context, events: &[E]) -> Result<u64, Error> {
        let mut stamper = Stamper::of::<E>(&self.0, cx);
        // One call at a time, so that the order is kept; ended with this future.
        let mut storing: JoinSet<Result<u64, Error>> = JoinSet::new();
        let (mut stored, mut rest) = (0, events.iter().peekable());
        while rest.peek().is_some() {
            let (mut call, mut bytes) = (Vec::new(), 0);
            while call.len() < CALL_MESSAGES && bytes < CALL_BYTES {
                let Some(event) = rest.next() else { break };
                if stamper.paper.memory.capacity() < LEFT {
                    stamper.paper.memory.reserve(PIECE);
                }
                let outgoing = stamper.stamp(event, Publish::default())?;
                bytes += outgoing.record.size();
                call.push(outgoing);
            }
            if let Some(done) = storing.join_next().await {
                stored += done.map_err(|_| Error::Unknown { source: None })??;
            }
            let (inner, cx) = (Arc::clone(&self.0), cx.clone());
            storing.spawn(async move {
                let receipts = inner.append::<E>(&cx, call, true).await?;
                Ok(receipts.len() as u64)
            });
        }
        while let Some(done) = storing.join_next().await {
            stored += done.map_err(|_| Error::Unknown { source: None })??;
        }
        Ok(stored)
    }
}

impl Inner {
    async fn append<E: Event>(
        &self,
        cx: &Context,
        outgoing: Vec<Outgoing>,
        may_wait: bool,
    ) -> Result<Vec<Receipt>, Error> {
        let append = async |outgoing| match may_wait {
            true => self.engine.append(cx, outgoing).await,
            false => self.engine.try_append(cx, outgoing).await,
        };
        if self.known.lock().contains(E::TOPIC) {
            let done = append(outgoing).await;
            if let Err(Error::UnknownTopic { .. }) = done {
                // It was deleted: the next one makes it.
                self.known.lock().remove(E::TOPIC);
            }
            return done;
        }
        // A copy is for the one time when the topic is missing.
        let done = match append(outgoing.clone()).await {
            Err(Error::UnknownTopic { .. }) => {
                let spec = TopicSpec::new(E::TOPIC, E::PARTITIONS);
                self.engine.ensure(cx, &spec).await?;
                append(outgoing).await
            }
            done => done,
        };
        if done.is_ok() {
            self.known.lock().insert(E::TOPIC);
        }
        done
    }
}

/// What the events of one call share.
struct Stamper<'b> {
    inner: &'b Inner,
    topic: Arc<str>,
    kind: Arc<str>,
    now: Timestamp,
    trace: Option<[u8; 55]>,
    /// Where bodies are written: each takes its part of it along.
    paper: event::Paper,
}

impl<'b> Stamper<'b> {
    fn of<E: Event>(inner: &'b Inner, cx: &Context) -> Self {
        let trace = cx.trace();
        Stamper {
            inner,
            topic: E::TOPIC.into(),
            kind: E::NAME.into(),
            now: inner.clock.wall(),
            trace: (!trace.is_none()).then(|| trace.header()),
            paper: event::Paper::default(),
        }
    }

    fn stamp<E: Event>(&mut self, event: &E, how: Publish) -> Result<Outgoing, Error> {
        let dedupe = how.id.is_some();
        let stamp = Stamp {
            id: how.id.unwrap_or_else(|| self.inner.dice.uuid()),
            source: Arc::clone(&self.inner.source),
            time: Timestamp(self.now.0.max(0)),
        };
        let kind = Arc::clone(&self.kind);
        let mut record = event::encode_in(event, kind, stamp, &mut self.paper)?;
        if let Some(header) = &self.trace {
            trace(&mut record, header);
        }
        let due = how.delay.map(|delay| match delay {
            Delay::For(delay) => self.now.plus(delay),
            Delay::Until(due) => due,
        });
        Ok(Outgoing {
            topic: Arc::clone(&self.topic),
            record,
            due,
            dedupe,
        })
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("source", &self.0.source)
            .field("engine", &self.0.engine)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::{Embedded, Options};
    use backlot_core::trace::TraceContext;
    use backlot_service::{Metrics, Tasks};
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Counted(u64);

    impl Event for Counted {
        const NAME: &'static str = "Counted";
        const TOPIC: &'static str = "counts";
        const VERSION: u32 = 1;
        const PARTITIONS: u32 = 1;

        fn key(&self) -> Option<String> {
            None
        }
    }

    async fn bus() -> Bus {
        let (env, metrics) = (Env::real(), Metrics::new());
        let tasks = Tasks::with_metrics(&env, &metrics);
        let engine = Embedded::memory(Options::default(), &env, &tasks, &metrics).await;
        Bus::new(Arc::new(engine.unwrap()), "test", &env)
    }

    fn cx() -> Context {
        let trace = TraceContext {
            trace_id: 1,
            span_id: 2,
            sampled: false,
        };
        let cx = Context::background().with_timeout(Duration::from_secs(30));
        cx.with_trace(trace)
    }

    #[tokio::test]
    async fn any_number_of_events_is_published_in_order() {
        use crate::engine::{Input, Subscription};
        let bus = bus().await;
        let events: Vec<Counted> = (0..20_000).map(Counted).collect();
        assert_eq!(bus.publish_all(&cx(), &events).await.unwrap(), 20_000);
        let empty: [Counted; 0] = [];
        assert_eq!(bus.publish_all(&cx(), &empty).await.unwrap(), 0);
        let subscription = Subscription {
            in_flight: 30_000,
            ..Subscription::new("counts", "g")
        };
        let mut source = bus.engine().attach(&cx(), &subscription).await.unwrap();
        let mut expected = 0;
        while expected < 20_000 {
            if let Input::Deliveries(some) = source.next(20_000).await.unwrap() {
                for delivery in some {
                    let event: Counted = event::decode(&delivery.record).unwrap();
                    assert_eq!(event.0, expected);
                    assert!(delivery.record.headers.get("traceparent").is_some());
                    expected += 1;
                }
            }
        }
    }

    #[tokio::test]
    async fn two_buses_of_one_source_give_their_events_different_ids() {
        use crate::engine::{Input, Subscription};
        let (env, metrics) = (Env::real(), Metrics::new());
        let tasks = Tasks::with_metrics(&env, &metrics);
        let engine = Embedded::memory(Options::default(), &env, &tasks, &metrics).await;
        let engine: Arc<dyn Engine> = Arc::new(engine.unwrap());
        let mut ids = Vec::new();
        for _ in 0..2 {
            let bus = Bus::new(Arc::clone(&engine), "test", &env);
            bus.publish(&cx(), &Counted(1)).await.unwrap();
        }
        let subscription = Subscription::new("counts", "g");
        let mut source = engine.attach(&cx(), &subscription).await.unwrap();
        while ids.len() < 2 {
            if let Input::Deliveries(some) = source.next(10).await.unwrap() {
                ids.extend(some.into_iter().map(|delivery| delivery.record.id));
            }
        }
        assert_ne!(ids[0], ids[1]);
    }

    #[tokio::test]
    async fn the_same_id_is_published_once_and_what_is_due_later_is_scheduled() {
        let bus = bus().await;
        let once = || Publish::new().dedupe("order-17");
        let first = bus.publish_with(&cx(), &Counted(1), once()).await;
        assert!(matches!(first, Ok(Receipt::Stored(_))), "{first:?}");
        let second = bus.publish_with(&cx(), &Counted(1), once()).await;
        assert!(matches!(second, Ok(Receipt::Duplicate)), "{second:?}");
        let later = Publish::new().after(Duration::from_secs(3600));
        let later = bus.publish_with(&cx(), &Counted(2), later).await;
        assert!(matches!(later, Ok(Receipt::Scheduled)), "{later:?}");
        let plain = bus.try_publish(&cx(), &Counted(3)).await;
        assert!(matches!(plain, Ok(Receipt::Stored(_))), "{plain:?}");
    }
}
