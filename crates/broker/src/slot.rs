//! The engine of this process, for those who hold on to it while it comes and goes.

use async_trait::async_trait;
use backlot_core::Context;
use backlot_messaging::dead::{
    DeadLetters, Entry, Filter, Id, Letter, Listed, Moved, OfGroup, Page, Slice,
};
use backlot_messaging::engine::{
    Outgoing, Receipt, Report, Seek, Source, Subscription, TopicReport, TopicSpec,
};
use backlot_messaging::pull::{Answer, Ask, Lease, Leased, QueueReport, Queues};
use backlot_messaging::{Caps, Engine, Error};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;

/// A place for an engine. Clones share it; while it is empty every call answers [`Error::Away`].
#[derive(Clone, Debug, Default)]
pub struct Slot(Arc<Mutex<Option<Provided>>>);

/// An engine, and its queues.
#[derive(Clone, Debug)]
struct Provided {
    engine: Arc<dyn Engine>,
    queues: Arc<dyn Queues>,
}

impl Slot {
    /// An empty place.
    #[must_use]
    pub fn new() -> Self {
        Slot::default()
    }

    /// Puts an engine there, with its queues; another that was there goes.
    pub fn publish(&self, engine: Arc<dyn Engine>, queues: Arc<dyn Queues>) {
        *self.0.lock() = Some(Provided { engine, queues });
    }

    /// Takes this engine away; another that came instead stays.
    pub fn withdraw(&self, engine: &Arc<dyn Engine>) {
        let mut held = self.0.lock();
        let is_this = |held: &Provided| Arc::ptr_eq(&held.engine, engine);
        if held.as_ref().is_some_and(is_this) {
            *held = None;
        }
    }

    fn provided(&self) -> Result<Provided, Error> {
        self.0.lock().clone().ok_or_else(|| Error::Away {
            why: "it is not running in this process".to_owned(),
        })
    }

    fn engine(&self) -> Result<Arc<dyn Engine>, Error> {
        Ok(self.provided()?.engine)
    }
}

#[async_trait]
impl Engine for Slot {
    /// What the engine promises; while there is none, what the embedded log does.
    fn caps(&self) -> Caps {
        self.engine()
            .map_or(crate::remote::EXPECTED, |engine| engine.caps())
    }

    async fn ensure(&self, cx: &Context, spec: &TopicSpec) -> Result<(), Error> {
        self.engine()?.ensure(cx, spec).await
    }

    async fn append(&self, cx: &Context, outgoing: Vec<Outgoing>) -> Result<Vec<Receipt>, Error> {
        self.engine()?.append(cx, outgoing).await
    }

    async fn try_append(
        &self,
        cx: &Context,
        outgoing: Vec<Outgoing>,
    ) -> Result<Vec<Receipt>, Error> {
        self.engine()?.try_append(cx, outgoing).await
    }

    async fn attach(
        &self,
        cx: &Context,
        subscription: &Subscription,
    ) -> Result<Box<dyn Source>, Error> {
        self.engine()?.attach(cx, subscription).await
    }

    async fn inspect(
        &self,
        cx: &Context,
        topic: &str,
        group: Option<&str>,
    ) -> Result<Report, Error> {
        self.engine()?.inspect(cx, topic, group).await
    }

    async fn seek(&self, cx: &Context, topic: &str, group: &str, to: Seek) -> Result<(), Error> {
        self.engine()?.seek(cx, topic, group, to).await
    }

    async fn pause(
        &self,
        cx: &Context,
        topic: &str,
        group: &str,
        paused: bool,
    ) -> Result<(), Error> {
        self.engine()?.pause(cx, topic, group, paused).await
    }

    async fn topics(&self, cx: &Context) -> Result<Vec<TopicReport>, Error> {
        self.engine()?.topics(cx).await
    }

    async fn forget(&self, cx: &Context, topic: &str, group: &str) -> Result<(), Error> {
        self.engine()?.forget(cx, topic, group).await
    }

    /// Those of whatever engine is there at a call.
    fn dead_letters(&self) -> Option<Arc<dyn DeadLetters>> {
        Some(Arc::new(Held(self.clone())))
    }

    /// Those of whatever engine is there at a call.
    fn queues(&self) -> Option<Arc<dyn Queues>> {
        Some(Arc::new(Held(self.clone())))
    }

    /// Does nothing: the engine is closed by whoever opened it.
    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// The dead letters, and the queues, of the engine in a place.
#[derive(Debug)]
struct Held(Slot);

impl Held {
    fn letters(&self) -> Result<Arc<dyn DeadLetters>, Error> {
        let engine = self.0.engine()?;
        engine.dead_letters().ok_or_else(|| Error::Lacking {
            engine: engine.caps().name,
            promise: "an index of dead letters".to_owned(),
            cure: "read the topic whose name ends in .dlq as a group of its own, or use an engine that has one",
        })
    }
}

#[async_trait]
impl DeadLetters for Held {
    async fn groups(&self, cx: &Context) -> Result<Vec<OfGroup>, Error> {
        self.letters()?.groups(cx).await
    }

    async fn list(&self, cx: &Context, filter: &Filter, page: &Page) -> Result<Listed, Error> {
        self.letters()?.list(cx, filter, page).await
    }

    async fn count(&self, cx: &Context, filter: &Filter) -> Result<u64, Error> {
        self.letters()?.count(cx, filter).await
    }

    async fn find(&self, cx: &Context, ids: &[Id]) -> Result<Vec<Option<Entry>>, Error> {
        self.letters()?.find(cx, ids).await
    }

    async fn show(&self, cx: &Context, id: &Id) -> Result<Letter, Error> {
        self.letters()?.show(cx, id).await
    }

    async fn edit(&self, cx: &Context, id: &Id, payload: Bytes) -> Result<(), Error> {
        self.letters()?.edit(cx, id, payload).await
    }

    async fn redrive(&self, cx: &Context, slice: &Slice) -> Result<Moved, Error> {
        self.letters()?.redrive(cx, slice).await
    }

    async fn purge(&self, cx: &Context, slice: &Slice) -> Result<Moved, Error> {
        self.letters()?.purge(cx, slice).await
    }
}

#[async_trait]
impl Queues for Held {
    async fn pull(&self, cx: &Context, ask: &Ask) -> Result<Vec<Leased>, Error> {
        self.0.provided()?.queues.pull(cx, ask).await
    }

    async fn answer(
        &self,
        cx: &Context,
        answers: Vec<(Lease, Answer)>,
    ) -> Result<Vec<Lease>, Error> {
        self.0.provided()?.queues.answer(cx, answers).await
    }

    async fn queues(&self, cx: &Context) -> Result<Vec<QueueReport>, Error> {
        self.0.provided()?.queues.queues(cx).await
    }
}
