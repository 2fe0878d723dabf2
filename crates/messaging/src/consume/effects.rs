//! Handlers that make their effects in the store: each once, in the commit that says so.

mod batch;
mod single;

use super::caught::caught;
use super::failure::Failure;
use super::group::Group;
use super::lanes::Item;
use super::run::{Load, Outcome, Ran, Run};
use super::{Consume, Setup};
use crate::Record;
use crate::engine::Delivery;
use crate::event::{self, Event};
use crate::outbox::TRACEPARENT;
use async_trait::async_trait;
use backlot_core::trace::TraceContext;
use backlot_core::{Context, Dice};
use backlot_storage::{Store, Tx};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A handler with its store.
pub(super) struct Effects<E, C>(Arc<Inner<E, C>>);

struct Inner<E, C> {
    store: Store,
    handler: C,
    group: Group,
    /// The topic that positions are kept under.
    topic: String,
    contexts: Contexts,
    /// By which row an effect is known to be made.
    is_batched: bool,
    event: PhantomData<fn() -> E>,
}

impl<E: Event, C: Consume<E>> Effects<E, C> {
    pub(super) fn new(
        setup: &Setup,
        group: &Group,
        (store, handler): (Store, C),
        topic: &str,
        is_batched: bool,
    ) -> Self {
        Effects(Arc::new(Inner {
            store,
            handler,
            group: group.clone(),
            topic: topic.to_owned(),
            contexts: Contexts::new(setup, group),
            is_batched,
            event: PhantomData,
        }))
    }
}

impl<E: Event, C: Consume<E>> Inner<E, C> {
    fn decode(delivery: &Delivery) -> Result<E, Failure> {
        Ok(event::decode::<E>(&delivery.record)?)
    }

    /// Hands events to the handler: together if the group is one of batches and the handler has a
    /// form for them, else one after the other. With a failure come back those that were handed
    /// over together.
    async fn hand(
        &self,
        cx: &Context,
        tx: &mut Tx,
        events: Vec<E>,
    ) -> Result<(), (Failure, Option<Vec<E>>)> {
        if self.group.batch.is_some() {
            match self.handler.consume_batch(cx, tx, &events).await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.is_unbatched() => {}
                Err(failure) => return Err((failure, Some(events))),
            }
        }
        for event in events {
            let handled = self.handler.consume(cx, tx, event).await;
            handled.map_err(|failure| (failure, None))?;
        }
        Ok(())
    }
}

#[async_trait]
impl<E: Event, C: Consume<E>> Run for Effects<E, C> {
    async fn run(&self, load: Load) -> Ran {
        if self.0.is_batched {
            return batch::run(&self.0, load).await;
        }
        let mut items = Vec::with_capacity(load.items.len());
        for item in load.items {
            let made = caught(single::run(&self.0, &item.message)).await;
            items.push((item, outcome(made)));
        }
        Ran {
            items,
            has_marked: false,
        }
    }
}

/// What a single run came to.
pub(super) fn outcome(ran: Result<Result<bool, Failure>, String>) -> Outcome {
    match ran {
        Ok(Ok(true)) => Outcome::Done,
        Ok(Ok(false)) => Outcome::Before,
        Ok(Err(failure)) => Outcome::Failed(failure),
        Err(words) => Outcome::Failed(Failure::panicked(&words)),
    }
}

impl<E, C> fmt::Debug for Effects<E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effects")
            .field("group", &self.0.group.name)
            .field("is_batched", &self.0.is_batched)
            .finish_non_exhaustive()
    }
}

/// Makes the contexts of handlers.
#[derive(Debug)]
pub(crate) struct Contexts {
    service: &'static str,
    dice: Dice,
    deadline: std::time::Duration,
}

impl Contexts {
    pub(crate) fn new(setup: &Setup, group: &Group) -> Self {
        Contexts {
            service: setup.service,
            dice: setup.env.dice.split(),
            deadline: group.deadline,
        }
    }

    /// The service's own, in the next span of the publisher's trace.
    pub(crate) fn of(&self, record: &Record) -> Context {
        let header = record.headers.get(TRACEPARENT);
        let trace = header.map_or(TraceContext::NONE, TraceContext::parse);
        Context::system(self.service)
            .with_timeout(self.deadline)
            .with_trace(trace.child(&self.dice))
    }
}

/// The offsets of these items as runs: first, and one past the last.
fn runs(items: &[Item<Delivery>]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for item in items {
        match runs.last_mut() {
            Some((_, end)) if *end == item.offset => *end += 1,
            _ => runs.push((item.offset, item.offset + 1)),
        }
    }
    runs
}
