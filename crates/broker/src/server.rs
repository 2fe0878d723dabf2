//! The contract over an engine.

mod audit;
mod letters;
mod session;
mod sessions;

use crate::access::Access;
use crate::contract::Broker;
use crate::contract::broker::v1 as proto;
use crate::wire::failure::public;
use crate::wire::{self, lacks};
use async_trait::async_trait;
use audit::noted;
use backlot_core::{Context, Deadline, Env, Error, Timestamp};
use backlot_messaging::caps::Needs;
use backlot_messaging::engine::{Begin, Outgoing, Receipt, Seek, Subscription, TopicSpec};
use backlot_messaging::{Engine, Error as Failure};
use backlot_rpc::Streaming;
use backlot_service::Tasks;
use proto::seek_request::To;
use session::Ask;
use sessions::Sessions;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The longest a call waits for messages.
pub const MAX_WAIT: Duration = Duration::from_secs(20);
/// The most messages of one answer.
pub const MAX_MESSAGES: u32 = 10_000;
/// The messages of one answer when nobody says.
const SOME_MESSAGES: u32 = 100;
/// The longest lease.
const MAX_LEASE: Duration = Duration::from_secs(24 * 3600);
/// The most bytes, and messages, of one call of many requests: what engines take at once.
const MAX_PUBLISH: usize = 16 << 20;
const MAX_PUBLISHED: usize = 16 * 1024;

/// How a broker is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most sessions at a time. Default: 1,024.
    pub sessions: usize,
    /// How long after the end of its lease a silent session is kept, so that its caller may still
    /// be told what became of its messages. Default: 30 s.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            sessions: 1024,
            grace: Duration::from_secs(30),
        }
    }
}

/// A broker over an engine: `contract::broker(server)` mounts it.
#[derive(Clone)]
pub struct Server {
    engine: Arc<dyn Engine>,
    access: Access,
    sessions: Sessions,
}

impl Server {
    /// Serves `engine` to those who have `access`. Sessions are tasks of `tasks`; they end when the
    /// shutdown of `env` has come to its end.
    #[must_use]
    pub fn new(
        engine: Arc<dyn Engine>,
        access: Access,
        options: Options,
        env: &Env,
        tasks: &Tasks,
    ) -> Self {
        Server {
            engine,
            access,
            sessions: Sessions::new(options, env, tasks),
        }
    }

    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    async fn publish_all(
        &self,
        cx: &Context,
        messages: Vec<Outgoing>,
        no_wait: bool,
    ) -> Result<proto::PublishResponse, Error> {
        let cx = &earlier(cx);
        let published = if no_wait {
            self.engine.try_append(cx, messages).await
        } else {
            self.engine.append(cx, messages).await
        };
        let receipts: Vec<Receipt> = published.map_err(public)?;
        Ok(proto::PublishResponse {
            receipts: receipts.into_iter().map(wire::receipt).collect(),
        })
    }
}

/// The same call, ending a little earlier: what the engine knows of a call whose time is over can
/// still be told.
pub(crate) fn earlier(cx: &Context) -> Context {
    let left = cx.deadline().remaining();
    let reserve = (left / 20).min(Duration::from_millis(50));
    cx.clone()
        .with_deadline(Deadline::after(left.saturating_sub(reserve)))
}

fn lease(request: &proto::JoinRequest) -> Result<Duration, Error> {
    let lease = request.lease_ms.map(Duration::from_millis);
    let lease = lease.unwrap_or(Duration::from_secs(30));
    if lease.is_zero() || lease > MAX_LEASE {
        let cure = "must be from 1 ms to a day";
        return Err(Error::invalid_argument(format!(
            "leaseMs: {cure}, got {}",
            wire::millis(lease)
        ))
        .with_violation("lease_ms", cure));
    }
    Ok(lease)
}

fn subscription(request: proto::JoinRequest) -> Result<Subscription, Error> {
    let lease = lease(&request)?;
    let usual = Subscription::new("", "");
    let needs = Needs {
        durability: wire::durability_of(request.needs_durability()),
        order: request.needs_order,
        retry_at: request.needs_retry_at,
    };
    Ok(Subscription {
        from: if request.from_newest {
            Begin::Newest
        } else {
            Begin::Oldest
        },
        lease,
        drain: request
            .drain_ms
            .map_or(usual.drain, Duration::from_millis)
            .min(MAX_LEASE),
        in_flight: match request.in_flight {
            0 => usual.in_flight,
            some => some,
        },
        needs,
        ephemeral: request.ephemeral,
        topic: request.topic,
        group: request.group,
        member: request.member,
    })
}

