//! The queues of another process.

use super::{Shared, changing};
use crate::contract::QueueClient;
use crate::contract::broker::v1 as proto;
use crate::wire::failure::{Asks, of_call};
use crate::wire::{millis, queues};
use async_trait::async_trait;
use backlot_core::Context;
use backlot_messaging::Error;
use backlot_messaging::pull::{
    Answer, Ask, Lease, Leased, MAX_LEASE, MAX_MESSAGES, QueueReport, Queues,
};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long one call waits: an answer that is lost keeps its messages from others.
const WAIT: Duration = Duration::from_secs(10);

/// The queues of the broker that is reached by this.
pub(super) struct Far {
    pub(super) shared: Arc<Shared>,
    pub(super) client: QueueClient,
}

impl Far {
    async fn tell(
        &self,
        cx: &Context,
        leases: Vec<String>,
        answer: &Answer,
    ) -> Result<Vec<String>, backlot_core::Error> {
        let secret = self.shared.secret();
        let client = &self.client;
        Ok(match answer {
            Answer::Done => {
                let request = proto::AcknowledgeRequest { leases, secret };
                client.acknowledge(cx, request).await?.over
            }
            Answer::Retry { after, failure } => {
                let request = proto::RetryRequest {
                    leases,
                    after_ms: after.map(millis),
                    failure: failure.clone().unwrap_or_default(),
                    secret,
                };
                client.retry(cx, request).await?.over
            }
            Answer::Reject(why) => {
                let request = proto::RejectRequest {
                    leases,
                    reason: why.clone(),
                    secret,
                };
                client.reject(cx, request).await?.over
            }
            Answer::Extend(by) => {
                let request = proto::ExtendRequest {
                    leases,
                    for_ms: millis(*by),
                    secret,
                };
                client.extend(cx, request).await?.over
            }
        })
    }
}

#[async_trait]
impl Queues for Far {
    async fn pull(&self, cx: &Context, ask: &Ask) -> Result<Vec<Leased>, Error> {
        let end = Instant::now() + ask.wait.min(MAX_LEASE);
        loop {
            self.shared.check(cx)?;
            let left = end.saturating_duration_since(Instant::now());
            let request = proto::PullRequest {
                secret: self.shared.secret(),
                ..queues::ask(&Ask {
                    wait: left.min(WAIT),
                    ..ask.clone()
                })
            };
            let pulled = self.client.pull(cx, request).await;
            let pulled = pulled.map_err(|error| changing(&error))?;
            if !pulled.messages.is_empty() || left <= WAIT {
                let leased = pulled.messages.into_iter().map(queues::leased_of);
                let leased = leased.collect::<Result<_, _>>();
                return leased.map_err(|error| changing(&error));
            }
        }
    }

    async fn answer(
        &self,
        cx: &Context,
        answers: Vec<(Lease, Answer)>,
    ) -> Result<Vec<Lease>, Error> {
        let mut over = Vec::new();
        let mut answers = answers.into_iter().peekable();
        while let Some((Lease(first), answer)) = answers.next() {
            self.shared.check(cx)?;
            // Those that are alike go together.
            let mut leases = vec![first];
            while leases.len() < MAX_MESSAGES
                && let Some((Lease(lease), _)) = answers.next_if(|(_, next)| *next == answer)
            {
                leases.push(lease);
            }
            let told = self.tell(cx, leases, &answer).await;
            let told = told.map_err(|error| changing(&error))?;
            over.extend(told.into_iter().map(Lease));
        }
        Ok(over)
    }

    async fn queues(&self, cx: &Context) -> Result<Vec<QueueReport>, Error> {
        self.shared.check(cx)?;
        let request = proto::ListQueuesRequest {
            secret: self.shared.secret(),
        };
        let listed = self.client.list_queues(cx, request).await;
        let listed = listed.map_err(|error| of_call(&error, Asks::ToKnow))?;
        let queues = listed.queues.into_iter().map(queues::report_of);
        let queues = queues.collect::<Result<_, _>>();
        queues.map_err(|error| of_call(&error, Asks::ToKnow))
    }
}

impl fmt::Debug for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Far").finish_non_exhaustive()
    }
}
