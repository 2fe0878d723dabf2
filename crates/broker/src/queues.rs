//! Queues of a broker, over the wire: the contract above a desk.

use crate::access::Access;
use crate::contract::Queue;
use crate::contract::broker::v1 as proto;
use crate::server::{MAX_WAIT, earlier};
use crate::wire::failure::public;
use crate::wire::{self, lacks};
use async_trait::async_trait;
use backlot_core::{Clock, Context, Dice, Env, Error};
use backlot_messaging::engine::Outgoing;
use backlot_messaging::pull::{Answer, Lease, Queues};
use backlot_messaging::{Engine, Headers, Record};
use proto::sent_message::Body;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Who publishes when nobody is known.
const NOBODY: &str = "unknown";

/// Serves queues: `contract::queue(server)` mounts it. Cheap to clone.
#[derive(Clone)]
pub struct QueueServer(Arc<Inner>);

struct Inner {
    engine: Arc<dyn Engine>,
    queues: Arc<dyn Queues>,
    access: Access,
    clock: Clock,
    dice: Dice,
}

impl QueueServer {
    /// Serves the queues of `engine` to those who have `access`.
    #[must_use]
    pub fn new(
        engine: Arc<dyn Engine>,
        queues: Arc<dyn Queues>,
        access: Access,
        env: &Env,
    ) -> Self {
        QueueServer(Arc::new(Inner {
            engine,
            queues,
            access,
            clock: env.clock.clone(),
            dice: env.dice.split(),
        }))
    }

    fn outgoing(
        &self,
        cx: &Context,
        topic: &Arc<str>,
        message: proto::SentMessage,
    ) -> Result<Outgoing, Error> {
        let (clock, dice) = (&self.0.clock, &self.0.dice);
        let now = clock.wall();
        let mut headers = Headers::default();
        for header in message.headers {
            headers.set(header.name, header.value);
        }
        let version = match (message.kind.is_empty(), message.version) {
            (false, 0) => 1,
            (_, version) => version,
        };
        let id = match message.id {
            none if none.is_empty() => dice.uuid(),
            id => id,
        };
        let payload = match message.body.ok_or_else(|| lacks("messages.text"))? {
            Body::Text(text) => text.into(),
            Body::Payload(bytes) => bytes.into(),
        };
        let after = message.after_ms.map(Duration::from_millis);
        Ok(Outgoing {
            topic: Arc::clone(topic),
            record: Record {
                id,
                kind: message.kind.into(),
                version,
                source: cx.principal().subject().unwrap_or(NOBODY).into(),
                time: now,
                key: message.key,
                headers,
                payload,
            },
            due: after.map(|after| now.plus(after)),
            dedupe: message.dedupe,
        })
    }

    async fn answer(
        &self,
        cx: &Context,
        leases: Vec<String>,
        answer: Answer,
    ) -> Result<Vec<String>, Error> {
        let leases = leases.into_iter().map(Lease);
        let answers = leases.map(|lease| (lease, answer.clone())).collect();
        let over = self.0.queues.answer(&earlier(cx), answers).await;
        let over = over.map_err(public)?;
        Ok(over.into_iter().map(|Lease(lease)| lease).collect())
    }
}

#[async_trait]
impl Queue for QueueServer {
    async fn send(
        &self,
        cx: &Context,
        request: proto::SendRequest,
    ) -> Result<proto::SendResponse, Error> {
        self.0.access.check(cx, &request.secret)?;
        let topic: Arc<str> = request.topic.into();
        let messages = request.messages.into_iter();
        let messages: Vec<Outgoing> = messages
            .map(|message| self.outgoing(cx, &topic, message))
            .collect::<Result<_, _>>()?;
        let ids: Vec<String> = messages
            .iter()
            .map(|message| message.record.id.clone())
            .collect();
        let receipts = self.0.engine.append(&earlier(cx), messages).await;
        let receipts = receipts.map_err(public)?.into_iter().map(wire::receipt);
        let receipts = ids
            .into_iter()
            .zip(receipts)
            .map(|(id, receipt)| proto::SentReceipt {
                id,
                outcome: receipt.outcome,
                position: receipt.position,
            });
        Ok(proto::SendResponse {
            receipts: receipts.collect(),
        })
    }

    async fn pull(
        &self,
        cx: &Context,
        request: proto::PullRequest,
    ) -> Result<proto::PullResponse, Error> {
        self.0.access.check(cx, &request.secret)?;
        let left = cx.deadline().remaining();
        let most = MAX_WAIT.min(left.saturating_sub(left / 10));
        let mut ask = wire::queues::ask_of(request);
        ask.wait = ask.wait.min(most);
        let leased = self.0.queues.pull(cx, &ask).await.map_err(public)?;
        Ok(proto::PullResponse {
            messages: leased.into_iter().map(wire::queues::leased).collect(),
        })
    }

    async fn acknowledge(
        &self,
        cx: &Context,
        request: proto::AcknowledgeRequest,
    ) -> Result<proto::AcknowledgeResponse, Error> {
        self.0.access.check(cx, &request.secret)?;
        let over = self.answer(cx, request.leases, Answer::Done).await?;
        Ok(proto::AcknowledgeResponse { over })
    }

    async fn retry(
        &self,
        cx: &Context,
        request: proto::RetryRequest,
    ) -> Result<proto::RetryResponse, Error> {
        self.0.access.check(cx, &request.secret)?;
        let answer = Answer::Retry {
            after: request.after_ms.map(Duration::from_millis),
            failure: Some(request.failure).filter(|failure| !failure.is_empty()),
        };
        let over = self.answer(cx, request.leases, answer).await?;
        Ok(proto::RetryResponse { over })
    }

    async fn reject(
        &self,
        cx: &Context,
        request: proto::RejectRequest,
    ) -> Result<proto::RejectResponse, Error> {
        self.0.access.check(cx, &request.secret)?;
        let answer = Answer::Reject(request.reason);
        let over = self.answer(cx, request.leases, answer).await?;
        Ok(proto::RejectResponse { over })
    }

    async fn extend(
        &self,
        cx: &Context,
        request: proto::ExtendRequest,
    ) -> Result<proto::ExtendResponse, Error> {
        self.0.access.check(cx, &request.secret)?;
        let answer = Answer::Extend(Duration::from_millis(request.for_ms));
        let over = self.answer(cx, request.leases, answer).await?;
        Ok(proto::ExtendResponse { over })
    }

    async fn list_queues(
        &self,
        cx: &Context,
        request: proto::ListQueuesRequest,
    ) -> Result<proto::ListQueuesResponse, Error> {
        self.0.access.check(cx, &request.secret)?;
        let queues = self.0.queues.queues(cx).await.map_err(public)?;
        Ok(proto::ListQueuesResponse {
            queues: queues.into_iter().map(wire::queues::report).collect(),
        })
    }
}

impl fmt::Debug for QueueServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueServer")
            .field("queues", &self.0.queues)
            .finish_non_exhaustive()
    }
}
