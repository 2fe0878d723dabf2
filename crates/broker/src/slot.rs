//! The engine of this process, for those who hold on to it while it comes and goes.

use async_trait::async_trait;
use backlot_core::Context;
use backlot_messaging::engine::{Outgoing, Receipt, Report, Seek, Source, Subscription, TopicSpec};
use backlot_messaging::{Caps, Engine, Error};
use parking_lot::Mutex;
use std::sync::Arc;

/// A place for an engine. Clones share it; while it is empty every call answers [`Error::Away`].
#[derive(Clone, Debug, Default)]
pub struct Slot(Arc<Mutex<Option<Arc<dyn Engine>>>>);

impl Slot {
    /// An empty place.
    #[must_use]
    pub fn new() -> Self {
        Slot::default()
    }

    /// Puts an engine there; another that was there goes.
    pub fn publish(&self, engine: Arc<dyn Engine>) {
        *self.0.lock() = Some(engine);
    }

    /// Takes this engine away; another that came instead stays.
    pub fn withdraw(&self, engine: &Arc<dyn Engine>) {
        let mut held = self.0.lock();
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, engine)) {
            *held = None;
        }
    }

    fn engine(&self) -> Result<Arc<dyn Engine>, Error> {
        self.0.lock().clone().ok_or_else(|| Error::Away {
            why: "it is not running in this process".to_owned(),
        })
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

    /// Does nothing: the engine is closed by whoever opened it.
    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}
