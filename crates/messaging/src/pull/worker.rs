//! Work that is pulled from a queue, message by message.

use super::{MAX_LEASE, Pulled, Puller, Queues};
use crate::consume::caught::caught;
use crate::consume::effects::Contexts;
use crate::consume::failure::Asks;
use crate::consume::{Failure, Group, Setup, Work};
use crate::engine::{Engine, TopicSpec};
use crate::{Error, Event};
use backlot_core::backoff::Backoff;
use backlot_core::{Context, Dice};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a pull waits for a message: a broker that stops is not kept by those who wait.
const WAIT: Duration = Duration::from_secs(20);
/// How much longer its answer may take.
const SLACK: Duration = Duration::from_secs(10);
/// How long is waited before a queue that is away is asked again.
const AWAY: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(5),
};

/// Does the work that messages of a group ask for, so many at a time, beside others of the group in
/// other processes: who is free takes the next one, whatever partition it lies in.
///
/// Its leases are short and renewed while it works, so that what a process that dies had is with
/// another soon. Of the group it keeps name, topic, attempts, pauses, concurrency, lease, deadline,
/// drain and durability; there is no order.
pub struct Worker<E, W>(Arc<Inner<E, W>>);

struct Inner<E, W> {
    puller: Puller<E>,
    worker: W,
    group: Group,
    contexts: Contexts,
    engine: Arc<dyn Engine>,
    topic: String,
    service: &'static str,
    dice: Dice,
}

impl<E: Event, W: Work<E>> Worker<E, W> {
    /// A worker of this group, which is named after the member of `setup`.
    ///
    /// # Errors
    /// [`Error::Lacking`] when the engine does not promise what the group needs.
    pub fn new(
        setup: &Setup,
        queues: Arc<dyn Queues>,
        group: Group,
        worker: W,
    ) -> Result<Self, Error> {
        setup.engine.caps().check(&group.needs())?;
        let topic = group.topic.clone();
        let topic = topic.unwrap_or_else(|| E::TOPIC.to_owned());
        let puller = Puller::new(queues, group.name(), setup.member.clone())
            .topic(topic.as_str())
            .lease(group.lease.min(MAX_LEASE))
            .attempts(group.attempts);
        Ok(Worker(Arc::new(Inner {
            puller,
            worker,
            contexts: Contexts::new(setup, &group),
            engine: Arc::clone(&setup.engine),
            topic,
            service: setup.service,
            dice: setup.env.dice.split(),
            group,
        })))
    }

    /// Works until `stop` is done; then finishes what it has, for as long as
    /// [`drain`](Group::drain) allows, and gives back the rest. A queue that fails or is away is
    /// asked again, with pauses.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, told) = watch::channel(false);
        // Ended with this future.
        let mut hands = JoinSet::new();
        for _ in 0..self.0.group.concurrency {
            let (inner, told) = (Arc::clone(&self.0), told.clone());
            hands.spawn(async move { inner.work(told).await });
        }
        stop.await;
        stopping.send_replace(true);
        while hands.join_next().await.is_some() {}
    }
}

impl<E: Event, W: Work<E>> Inner<E, W> {
    /// One hand: one message at a time.
    async fn work(&self, mut told: watch::Receiver<bool>) {
        let mut away = 0;
        while !*told.borrow() {
            let cx = Context::system(self.service).with_timeout(WAIT + SLACK);
            let pulled = tokio::select! {
                biased;
                _ = told.wait_for(|stopping| *stopping) => return,
                pulled = self.next(&cx) => pulled,
            };
            match pulled {
                Ok(pulled) => {
                    away = 0;
                    for pulled in pulled {
                        self.one(pulled, &mut told).await;
                    }
                }
                Err(error) => {
                    away += 1;
                    if away == 1 {
                        tracing::warn!(
                            error = backlot_core::error::chain(&error),
                            group = self.group.name(),
                            "the queue is away; it is asked again, with pauses"
                        );
                    }
                    tokio::select! {
                        biased;
                        _ = told.wait_for(|stopping| *stopping) => return,
                        () = tokio::time::sleep(AWAY.wait(away, &self.dice)) => {}
                    }
                }
            }
        }
    }

    /// The next message; the topic is made when it is not there.
    async fn next(&self, cx: &Context) -> Result<Vec<Pulled<E>>, Error> {
        match self.puller.next(cx, 1, WAIT).await {
            Err(Error::UnknownTopic { .. }) => {
                let spec = TopicSpec::new(self.topic.as_str(), E::PARTITIONS);
                self.engine.ensure(cx, &spec).await?;
                self.puller.next(cx, 1, WAIT).await
            }
            pulled => pulled,
        }
    }

    async fn one(&self, pulled: Pulled<E>, told: &mut watch::Receiver<bool>) {
        let (job, answering) = pulled.split();
        let cx = self.contexts.of(&job.record);
        let renewing = async {
            // Thrice within a lease, so that one that is lost on the way ends none.
            let every = self.group.lease / 3;
            loop {
                tokio::time::sleep(every).await;
                let cx = Context::system(self.service).with_timeout(every);
                match answering.extend(&cx, self.group.lease).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => tracing::debug!(%error, "a lease was not renewed"),
                }
            }
        };
        let draining = async {
            // The sender lives as long as this worker runs.
            drop(told.wait_for(|stopping| *stopping).await);
            tokio::time::sleep(self.group.drain).await;
        };
        let working =
            tokio::time::timeout_at(cx.deadline().instant(), caught(self.worker.work(&cx, &job)));
        let worked = tokio::select! {
            biased;
            worked = working => Some(match worked {
                Ok(Ok(worked)) => worked,
                Ok(Err(words)) => Err(Failure::panicked(&words)),
                Err(_elapsed) => Err(Failure::late()),
            }),
            // Another has it now, or will: what this one does is for nothing.
            () = renewing => None,
            () = draining => {
                let cx = Context::system(self.service).with_timeout(SLACK);
                drop(answering.give_back(&cx).await);
                None
            }
        };
        let Some(worked) = worked else { return };
        let cx = Context::system(self.service).with_timeout(SLACK);
        let answered = match worked {
            Ok(()) => answering.done(&cx).await,
            Err(failure) => {
                // What is empty would say that it was not tried.
                let said = match failure.message() {
                    "" => "it failed without a word".to_owned(),
                    said => said.to_owned(),
                };
                match failure.asks() {
                    Asks::Dead => answering.reject(&cx, said).await,
                    Asks::Later(wait) => answering.put_off(&cx, wait).await,
                    Asks::Retry(wait) => {
                        let pause = || self.group.backoff.wait(job.attempt, &self.dice);
                        let wait = wait.unwrap_or_else(pause);
                        answering.retry(&cx, said, Some(wait)).await
                    }
                }
            }
        };
        match answered {
            Ok(true) => {}
            Ok(false) => tracing::info!(
                group = self.group.name(),
                message = job.record.id,
                "the lease was over before it was answered; the message comes again"
            ),
            Err(error) => tracing::warn!(
                error = backlot_core::error::chain(&error),
                group = self.group.name(),
                message = job.record.id,
                "an answer may be lost; then the message comes again"
            ),
        }
    }
}

impl<E, W> fmt::Debug for Worker<E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("puller", &self.0.puller)
            .finish_non_exhaustive()
    }
}
