//! The interface of engines: all that a new one must write. Policies (attempts, waiting, order by
//! key, dead letters) stand above it and are written once.
//!
//! An engine MUST: answer `Ok` to a publish only at the [durability](crate::caps::Durability) it
//! declares; deliver every stored message to every group until it is settled; refuse a token of
//! an epoch that is over, and say so; tell, by [`Input`], everything that was not delivered and
//! never will be. The suite in `conformance` (feature `testing`) holds it to that and to its
//! [`Caps`].

use crate::caps::Needs;
use crate::dead::DeadLetters;
use crate::pull::Queues;
use crate::{Caps, Error, Record};
use async_trait::async_trait;
use backlot_core::{Context, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a topic is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Letters, digits, `-`, `_` and `.`, at most 200.
    pub name: String,
    /// From 1 to 1,024. Never changes.
    pub partitions: u32,
    /// Messages older than this may go; nothing keeps them for ever.
    pub retention: Option<Duration>,
    /// The oldest messages may go while a partition has more bytes than this.
    pub retention_bytes: Option<u64>,
    /// How long an id is remembered for deduplication.
    pub dedupe: Duration,
}

impl TopicSpec {
    /// A topic that keeps everything, and ids for ten minutes.
    #[must_use]
    pub fn new(name: impl Into<String>, partitions: u32) -> Self {
        TopicSpec {
            name: name.into(),
            partitions,
            retention: None,
            retention_bytes: None,
            dedupe: Duration::from_secs(600),
        }
    }
}

/// A record on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub topic: Arc<str>,
    /// What.
    pub record: Record,
    /// Not before this time; at once without.
    pub due: Option<Timestamp>,
    /// Whether it is remembered by its id, and is a duplicate when another that was is remembered
    /// still.
    pub dedupe: bool,
}

impl Outgoing {
    /// A record to be published at once.
    #[must_use]
    pub fn new(topic: impl Into<Arc<str>>, record: Record) -> Self {
        Outgoing {
            topic: topic.into(),
            record,
            due: None,
            dedupe: false,
        }
    }

    /// The same, unless its id was published lately.
    #[must_use]
    pub fn deduplicated(mut self) -> Self {
        self.dedupe = true;
        self
    }

    /// The same, not before `due`.
    #[must_use]
    pub fn at(mut self, due: Timestamp) -> Self {
        self.due = Some(due);
        self
    }
}

/// What became of an outgoing record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It is in the log.
    Stored(Position),
    /// It will be in the log when it is due.
    Scheduled,
    /// Its id was published lately: nothing was done now.
    Duplicate,
}

/// A place in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Counted from 0.
    pub partition: u32,
    /// Counted from 0 within the partition.
    pub offset: u64,
}

/// Where a new group begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At the oldest message there is.
    Oldest,
    /// With what is published after the group was made.
    Newest,
}

/// What a member of a group asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// What it reads.
    pub topic: String,
    /// For whom: members of one group share the work.
    pub group: String,
    /// Its own name, for people.
    pub member: String,
    /// Where the group begins when it is new.
    pub from: Begin,
    /// How long a message may be out without being settled or extended, and a member without
    /// asking for more, before others get its partitions.
    pub lease: Duration,
    /// How long a member may go on settling what it has of a partition that goes to another.
    pub drain: Duration,
    /// The most messages of a partition that are out at once. After a process died all of them are
    /// suspect, and the embedded engine delivers them in trials: half of them, twice as many after
    /// each trial that is settled, half of one during which the process died again, until what kills
    /// it is alone.
    pub in_flight: u32,
    /// What the engine must promise.
    pub needs: Needs,
    /// Whether the group is no longer than its members: for a reader of its own in each instance
    /// of a service. It is gone when its last member closes; one whose members died goes when
    /// their leases have long ended. A group is ephemeral from its first member on, or never. An
    /// engine that has no such groups refuses with [`Error::Lacking`].
    pub ephemeral: bool,
}

impl Subscription {
    /// From the oldest message, with a lease of 30 s, a drain of 5 s, and 1,024 messages out.
    #[must_use]
    pub fn new(topic: impl Into<String>, group: impl Into<String>) -> Self {
        Subscription {
            topic: topic.into(),
            group: group.into(),
            member: String::new(),
            from: Begin::Oldest,
            lease: Duration::from_secs(30),
            drain: Duration::from_secs(5),
            in_flight: 1024,
            needs: Needs::default(),
            ephemeral: false,
        }
    }

    /// The same, for a group that is no longer than its members.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }
}

/// The right to settle one delivered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    /// Its partition.
    pub partition: u32,
    /// Its offset.
    pub offset: u64,
    /// The epoch it was delivered under.
    pub epoch: u64,
}

/// One failed attempt, as it is kept with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When.
    pub at_ms: i64,
    /// Which kind, for filters: `transient`, `panic`, the name of a code.
    pub class: String,
    /// What was said.
    pub message: String,
}

