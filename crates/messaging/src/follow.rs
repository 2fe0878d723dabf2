//! Following a topic: every process that follows is told what is published from now on, for what it
//! shows or keeps in memory. Nothing is remembered for it: what is published while it is away it
//! misses, and knows that it may have.
//!
//! For effects that must not be missed there are [consumers](crate::consume).

use crate::consume::Setup;
use crate::engine::{Begin, Delivery, Input, Settle, Source, Subscription, TopicSpec};
use crate::event::{self, Event};
use crate::{Error, telemetry};
use async_trait::async_trait;
use backlot_core::backoff::Backoff;
use backlot_core::{Context, Dice};
use backlot_service::telemetry::Count;
use std::fmt;
use std::marker::PhantomData;
use std::pin::pin;
use std::time::Duration;

/// The pauses before an engine is attached to again.
const ATTACH: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(10),
};
/// How long one call of an engine may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most messages that are asked for at once.
const FETCH: usize = 1024;

/// Whoever follows.
#[async_trait]
pub trait Follow<E: Event>: Send + Sync + 'static {
    /// Everything that is published from now on is told, until this is called again: what was
    /// published before it may have been missed.
    async fn begin(&self);

    /// This was published. Events of one key come in their order; some may come twice.
    fn tell(&self, event: E);
}

/// Follows a topic.
pub struct Follower<E, F> {
    setup: Setup,
    group: String,
    follower: F,
    dice: Dice,
    told: Count,
    unread: Count,
    event: PhantomData<fn() -> E>,
}

impl<E: Event, F: Follow<E>> Follower<E, F> {
    /// A follower called `name`; in the engine it is a group of its own, which ends with it. Its
    /// name is this one, that of the member, and a number drawn anew whenever it attaches.
    #[must_use]
    pub fn new(setup: &Setup, name: &str, follower: F) -> Self {
        let counted = |outcome| {
            let labels = [E::TOPIC, name, outcome];
            setup.metrics.counter(&telemetry::FOLLOWED, labels)
        };
        Follower {
            group: format!("{name}.{}", setup.member),
            follower,
            dice: setup.env.dice.split(),
            told: counted("told"),
            unread: counted("undecodable"),
            setup: setup.clone(),
            event: PhantomData,
        }
    }

    /// Follows until `stop` is done. It never ends by itself: an engine that fails or is away is
    /// attached to again, with pauses.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (mut following, mut stop) = (pin!(self.follow()), pin!(stop));
        tokio::select! {
            biased;
            () = &mut stop => {}
            () = &mut following => {}
        }
    }

    async fn follow(&self) {
        let mut failures = 0;
        loop {
            let error = match self.attach().await {
                Ok(mut source) => {
                    failures = 0;
                    self.follower.begin().await;
                    loop {
                        if let Err(error) = self.read(&mut *source).await {
                            break error;
                        }
                    }
                }
                Err(error) => error,
            };
            failures += 1;
            tracing::warn!(
                error = backlot_core::error::chain(&error),
                topic = E::TOPIC,
                group = self.group,
                failures,
                "a topic cannot be followed now, which is tried again"
            );
            tokio::time::sleep(ATTACH.wait(failures, &self.dice)).await;
        }
    }

    async fn attach(&self) -> Result<Box<dyn Source>, Error> {
        let engine = &self.setup.engine;
        // Never one that was there before: a member of it that died would keep some of the
        // partitions until its lease has ended.
        let group = format!("{}.{:08x}", self.group, self.dice.below(1 << 32));
        let subscription = Subscription {
            member: self.setup.member.clone(),
            from: Begin::Newest,
            ephemeral: true,
            in_flight: FETCH as u32,
            ..Subscription::new(E::TOPIC, group)
        };
        match engine.attach(&self.cx(), &subscription).await {
            Err(Error::UnknownTopic { .. }) => {
                let spec = TopicSpec::new(E::TOPIC, E::PARTITIONS);
                engine.ensure(&self.cx(), &spec).await?;
                engine.attach(&self.cx(), &subscription).await
            }
            attached => attached,
        }
    }

    async fn read(&self, source: &mut dyn Source) -> Result<(), Error> {
        match source.next(FETCH).await? {
            Input::Deliveries(deliveries) => {
                let tokens = deliveries.iter().map(|delivery| delivery.token);
                let done = tokens.map(|token| (token, Settle::Done)).collect();
                for delivery in deliveries {
                    self.tell(&delivery);
                }
                // What is stale comes again, or to nobody: either is right here.
                drop(source.settle(done).await?);
            }
            Input::Skipped { .. } => self.follower.begin().await,
            Input::Assigned(_) | Input::Revoked { .. } => {}
        }
        Ok(())
    }

    fn tell(&self, delivery: &Delivery) {
        match event::decode::<E>(&delivery.record) {
            Ok(event) => {
                self.told.inc();
                self.follower.tell(event);
            }
            Err(error) => {
                self.unread.inc();
                tracing::warn!(
                    %error,
                    topic = E::TOPIC,
                    id = delivery.record.id,
                    "an event that cannot be read is passed over"
                );
            }
        }
    }

    fn cx(&self) -> Context {
        Context::system(self.setup.service).with_timeout(PATIENCE)
    }
}

impl<E, F> fmt::Debug for Follower<E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