#[async_trait]
impl Broker for Server {
    async fn ensure_topic(
        &self,
        cx: &Context,
        request: proto::EnsureTopicRequest,
    ) -> Result<proto::EnsureTopicResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let usual = TopicSpec::new(request.topic, request.partitions);
        let spec = TopicSpec {
            retention: request.retention_ms.map(Duration::from_millis),
            retention_bytes: request.retention_bytes,
            dedupe: request
                .dedupe_ms
                .map_or(usual.dedupe, Duration::from_millis),
            ..usual
        };
        self.engine.ensure(cx, &spec).await.map_err(public)?;
        Ok(proto::EnsureTopicResponse {
            promises: Some(wire::promises(self.engine.caps())),
        })
    }

    async fn publish(
        &self,
        cx: &Context,
        request: proto::PublishRequest,
    ) -> Result<proto::PublishResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let messages = request.messages.into_iter().map(wire::outgoing_of);
        let messages = messages.collect::<Result<_, _>>()?;
        self.publish_all(cx, messages, request.no_wait).await
    }

    async fn publish_many(
        &self,
        cx: &Context,
        mut requests: Streaming<proto::PublishRequest>,
    ) -> Result<proto::PublishResponse, Error> {
        let (mut messages, mut bytes, mut no_wait) = (Vec::new(), 0, false);
        while let Some(request) = requests.next().await {
            let request = request?;
            // Each: nobody has more than one request kept without being known.
            self.access.check(cx, &request.secret)?;
            no_wait |= request.no_wait;
            for message in request.messages {
                let message = wire::outgoing_of(message)?;
                bytes += message.record.size();
                messages.push(message);
            }
            if bytes > MAX_PUBLISH || messages.len() > MAX_PUBLISHED {
                return Err(public(Failure::TooMany {
                    count: messages.len(),
                    bytes,
                    most: MAX_PUBLISHED,
                    most_bytes: MAX_PUBLISH,
                }));
            }
        }
        self.publish_all(cx, messages, no_wait).await
    }

    async fn join(
        &self,
        cx: &Context,
        request: proto::JoinRequest,
    ) -> Result<proto::JoinResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let subscription = subscription(request)?;
        let place = self.sessions.place()?;
        let source = self.engine.attach(cx, &subscription).await;
        Ok(proto::JoinResponse {
            session: place.fill(source.map_err(public)?, subscription),
            promises: Some(wire::promises(self.engine.caps())),
        })
    }

    async fn next(
        &self,
        cx: &Context,
        request: proto::NextRequest,
    ) -> Result<proto::NextResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let max = match request.max {
            0 => SOME_MESSAGES,
            some => some.min(MAX_MESSAGES),
        };
        let wait = Duration::from_millis(request.wait_ms.into()).min(MAX_WAIT);
        let left = cx.deadline().remaining();
        let ask = Ask {
            sequence: request.sequence,
            max: max as usize,
            until: Instant::now() + wait.min(left.saturating_sub(left / 10)),
        };
        let told = self.sessions.find(&request.session)?.next(ask).await?;
        Ok(proto::NextResponse {
            told: told.map(wire::told::told),
        })
    }

    async fn settle(
        &self,
        cx: &Context,
        request: proto::SettleRequest,
    ) -> Result<proto::SettleResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let settled = request.settlements.into_iter();
        let settled = settled
            .map(wire::told::settlement_of)
            .collect::<Result<_, _>>()?;
        let session = self.sessions.find(&request.session)?;
        let stale = session.settle(settled).await?;
        Ok(proto::SettleResponse {
            stale: stale.into_iter().map(wire::told::stale).collect(),
        })
    }

    async fn leave(
        &self,
        cx: &Context,
        request: proto::LeaveRequest,
    ) -> Result<proto::LeaveResponse, Error> {
        self.access.check(cx, &request.secret)?;
        // Who has left already has left.
        if let Ok(session) = self.sessions.find(&request.session) {
            session.leave(request.died).await?;
        }
        Ok(proto::LeaveResponse {})
    }

    async fn inspect(
        &self,
        cx: &Context,
        request: proto::InspectRequest,
    ) -> Result<proto::InspectResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let group = Some(request.group.as_str()).filter(|group| !group.is_empty());
        let report = self.engine.inspect(cx, &request.topic, group).await;
        Ok(wire::report::report(report.map_err(public)?))
    }

    async fn seek(
        &self,
        cx: &Context,
        request: proto::SeekRequest,
    ) -> Result<proto::SeekResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let to = match request.to.ok_or_else(|| lacks("to"))? {
            To::Oldest(proto::Oldest {}) => Seek::Oldest,
            To::Newest(proto::Newest {}) => Seek::Newest,
            To::Position(position) => Seek::Offset(wire::position_of(position)),
            To::Time(time) => Seek::Time(Timestamp(time)),
        };
        let sought = self.engine.seek(cx, &request.topic, &request.group, to);
        let of = format!("{} {}", request.topic, request.group);
        noted(cx, "seek", of, sought.await.map_err(public))?;
        Ok(proto::SeekResponse {})
    }

    async fn pause(
        &self,
        cx: &Context,
        request: proto::PauseRequest,
    ) -> Result<proto::PauseResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let paused = request.paused;
        let pausing = self
            .engine
            .pause(cx, &request.topic, &request.group, paused);
        let of = format!("{} {}", request.topic, request.group);
        let what = if paused { "pause" } else { "resume" };
        noted(cx, what, of, pausing.await.map_err(public))?;
        Ok(proto::PauseResponse {})
    }

    async fn forget_group(
        &self,
        cx: &Context,
        request: proto::ForgetGroupRequest,
    ) -> Result<proto::ForgetGroupResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let forgotten = self.engine.forget(cx, &request.topic, &request.group);
        let of = format!("{} {}", request.topic, request.group);
        noted(cx, "forget", of, forgotten.await.map_err(public))?;
        Ok(proto::ForgetGroupResponse {})
    }

    async fn list_topics(
        &self,
        cx: &Context,
        request: proto::ListTopicsRequest,
    ) -> Result<proto::ListTopicsResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let topics = self.engine.topics(cx).await.map_err(public)?;
        let topics = topics.into_iter().map(wire::report::topic);
        Ok(proto::ListTopicsResponse {
            topics: topics.collect(),
        })
    }

    async fn list_lag(
        &self,
        cx: &Context,
        request: proto::ListLagRequest,
    ) -> Result<proto::ListLagResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let groups = self.lag(cx, &request.topic).await.map_err(public)?;
        Ok(proto::ListLagResponse { groups })
    }

    async fn list_letter_groups(
        &self,
        cx: &Context,
        request: proto::ListLetterGroupsRequest,
    ) -> Result<proto::ListLetterGroupsResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let groups = self.letters()?.groups(cx).await.map_err(public)?;
        let groups = groups.into_iter().map(wire::letters::group);
        Ok(proto::ListLetterGroupsResponse {
            groups: groups.collect(),
        })
    }

    async fn list_letters(
        &self,
        cx: &Context,
        request: proto::ListLettersRequest,
    ) -> Result<proto::ListLettersResponse, Error> {
        self.access.check(cx, &request.secret)?;
        self.listed(cx, request).await.map_err(public)
    }

    async fn count_letters(
        &self,
        cx: &Context,
        request: proto::CountLettersRequest,
    ) -> Result<proto::CountLettersResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let filter = wire::letters::filter_of(request.filter.unwrap_or_default());
        let filter = filter.map_err(public)?;
        let count = self.letters()?.count(cx, &filter).await.map_err(public)?;
        Ok(proto::CountLettersResponse { count })
    }

    async fn find_letters(
        &self,
        cx: &Context,
        request: proto::FindLettersRequest,
    ) -> Result<proto::FindLettersResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let ids = wire::letters::ids_of(&request.ids).map_err(public)?;
        let found = self.letters()?.find(cx, &ids).await.map_err(public)?;
        let found = found.into_iter().map(|entry| proto::FoundLetter {
            entry: entry.map(wire::letters::entry),
        });
        Ok(proto::FindLettersResponse {
            letters: found.collect(),
        })
    }

    async fn get_letter(
        &self,
        cx: &Context,
        request: proto::GetLetterRequest,
    ) -> Result<proto::GetLetterResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let id = wire::letters::id_of(request.queue, request.partition, request.offset);
        let letter = self.letters()?.show(cx, &id).await.map_err(public)?;
        Ok(wire::letters::letter(letter, request.skip_edits))
    }

    async fn view_letter(
        &self,
        cx: &Context,
        request: proto::ViewLetterRequest,
    ) -> Result<proto::ViewLetterResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let id = wire::letters::id_of(request.queue, request.partition, request.offset);
        let letter = self.letters()?.show(cx, &id).await.map_err(public)?;
        Ok(wire::letters::view(&letter))
    }

    async fn edit_letter(
        &self,
        cx: &Context,
        request: proto::EditLetterRequest,
    ) -> Result<proto::EditLetterResponse, Error> {
        self.access.check(cx, &request.secret)?;
        let id = wire::letters::id_of(request.queue, request.partition, request.offset);
        let payload: bytes::Bytes = match request.to.ok_or_else(|| lacks("payload"))? {
            proto::edit_letter_request::To::Text(text) => text.into(),
            proto::edit_letter_request::To::Payload(payload) => payload.into(),
        };
        let edited = self.letters()?.edit(cx, &id, payload).await;
        noted(cx, "edit", &id, edited.map_err(public))?;
        Ok(proto::EditLetterResponse {})
    }

    async fn redrive_letters(
        &self,
        cx: &Context,
        request: proto::MoveLettersRequest,
    ) -> Result<proto::MoveLettersResponse, Error> {
        self.access.check(cx, &request.secret)?;
        self.moved(cx, request, letters::Move::Redrive).await
    }

    async fn purge_letters(
        &self,
        cx: &Context,
        request: proto::MoveLettersRequest,
    ) -> Result<proto::MoveLettersResponse, Error> {
        self.access.check(cx, &request.secret)?;
        self.moved(cx, request, letters::Move::Purge).await
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("engine", &self.engine)
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}