/// A message, out until it is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To settle it with.
    pub token: Token,
    /// When it was stored.
    pub stored: Timestamp,
    /// How many deliveries of it alone had no end: a message that kills its process has one more
    /// after each death since it was found among its neighbours.
    pub starts: u32,
    /// How many attempts failed before.
    pub attempts: u32,
    /// How they failed: the first and the last nine, at most 4 KiB.
    pub failures: Vec<Failure>,
    /// What.
    pub record: Record,
}

/// What a member is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Messages to be settled.
    Deliveries(Vec<Delivery>),
    /// These partitions are now this member's, each under a new epoch.
    Assigned(Vec<(u32, u64)>),
    /// Nothing more comes of these partitions. What is out may be settled until another member
    /// takes over.
    Revoked {
        /// Which.
        partitions: Vec<u32>,
        /// Why.
        cause: Cause,
    },
    /// Messages that will never be delivered to this group.
    Skipped {
        /// Of which partition.
        partition: u32,
        /// The first.
        first: u64,
        /// One past the last.
        end: u64,
        /// Why.
        cause: Gap,
    },
}

/// Why a member loses partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Others share the work.
    Rebalance,
    /// A message was out, or the member silent, for longer than the lease.
    Expired,
    /// The group was moved to another place.
    Moved,
}

/// Why messages are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// They were older, or more, than the topic keeps.
    Retention,
    /// They were damaged, and are kept apart for people to look at.
    Damaged,
}

/// What becomes of a delivered message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settle {
    /// It is done.
    Done,
    /// It comes again, in no order with others.
    Retry {
        /// Not before this time.
        at: Timestamp,
        /// How the attempt failed; without, it does not count as one.
        failure: Option<Failure>,
    },
    /// An attempt failed, and is counted; it stays out with its member, leased from now as if it
    /// had just been delivered. Under a later epoch it comes again at once, never after messages
    /// that lie behind it.
    Failed(Failure),
    /// It is done with, and this goes to the dead letters, whose topic must be there.
    Dead(Box<Outgoing>),
    /// It stays out for this much longer from now.
    Extend(Duration),
}

/// A token that was not good any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Which.
    pub token: Token,
    /// The epoch of its partition now.
    pub epoch: u64,
}

/// Where a group is moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// The oldest message there is.
    Oldest,
    /// What is published from now on.
    Newest,
    /// This offset of one partition, or the nearest that is there.
    Offset(Position),
    /// The first message stored at or after this time.
    Time(Timestamp),
}

/// The state of a topic and one of its groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Which log it is: a number that rises whenever the topic begins anew at offset 0. 0 where the
    /// engine cannot tell.
    pub incarnation: u64,
    /// By partition.
    pub partitions: Vec<PartitionReport>,
    /// The names of its groups, or the one asked for.
    pub groups: Vec<GroupReport>,
}

/// A topic there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicReport {
    /// What it was made as.
    pub spec: TopicSpec,
    /// The names of its groups, in order.
    pub groups: Vec<String>,
}

/// The state of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionReport {
    /// The oldest offset there is; the head when there is none.
    pub start: u64,
    /// One past the newest offset.
    pub head: u64,
    /// Bytes of stored batches.
    pub bytes: u64,
    /// Damaged messages that were put aside: first, and one past the last.
    pub damaged: Vec<(u64, u64)>,
}

/// The state of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupReport {
    /// Its name.
    pub group: String,
    /// Whether it is paused.
    pub paused: bool,
    /// Names of its members in this process, in order of their arrival.
    pub members: Vec<String>,
    /// By partition.
    pub partitions: Vec<CursorReport>,
}

/// Where a group stands in a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorReport {
    /// The first offset that is not settled.
    pub prefix: u64,
    /// How many messages are not settled.
    pub lag: u64,
    /// When the oldest of them was stored.
    pub oldest: Option<Timestamp>,
    /// How many of them failed before or wait for another attempt.
    pub retrying: u64,
    /// The epoch.
    pub epoch: u64,
}

/// What keeps messages.
#[async_trait]
pub trait Engine: Send + Sync + fmt::Debug {
    /// What it promises.
    fn caps(&self) -> Caps;

    /// Makes a topic, or gives one that is there the retention of `spec`.
    ///
    /// # Errors
    /// [`Error::Partitions`] when it has another number of them; [`Error::Invalid`].
    async fn ensure(&self, cx: &Context, spec: &TopicSpec) -> Result<(), Error>;

    /// Publishes all or none, in one commit where the engine has such; waits for a place in the
    /// queue until the context's deadline. Whoever stops waiting does not undo what began.
    ///
    /// # Errors
    /// [`Error`], which says whether it can have happened.
    async fn append(&self, cx: &Context, outgoing: Vec<Outgoing>) -> Result<Vec<Receipt>, Error>;

