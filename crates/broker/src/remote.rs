//! The engine of another process.
//!
//! It is what an engine is, save that its process may be away: calls say so with
//! [`Error::Away`], when nothing can have happened, or with [`Error::Unknown`], when the answer was
//! lost. After the broker was started again its sessions are gone: a
//! [`Source`] answers [`Error::Closed`], and its owner attaches anew.

mod letters;
mod publish;
mod queues;
mod source;

use crate::contract::broker::v1 as proto;
use crate::contract::{BrokerClient, QueueClient};
use crate::wire::failure::{Asks, of_call};
use crate::wire::{self, millis, strange};
use async_trait::async_trait;
use backlot_core::{Context, Dice, Env};
use backlot_messaging::caps::Durability;
use backlot_messaging::dead::DeadLetters;
use backlot_messaging::engine::{
    Begin, Outgoing, Receipt, Report, Seek, Source, Subscription, TopicReport, TopicSpec,
};
use backlot_messaging::pull::Queues;
use backlot_messaging::{Caps, Engine, Error};
use backlot_service::Tasks;
use parking_lot::Mutex;
use proto::seek_request::To;
use source::Session;
use std::fmt;
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// What is expected of a broker before it said what it promises: what the embedded log does. The
/// broker checks what a subscription needs itself.
pub(crate) const EXPECTED: Caps = Caps {
    name: "embedded",
    durability: Durability::Disk,
    order: true,
    single_acks: true,
    retry_at: true,
    delay: true,
    dedupe: true,
    atomic_dead: true,
    seek_offset: true,
    seek_time: true,
    starts: true,
};

/// An engine of another process. Clones share it.
#[derive(Clone)]
pub struct Remote(Arc<Shared>);

struct Shared {
    client: BrokerClient,
    /// The way to its queues, if there is one.
    queues: OnceLock<QueueClient>,
    /// None for those who show a token.
    secret: Option<[u8; 32]>,
    dice: Dice,
    tasks: Tasks,
    caps: Mutex<Caps>,
    closed: watch::Sender<bool>,
}

impl Remote {
    /// The broker that `client` reaches, to which `secret` is known. Members that are dropped leave
    /// by tasks of `tasks`.
    #[must_use]
    pub fn new(client: BrokerClient, secret: [u8; 32], env: &Env, tasks: &Tasks) -> Self {
        Remote::with(client, Some(secret), env, tasks)
    }

    /// The broker that `client` reaches, for a user: the token of each call's context says who asks,
    /// and has to have the role [`OPERATOR`](crate::access::OPERATOR).
    #[must_use]
    pub fn for_operator(client: BrokerClient, env: &Env, tasks: &Tasks) -> Self {
        Remote::with(client, None, env, tasks)
    }

    /// The same, whose queues `client` reaches.
    #[must_use]
    pub fn with_queues(self, client: QueueClient) -> Self {
        // Whoever says it twice speaks of the same broker.
        self.0.queues.get_or_init(|| client);
        self
    }

    fn with(client: BrokerClient, secret: Option<[u8; 32]>, env: &Env, tasks: &Tasks) -> Self {
        Remote(Arc::new(Shared {
            client,
            queues: OnceLock::new(),
            secret,
            dice: env.dice.branch("broker"),
            tasks: tasks.clone(),
            caps: Mutex::new(EXPECTED),
            closed: watch::Sender::new(false),
        }))
    }
}

impl Shared {
    fn secret(&self) -> Vec<u8> {
        self.secret.map(Vec::from).unwrap_or_default()
    }

    /// What every call is checked for before it is made.
    fn check(&self, cx: &Context) -> Result<(), Error> {
        if *self.closed.borrow() {
            return Err(Error::Closed);
        }
        if cx.deadline().has_passed() {
            return Err(Error::Late);
        }
        Ok(())
    }

    fn learn(&self, promises: Option<&proto::Promises>) {
        if let Some(promises) = promises {
            *self.caps.lock() = wire::promises_of(promises);
        }
    }
}

fn changing(error: &backlot_core::Error) -> Error {
    of_call(error, Asks::ToChange)
}

#[async_trait]
impl Engine for Remote {
    fn caps(&self) -> Caps {
        *self.0.caps.lock()
    }

    async fn ensure(&self, cx: &Context, spec: &TopicSpec) -> Result<(), Error> {
        self.0.check(cx)?;
        let request = proto::EnsureTopicRequest {
            topic: spec.name.clone(),
            partitions: spec.partitions,
            retention_ms: spec.retention.map(millis),
            retention_bytes: spec.retention_bytes,
            dedupe_ms: Some(millis(spec.dedupe)),
            secret: self.0.secret(),
        };
        let ensured = self.0.client.ensure_topic(cx, request).await;
        let ensured = ensured.map_err(|error| changing(&error))?;
        self.0.learn(ensured.promises.as_ref());
        Ok(())
    }

