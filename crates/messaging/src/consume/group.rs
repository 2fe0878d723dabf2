//! What a group of consumers promises and allows.

use crate::caps::{Durability, Needs};
use crate::engine::Begin;
use backlot_core::backoff::Backoff;
use std::time::Duration;

/// The most messages of a partition that may be out, and of one transaction. A set of all that are
/// done among them fits into a position's row.
pub(super) const MAX_IN_FLIGHT: u32 = 32_768;

/// Which messages wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// All of a partition: one at a time, and one that fails holds up the rest.
    Partition,
    /// Those of one key: one that fails holds up its key, others flow.
    Key,
    /// None.
    None,
}

/// A group of consumers: members of one name share the work.
///
/// ```
/// use backlot_messaging::consume::{Group, Order};
/// use std::time::Duration;
///
/// let group = Group::new("rating-aggregator").order(Order::Key).attempts(5).batch(1000);
/// let mail = Group::new("mail").order(Order::None).lease(Duration::from_secs(10));
/// # drop((group, mail));
/// ```
#[derive(Clone, Debug)]
pub struct Group {
    pub(crate) name: String,
    pub(crate) topic: Option<String>,
    pub(super) order: Order,
    pub(crate) attempts: u32,
    pub(crate) backoff: Backoff,
    pub(super) age: Duration,
    pub(super) starts: u32,
    pub(crate) concurrency: usize,
    pub(super) batch: Option<usize>,
    pub(super) linger: Duration,
    pub(super) from: Begin,
    pub(super) in_flight: Option<u32>,
    pub(crate) lease: Duration,
    pub(crate) drain: Duration,
    pub(super) deadline: Duration,
    pub(super) durability: Durability,
    /// Whether the engine is told at once what was done, because somebody waits for that.
    pub(super) is_prompt: bool,
    #[cfg(feature = "testing")]
    pub(super) sabotage: super::sabotage::Sabotage,
}

impl Group {
    /// A group of this name, with every default.
    pub fn new(name: impl Into<String>) -> Self {
        Group {
            name: name.into(),
            topic: None,
            order: Order::Key,
            attempts: 8,
            backoff: Backoff {
                base: Duration::from_millis(200),
                cap: Duration::from_secs(60),
            },
            age: Duration::from_secs(24 * 3600),
            starts: 3,
            concurrency: 16,
            batch: None,
            linger: Duration::from_millis(5),
            from: Begin::Oldest,
            in_flight: None,
            lease: Duration::from_secs(30),
            drain: Duration::from_secs(4),
            deadline: Duration::from_secs(30),
            durability: Durability::Memory,
            is_prompt: false,
            #[cfg(feature = "testing")]
            sabotage: super::sabotage::Sabotage::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads this topic instead of the event's own.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Which messages wait for each other. Default: those of one key.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// How many attempts a message has before it goes to the dead letters, at least 1. Default: 8.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The pauses between attempts. Default: up to 200 ms after the first, doubling up to a minute.
    #[must_use]
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.backoff = Backoff { base, cap };
        self
    }

    /// How long a message may go on failing, from its first failure. Default: 24 hours.
    #[must_use]
    pub fn give_up_after(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// How many deliveries of a message alone may be without an end before it is taken for one that
    /// kills its process. Default: 3. To find it among n that were out takes about log2(n) deaths
    /// more.
    #[must_use]
    pub fn starts(mut self, starts: u32) -> Self {
        self.starts = starts;
        self
    }

    /// How many handlers run at once in this process, at least 1. Default: 16.
    #[must_use]
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.concurrency = handlers.max(1);
        self
    }

    /// Takes up to so many messages of a partition, at most 32,768, in one transaction, whose
    /// effects are made once by one row for the partition. For many small effects. Without it each
    /// message is a transaction of its own, with a row in the inbox.
    ///
    /// To have a group of this kind read again what it has read, its rows of the store's positions
    /// are to be set back as well as the group.
    #[must_use]
    pub fn batch(mut self, messages: usize) -> Self {
        self.batch = Some(messages.clamp(1, MAX_IN_FLIGHT as usize));
        self
    }

    /// How long a batch waits for more messages when it is not full. Default: 5 ms.
    #[must_use]
    pub fn linger(mut self, wait: Duration) -> Self {
        self.linger = wait;
        self
    }

    /// Where the group begins when it is new. Default: at the oldest message.
    #[must_use]
    pub fn from(mut self, begin: Begin) -> Self {
        self.from = begin;
        self
    }

    /// The most messages of a partition that are out at once, up to 32,768: when so many wait
    /// behind some that fail, the partition stands still. Default: three batches as far as that
    /// goes, and at least 1,024.
    #[must_use]
    pub fn in_flight(mut self, messages: u32) -> Self {
        self.in_flight = Some(messages.clamp(1, MAX_IN_FLIGHT));
        self
    }

    /// How long others wait for a member that says nothing. It is renewed while handlers run.
    /// Default: 30 s.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_millis(300));
        self
    }

    /// How long running handlers are waited for when the consumer is told to stop. Default: 4 s.
    #[must_use]
    pub fn drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// The deadline of a handler. Default: 30 s.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Whether its messages wait for none of each other.
    #[must_use]
    pub fn is_unordered(&self) -> bool {
        self.order == Order::None
    }

    /// What the engine must promise of what it has accepted. Default: nothing.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Somebody waits for each message to be settled: nothing is gathered for a moment first.
    pub(crate) fn prompt(mut self) -> Self {
        self.is_prompt = true;
        self
    }

    /// Breaks it on purpose, to show that a checker sees it.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn sabotaged(mut self, sabotage: super::sabotage::Sabotage) -> Self {
        self.sabotage = sabotage;
        self
    }

    pub(super) fn out(&self) -> u32 {
        self.in_flight.unwrap_or_else(|| {
            let batch = u32::try_from(self.batch.unwrap_or(1)).unwrap_or(MAX_IN_FLIGHT);
            batch.saturating_mul(3).clamp(1024, MAX_IN_FLIGHT)
        })
    }

    pub(crate) fn needs(&self) -> Needs {
        Needs {
            durability: self.durability,
            order: self.order != Order::None,
            retry_at: true,
        }
    }
}