    /// Like [`append`](Engine::append), but does not wait for a place in the queue.
    ///
    /// # Errors
    /// As `append`; and [`Error::Busy`] with the length of the queue.
    async fn try_append(
        &self,
        cx: &Context,
        outgoing: Vec<Outgoing>,
    ) -> Result<Vec<Receipt>, Error>;

    /// Becomes a member of a group, which is made when it is new.
    ///
    /// # Errors
    /// [`Error::Lacking`] when the engine does not promise what the subscription needs;
    /// [`Error::UnknownTopic`]; [`Error::Invalid`].
    async fn attach(
        &self,
        cx: &Context,
        subscription: &Subscription,
    ) -> Result<Box<dyn Source>, Error>;

    /// The state of a topic, and of one of its groups or of all.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::UnknownGroup`].
    async fn inspect(
        &self,
        cx: &Context,
        topic: &str,
        group: Option<&str>,
    ) -> Result<Report, Error>;

    /// Moves a group. What is out is stale from then on; failed attempts are forgotten.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::UnknownGroup`], [`Error::Invalid`] for a partition that is
    /// not there.
    async fn seek(&self, cx: &Context, topic: &str, group: &str, to: Seek) -> Result<(), Error>;

    /// Stops or resumes delivery to a group, across restarts. What is out may be settled.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::UnknownGroup`].
    async fn pause(
        &self,
        cx: &Context,
        topic: &str,
        group: &str,
        paused: bool,
    ) -> Result<(), Error>;

    /// Every topic there is, by name, with the names of its groups: for operators.
    ///
    /// # Errors
    /// [`Error::Lacking`] when the engine cannot tell, as it is unless it says otherwise; what the
    /// store says.
    async fn topics(&self, _cx: &Context) -> Result<Vec<TopicReport>, Error> {
        Err(Error::Lacking {
            engine: self.caps().name,
            promise: "a list of its topics".to_owned(),
            cure: "ask for each topic by its name",
        })
    }

    /// Removes a group that has no members, and all that is known of it. When it comes back it
    /// begins anew.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::UnknownGroup`]; [`Error::Occupied`] while it has members;
    /// [`Error::Lacking`] when the engine cannot, as it is unless it says otherwise; what the
    /// store says.
    async fn forget(&self, _cx: &Context, _topic: &str, _group: &str) -> Result<(), Error> {
        Err(Error::Lacking {
            engine: self.caps().name,
            promise: "that a group is removed".to_owned(),
            cure: "leave the group: it costs a bookmark for each partition",
        })
    }

    /// Its index of dead letters; none unless it says otherwise. [`Letters`](crate::dead::Letters)
    /// stands above it.
    fn dead_letters(&self) -> Option<Arc<dyn DeadLetters>> {
        None
    }

    /// Its queues; none unless it says otherwise. A [`Desk`](crate::pull::Desk) makes them for any
    /// engine.
    fn queues(&self) -> Option<Arc<dyn Queues>> {
        None
    }

    /// Finishes what was accepted, refuses the rest with [`Error::Closed`], and lets go.
    ///
    /// # Errors
    /// What the store says; it is closed all the same.
    async fn close(&self) -> Result<(), Error>;
}

/// What a topic, a group and a member may be called.
pub(crate) fn check_name(field: &'static str, name: &str) -> Result<(), Error> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !name.is_empty() && name.len() <= 200 && name.bytes().all(is_part) {
        return Ok(());
    }
    Err(Error::Invalid {
        field,
        value: name.to_owned(),
        cure: "take 1 to 200 letters, digits, '-', '_' and '.'",
    })
}

/// A member of a group. Dropping it leaves the group; [`close`](Source::close) also says on the
/// disk that nothing died.
#[async_trait]
pub trait Source: Send + fmt::Debug {
    /// Waits for something to tell: at most `max` messages. To stop waiting, drop the future:
    /// nothing is lost.
    ///
    /// # Errors
    /// [`Error::Closed`], and what the store says; another call may succeed.
    async fn next(&mut self, max: usize) -> Result<Input, Error>;

    /// Settles messages; in one commit where the engine has such. Answers which tokens were not
    /// good any more; those did nothing. A message that is settled already stays as it is.
    ///
    /// # Errors
    /// [`Error`], which says whether it can have happened; to settle again is always right.
    async fn settle(&mut self, settled: Vec<(Token, Settle)>) -> Result<Vec<Stale>, Error>;

    /// Leaves the group. What is out comes to others.
    ///
    /// # Errors
    /// What the store says; the member is gone all the same.
    async fn close(self: Box<Self>) -> Result<(), Error>;

    /// Leaves the group for somebody who died, or is taken for dead: what is out may be what
    /// killed it, and comes to others as after a death. An engine that looks for what kills says
    /// so; else it is dropped.
    fn abandon(self: Box<Self>) {
        drop(self);
    }
}
