//! A worker's end of a queue of events.

use super::{Answer, Ask, Lease, Leased, MAX_LEASE, Queues};
use crate::consume::Job;
use crate::event::{self, Event};
use crate::{Error, Record};
use backlot_core::{Context, Timestamp};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Pulls events for one worker. Cheap to clone.
pub struct Puller<E> {
    queues: Arc<dyn Queues>,
    ask: Ask,
    event: PhantomData<fn() -> E>,
}

/// An event that is this worker's until its lease is over.
#[must_use = "what is dropped without an answer comes again when its lease is over"]
pub struct Pulled<E> {
    /// What is to be done.
    pub event: E,
    /// The same whenever this event comes again: give it to whoever can tell by it that the effect
    /// was made.
    pub effect: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// When it was stored.
    pub stored: Timestamp,
    /// Until when it is this worker's, unless it is extended.
    pub until: Timestamp,
    /// The message itself.
    pub record: Record,
    lease: Lease,
    queues: Arc<dyn Queues>,
}

impl<E: Event> Puller<E> {
    /// A worker of a group that reads the event's topic, with leases of 30 s.
    #[must_use]
    pub fn new(
        queues: Arc<dyn Queues>,
        group: impl Into<String>,
        worker: impl Into<String>,
    ) -> Self {
        Puller {
            queues,
            ask: Ask::new(E::TOPIC, group, worker),
            event: PhantomData,
        }
    }

    /// Reads this topic instead of the event's own.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.ask.topic = topic.into();
        self
    }

    /// How long each event is this worker's, from 1 ms to a day.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.ask.lease = lease;
        self
    }

    /// With which attempt that fails an event goes to the dead letters, at least 1. Default: 8.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.ask.attempts = attempts;
        self
    }

    /// Up to `max` events, from 1 to 1,000; none when none came in time. What is no such event goes
    /// to the dead letters.
    ///
    /// # Errors
    /// As [`Queues::pull`].
    pub async fn next(
        &self,
        cx: &Context,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Pulled<E>>, Error> {
        let end = Instant::now() + wait.min(MAX_LEASE);
        loop {
            let ask = Ask {
                max,
                wait: end.saturating_duration_since(Instant::now()),
                ..self.ask.clone()
            };
            let leased = self.queues.pull(cx, &ask).await?;
            let is_empty = leased.is_empty();
            let (mut pulled, mut refused) = (Vec::with_capacity(leased.len()), Vec::new());
            for leased in leased {
                match event::decode::<E>(&leased.record) {
                    Ok(event) => pulled.push(Pulled::new(&self.queues, event, leased)),
                    Err(error) => refused.push((leased.lease, Answer::Reject(error.to_string()))),
                }
            }
            if !refused.is_empty()
                && let Err(error) = self.queues.answer(cx, refused).await
            {
                // They come again when their leases are over, and are refused again.
                tracing::warn!(%error, topic = self.ask.topic, "what is no event could not be refused");
            }
            if is_empty || !pulled.is_empty() {
                return Ok(pulled);
            }
        }
    }
}

impl<E> Pulled<E> {
    fn new(queues: &Arc<dyn Queues>, event: E, leased: Leased) -> Self {
        Pulled {
            event,
            effect: leased.effect,
            attempt: leased.attempt,
            stored: leased.stored,
            until: leased.until,
            record: leased.record,
            lease: leased.lease,
            queues: Arc::clone(queues),
        }
    }

    /// The job, and what answers for it.
    pub(super) fn split(self) -> (Job<E>, Pulled<()>) {
        let answering = Pulled {
            event: (),
            effect: self.effect.clone(),
            attempt: self.attempt,
            stored: self.stored,
            until: self.until,
            record: self.record.clone(),
            lease: self.lease,
            queues: self.queues,
        };
        let job = Job {
            event: self.event,
            effect: self.effect,
            attempt: self.attempt,
            stored: self.stored,
            record: self.record,
        };
        (job, answering)
    }

    /// It is done. Answers whether it still was this worker's: if not, it comes again, or did.
    ///
    /// # Errors
    /// As [`Queues::answer`], here and below.
    pub async fn done(&self, cx: &Context) -> Result<bool, Error> {
        self.answer(cx, Answer::Done).await
    }

    /// It failed for this reason, and comes again after this time, or after a growing pause.
    ///
    /// # Errors
    /// As [`done`](Pulled::done).
    pub async fn retry(
        &self,
        cx: &Context,
        why: impl Into<String>,
        after: Option<Duration>,
    ) -> Result<bool, Error> {
        let failure = Some(why.into());
        self.answer(cx, Answer::Retry { after, failure }).await
    }

    /// It was not tried, and comes again after this time.
    ///
    /// # Errors
    /// As [`done`](Pulled::done).
    pub async fn put_off(&self, cx: &Context, wait: Duration) -> Result<bool, Error> {
        let (after, failure) = (Some(wait), None);
        self.answer(cx, Answer::Retry { after, failure }).await
    }

    /// It was not tried: another worker may have it at once.
    ///
    /// # Errors
    /// As [`done`](Pulled::done).
    pub async fn give_back(&self, cx: &Context) -> Result<bool, Error> {
        let (after, failure) = (None, None);
        self.answer(cx, Answer::Retry { after, failure }).await
    }

    /// It can never be done, for this reason: it goes to the dead letters.
    ///
    /// # Errors
    /// As [`done`](Pulled::done).
    pub async fn reject(&self, cx: &Context, why: impl Into<String>) -> Result<bool, Error> {
        self.answer(cx, Answer::Reject(why.into())).await
    }

    /// It takes so much longer, from now.
    ///
    /// # Errors
    /// As [`done`](Pulled::done).
    pub async fn extend(&self, cx: &Context, by: Duration) -> Result<bool, Error> {
        self.answer(cx, Answer::Extend(by)).await
    }

    async fn answer(&self, cx: &Context, answer: Answer) -> Result<bool, Error> {
        let answers = vec![(self.lease.clone(), answer)];
        Ok(self.queues.answer(cx, answers).await?.is_empty())
    }
}

impl<E> Clone for Puller<E> {
    fn clone(&self) -> Self {
        Puller {
            queues: Arc::clone(&self.queues),
            ask: self.ask.clone(),
            event: PhantomData,
        }
    }
}

impl<E> fmt::Debug for Puller<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Puller")
            .field("ask", &self.ask)
            .finish_non_exhaustive()
    }
}

impl<E: fmt::Debug> fmt::Debug for Pulled<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulled")
            .field("event", &self.event)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
