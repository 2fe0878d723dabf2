//! Queues: workers pull messages one by one or a few at a time, each under a lease of its own, and
//! say what became of each.
//!
//! A [consumer](crate::consume) owns partitions and takes what lies in them, in order. Workers of a
//! queue own nothing: whoever asks gets what waits, however many ask, and a slow one keeps no other
//! from work. The price is order: there is none. A group is read either way, and both ways share
//! its position, its attempts and its dead letters.
//!
//! ```
//! use backlot_core::{Context, Env};
//! use backlot_messaging::consume::Setup;
//! use backlot_messaging::embedded::{Embedded, Options};
//! use backlot_messaging::pull::{self, Desk, Puller, Queues};
//! use backlot_messaging::{Bus, Event};
//! use backlot_service::{Metrics, Tasks};
//! use serde::{Deserialize, Serialize};
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! #[derive(Serialize, Deserialize)]
//! struct Resize { poster: String }
//!
//! impl Event for Resize {
//!     const NAME: &'static str = "Resize";
//!     const TOPIC: &'static str = "posters";
//!     const VERSION: u32 = 1;
//!     fn key(&self) -> Option<String> { None }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let (env, metrics) = (Env::real(), Metrics::new());
//! let tasks = Tasks::with_metrics(&env, &metrics);
//! let engine = Arc::new(Embedded::memory(Options::default(), &env, &tasks, &metrics).await?);
//! let cx = Context::background();
//! let bus = Bus::new(engine.clone(), "web", &env);
//! bus.publish(&cx, &Resize { poster: "metropolis.png".to_owned() }).await?;
//!
//! let setup = Setup { engine, service: "poster", member: "poster-1".to_owned(), env, metrics };
//! let queues: Arc<dyn Queues> = Arc::new(Desk::new(&setup, pull::Options::default(), &tasks));
//! let worker = Puller::<Resize>::new(queues, "resizers", "worker-1");
//! for job in worker.next(&cx, 8, Duration::from_secs(5)).await? {
//!     assert_eq!(job.event.poster, "metropolis.png");
//!     job.done(&cx).await?;
//! }
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # What is promised
//! * A message is with one worker at a time, until that worker answers or its lease is over. A
//!   worker that dies gives back what it had when its leases are over; that counts as an attempt.
//! * Of those who wait whoever asked first is served first. Nobody gets more than a share of what is
//!   there, as long as others ask too.
//! * [`Answer::Done`] and [`Answer::Reject`] are answered when they are as durable as the engine
//!   makes them. An answer that comes too late changes nothing, and is told so.
//! * Attempts, pauses between them and dead letters are as with [consumers](crate::consume).

mod desk;
mod handing;
mod pool;
mod puller;
mod telemetry;
mod worker;

pub use desk::{Desk, Options};
pub use puller::{Pulled, Puller};
pub use worker::Worker;

use crate::engine::{Failure, Position};
use crate::{Error, Record};
use async_trait::async_trait;
use backlot_core::{Context, Timestamp};
use std::fmt;
use std::time::Duration;

/// The most messages of one answer.
pub const MAX_MESSAGES: usize = 1000;
/// The longest lease.
pub const MAX_LEASE: Duration = Duration::from_secs(24 * 3600);
/// How many attempts a message has unless its worker says otherwise.
pub const ATTEMPTS: u32 = 8;

/// What a worker asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The topic.
    pub topic: String,
    /// The group, which begins with the oldest message when it is new.
    pub group: String,
    /// Who asks: for people, and for what is said of a lease that ran out. At most 200 bytes.
    pub worker: String,
    /// At most so many messages, from 1 to 1,000. Fewer come when fewer are there, when others
    /// wait too, and when they are large.
    pub max: usize,
    /// How long to wait for the first of them.
    pub wait: Duration,
    /// How long each is this worker's, from 1 ms to a day.
    pub lease: Duration,
    /// With which attempt that fails a message goes to the dead letters, at least 1.
    pub attempts: u32,
}

