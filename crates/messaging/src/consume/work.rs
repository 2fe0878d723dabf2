//! Handlers whose effects are outside of the store: at least once.

use super::caught::caught;
use super::effects::{Contexts, outcome};
use super::failure::Failure;
use super::group::Group;
use super::run::{Load, Ran, Run};
use super::{Deliver, Setup, Work, identity};
use crate::Record;
use crate::engine::Delivery;
use crate::event::{self, Event};
use async_trait::async_trait;
use backlot_core::{Context, Timestamp};
use std::fmt;
use std::marker::PhantomData;

/// One piece of work.
#[derive(Debug)]
pub struct Job<E> {
    /// What is to be done.
    pub event: E,
    /// The same whenever this job comes again: give it to whoever can tell by it that the effect was
    /// made.
    pub effect: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// When the message was stored.
    pub stored: Timestamp,
    /// The message itself.
    pub record: Record,
}

/// A worker.
pub(super) struct Working<E, W> {
    worker: W,
    contexts: Contexts,
    event: PhantomData<fn() -> E>,
}

impl<E: Event, W: Work<E>> Working<E, W> {
    pub(super) fn new(setup: &Setup, group: &Group, worker: W) -> Self {
        Working {
            worker,
            contexts: Contexts::new(setup, group),
            event: PhantomData,
        }
    }

    async fn work(&self, delivery: &Delivery) -> Result<bool, Failure> {
        let event = event::decode::<E>(&delivery.record)?;
        let (cx, job) = (self.contexts.of(&delivery.record), Job::of(event, delivery));
        timely(&cx, self.worker.work(&cx, &job)).await
    }
}

/// Until the deadline.
async fn timely(
    cx: &Context,
    working: impl Future<Output = Result<(), Failure>>,
) -> Result<bool, Failure> {
    match tokio::time::timeout_at(cx.deadline().instant(), working).await {
        Ok(worked) => worked.map(|()| true),
        Err(_elapsed) => Err(Failure::late()),
    }
}

impl<E> Job<E> {
    fn of(event: E, delivery: &Delivery) -> Self {
        Job {
            event,
            effect: identity::of(&delivery.record),
            attempt: delivery.attempts.saturating_add(1),
            stored: delivery.stored,
            record: delivery.record.clone(),
        }
    }
}

/// Whoever takes messages as they are.
pub(super) struct Delivering<D> {
    deliverer: D,
    contexts: Contexts,
}

impl<D: Deliver> Delivering<D> {
    pub(super) fn new(setup: &Setup, group: &Group, deliverer: D) -> Self {
        Delivering {
            deliverer,
            contexts: Contexts::new(setup, group),
        }
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<bool, Failure> {
        let (cx, job) = (self.contexts.of(&delivery.record), Job::of((), delivery));
        timely(&cx, self.deliverer.deliver(&cx, &job)).await
    }
}

#[async_trait]
impl<D: Deliver> Run for Delivering<D> {
    async fn run(&self, load: Load) -> Ran {
        let mut items = Vec::with_capacity(load.items.len());
        for item in load.items {
            let delivered = caught(self.deliver(&item.message)).await;
            items.push((item, outcome(delivered)));
        }
        Ran {
            items,
            has_marked: false,
        }
    }
}

#[async_trait]
impl<E: Event, W: Work<E>> Run for Working<E, W> {
    async fn run(&self, load: Load) -> Ran {
        let mut items = Vec::with_capacity(load.items.len());
        for item in load.items {
            let worked = caught(self.work(&item.message)).await;
            items.push((item, outcome(worked)));
        }
        Ran {
            items,
            has_marked: false,
        }
    }
}

impl<E, W> fmt::Debug for Working<E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Working").finish_non_exhaustive()
    }
}

impl<D> fmt::Debug for Delivering<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivering").finish_non_exhaustive()
    }
}