    async fn append(&self, cx: &Context, outgoing: Vec<Outgoing>) -> Result<Vec<Receipt>, Error> {
        self.0.publish(cx, outgoing, false).await
    }

    async fn try_append(
        &self,
        cx: &Context,
        outgoing: Vec<Outgoing>,
    ) -> Result<Vec<Receipt>, Error> {
        self.0.publish(cx, outgoing, true).await
    }

    async fn attach(
        &self,
        cx: &Context,
        subscription: &Subscription,
    ) -> Result<Box<dyn Source>, Error> {
        self.0.check(cx)?;
        let needs = subscription.needs;
        let request = proto::JoinRequest {
            topic: subscription.topic.clone(),
            group: subscription.group.clone(),
            member: subscription.member.clone(),
            from_newest: subscription.from == Begin::Newest,
            ephemeral: subscription.ephemeral,
            lease_ms: Some(millis(subscription.lease)),
            drain_ms: Some(millis(subscription.drain)),
            in_flight: subscription.in_flight,
            needs_durability: wire::durability(needs.durability).into(),
            needs_order: needs.order,
            needs_retry_at: needs.retry_at,
            secret: self.0.secret(),
        };
        let joined = self.0.client.join(cx, request).await;
        let joined = joined.map_err(|error| changing(&error))?;
        self.0.learn(joined.promises.as_ref());
        if joined.session.is_empty() {
            return Err(changing(&strange("no session")));
        }
        let shared = Arc::clone(&self.0);
        let session = Session::new(shared, joined.session, subscription);
        Ok(Box::new(session))
    }

    async fn inspect(
        &self,
        cx: &Context,
        topic: &str,
        group: Option<&str>,
    ) -> Result<Report, Error> {
        self.0.check(cx)?;
        let request = proto::InspectRequest {
            topic: topic.to_owned(),
            group: group.unwrap_or_default().to_owned(),
            secret: self.0.secret(),
        };
        let report = self.0.client.inspect(cx, request).await;
        let report = report.map_err(|error| of_call(&error, Asks::ToKnow))?;
        Ok(wire::report::report_of(report))
    }

    async fn seek(&self, cx: &Context, topic: &str, group: &str, to: Seek) -> Result<(), Error> {
        self.0.check(cx)?;
        let to = match to {
            Seek::Oldest => To::Oldest(proto::Oldest {}),
            Seek::Newest => To::Newest(proto::Newest {}),
            Seek::Offset(position) => To::Position(wire::position(position)),
            Seek::Time(time) => To::Time(time.0),
        };
        let request = proto::SeekRequest {
            topic: topic.to_owned(),
            group: group.to_owned(),
            to: Some(to),
            secret: self.0.secret(),
        };
        let sought = self.0.client.seek(cx, request).await;
        sought.map(drop).map_err(|error| changing(&error))
    }

    async fn pause(
        &self,
        cx: &Context,
        topic: &str,
        group: &str,
        paused: bool,
    ) -> Result<(), Error> {
        self.0.check(cx)?;
        let request = proto::PauseRequest {
            topic: topic.to_owned(),
            group: group.to_owned(),
            paused,
            secret: self.0.secret(),
        };
        let done = self.0.client.pause(cx, request).await;
        done.map(drop).map_err(|error| changing(&error))
    }

    async fn topics(&self, cx: &Context) -> Result<Vec<TopicReport>, Error> {
        self.0.check(cx)?;
        let request = proto::ListTopicsRequest {
            secret: self.0.secret(),
        };
        let listed = self.0.client.list_topics(cx, request).await;
        let listed = listed.map_err(|error| of_call(&error, Asks::ToKnow))?;
        let topics = listed.topics.into_iter().map(wire::report::topic_of);
        Ok(topics.collect())
    }

    async fn forget(&self, cx: &Context, topic: &str, group: &str) -> Result<(), Error> {
        self.0.check(cx)?;
        let request = proto::ForgetGroupRequest {
            topic: topic.to_owned(),
            group: group.to_owned(),
            secret: self.0.secret(),
        };
        let done = self.0.client.forget_group(cx, request).await;
        done.map(drop).map_err(|error| changing(&error))
    }

    /// Those of the broker, which says [`Error::Lacking`] if its engine keeps none.
    fn dead_letters(&self) -> Option<Arc<dyn DeadLetters>> {
        Some(Arc::new(letters::Index(Arc::clone(&self.0))))
    }

    /// Those of the broker, if a way to them was [given](Remote::with_queues).
    fn queues(&self) -> Option<Arc<dyn Queues>> {
        let client = self.0.queues.get()?.clone();
        let shared = Arc::clone(&self.0);
        Some(Arc::new(queues::Far { shared, client }))
    }

    /// Lets go of the broker, which goes on: calls from here are refused from now on.
    async fn close(&self) -> Result<(), Error> {
        self.0.closed.send_replace(true);
        Ok(())
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("caps", &self.caps())
            .finish_non_exhaustive()
    }
}