impl Ask {
    /// One message, for 30 s, without waiting, with [`ATTEMPTS`] in all.
    #[must_use]
    pub fn new(
        topic: impl Into<String>,
        group: impl Into<String>,
        worker: impl Into<String>,
    ) -> Self {
        Ask {
            topic: topic.into(),
            group: group.into(),
            worker: worker.into(),
            max: 1,
            wait: Duration::ZERO,
            lease: Duration::from_secs(30),
            attempts: ATTEMPTS,
        }
    }

    fn check(&self) -> Result<(), Error> {
        let invalid = |field, value, cure| Err(Error::Invalid { field, value, cure });
        if !(1..=MAX_MESSAGES).contains(&self.max) {
            return invalid("max", self.max.to_string(), "take 1 to 1000");
        }
        check_lease("lease", self.lease)?;
        if self.attempts == 0 {
            return invalid("attempts", "0".to_owned(), "take at least 1");
        }
        let is_line = !self.worker.chars().any(char::is_control);
        if self.worker.is_empty() || self.worker.len() > 200 || !is_line {
            let cure = "name the worker in 1 to 200 bytes of text on one line";
            return invalid("worker", self.worker.clone(), cure);
        }
        Ok(())
    }
}

fn check_lease(field: &'static str, lease: Duration) -> Result<(), Error> {
    if lease >= Duration::from_millis(1) && lease <= MAX_LEASE {
        return Ok(());
    }
    Err(Error::Invalid {
        field,
        value: format!("{lease:?}"),
        cure: "take 1 ms to a day",
    })
}

/// The right to answer for one message, as text that nobody guesses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease(pub String);

/// A message that is a worker's until its lease is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// To answer with.
    pub lease: Lease,
    /// Until when.
    pub until: Timestamp,
    /// Where it lies: in the topic, or among what is tried anew.
    pub position: Position,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How those before failed: the first and the last nine.
    pub failures: Vec<Failure>,
    /// When it was stored.
    pub stored: Timestamp,
    /// The same whenever this message comes again: give it to whoever can tell by it that the
    /// effect was made.
    pub effect: String,
    /// What.
    pub record: Record,
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It comes again.
    Retry {
        /// After this time; at once, or after a growing pause if it failed, without.
        after: Option<Duration>,
        /// What went wrong; without, it was not tried, and uses no attempt.
        failure: Option<String>,
    },
    /// It can never be done, for this reason: it goes to the dead letters.
    Reject(String),
    /// It takes so much longer, from now.
    Extend(Duration),
}

/// A message that is out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Out {
    /// Who has it.
    pub worker: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Where it lies.
    pub position: Position,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Its id.
    pub id: String,
}

/// How a queue stands at a desk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueReport {
    /// The topic.
    pub topic: String,
    /// The group.
    pub group: String,
    /// Messages at hand that no worker has.
    pub ready: usize,
    /// Workers that wait for some.
    pub waiting: usize,
    /// Messages that are out.
    pub leased: usize,
    /// The first hundred of them, by the time that their leases are over.
    pub out: Vec<Out>,
}

/// What hands out messages of groups to workers.
#[async_trait]
pub trait Queues: Send + Sync + fmt::Debug {
    /// Messages for a worker; none when none came in time.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::UnknownTopic`]; [`Error::Lacking`] for an engine that cannot
    /// keep what this needs; [`Error::Crowded`]; and what the engine says.
    async fn pull(&self, cx: &Context, ask: &Ask) -> Result<Vec<Leased>, Error>;

    /// Says what becomes of messages. Answers which leases were over by then: for those nothing
    /// happened. To answer again is always right.
    ///
    /// # Errors
    /// [`Error::Invalid`], before anything happened; [`Error::Unknown`] when it is not known whether
    /// all of it is remembered.
    async fn answer(
        &self,
        cx: &Context,
        answers: Vec<(Lease, Answer)>,
    ) -> Result<Vec<Lease>, Error>;

    /// Every queue that somebody asked for lately, by topic and group.
    ///
    /// # Errors
    /// What the engine says.
    async fn queues(&self, cx: &Context) -> Result<Vec<QueueReport>, Error>;
}

impl fmt::Debug for Lease {
    /// Whoever knows it can answer for its message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease(***)")
    }
}
