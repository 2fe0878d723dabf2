//! Consumers: what is read for a group is handled, tried again, and given up, by policies written
//! once for every engine.
//!
//! ```
//! use async_trait::async_trait;
//! use backlot_core::{Context, Env};
//! use backlot_messaging::consume::{Consume, Consumer, Failure, Group, Order, Setup};
//! use backlot_messaging::embedded::{Embedded, Options};
//! use backlot_messaging::{Bus, Event};
//! use backlot_service::{Metrics, Tasks};
//! use backlot_storage::{Migration, Migrations, Sql, Tx, params, sql, sqlite};
//! use serde::{Deserialize, Serialize};
//! use std::sync::Arc;
//!
//! #[derive(Serialize, Deserialize)]
//! struct Rated { film: String, stars: u32 }
//!
//! impl Event for Rated {
//!     const NAME: &'static str = "Rated";
//!     const TOPIC: &'static str = "ratings";
//!     const VERSION: u32 = 1;
//!     fn key(&self) -> Option<String> { Some(self.film.clone()) }
//! }
//!
//! const MIGRATIONS: Migrations =
//!     &[Migration::new(1, "stars", "CREATE TABLE stars (total INTEGER NOT NULL); INSERT INTO stars VALUES (0);")];
//! const ADD: Sql = sql!("UPDATE stars SET total = total + ?");
//! const TOTAL: Sql = sql!("SELECT total FROM stars");
//!
//! struct Adder;
//!
//! #[async_trait]
//! impl Consume<Rated> for Adder {
//!     // In the transaction that also says that this message is done: its effect is made once.
//!     async fn consume(&self, _cx: &Context, tx: &mut Tx, event: Rated) -> Result<(), Failure> {
//!         tx.execute(ADD, params![event.stars]).await?;
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let (env, metrics) = (Env::real(), Metrics::new());
//! let tasks = Tasks::with_metrics(&env, &metrics);
//! let engine = Arc::new(Embedded::memory(Options::default(), &env, &tasks, &metrics).await?);
//! let store = sqlite::memory(MIGRATIONS, env.clock.clone())?;
//! let cx = Context::background();
//! let bus = Bus::new(engine.clone(), "rating", &env);
//! bus.publish(&cx, &Rated { film: "metropolis-1927".to_owned(), stars: 5 }).await?;
//!
//! let setup = Setup { engine, service: "rating", member: "rating-1".to_owned(), env, metrics };
//! let group = Group::new("rating-aggregator").order(Order::Key);
//! let consumer = Consumer::consuming(&setup, group, store.clone(), Adder)?;
//! // A service runs it in a task of its own and ends it with its drain.
//! consumer
//!     .run(async {
//!         loop {
//!             let total = store.read(&cx, |tx| Box::pin(async move { tx.query_one(TOTAL, params![]).await?.get::<i64>(0) }));
//!             if matches!(total.await, Ok(5)) { break }
//!             tokio::task::yield_now().await;
//!         }
//!     })
//!     .await;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # What is promised
//! * A message's effect in the store is made once: it is in one commit with a row that says so, in
//!   the [inbox](backlot_storage::inbox), or for [batches](Group::batch) in the
//!   [position](backlot_storage::position) of its partition. [`Work`] is done at least once.
//! * Messages of one key are handled in their order ([`Order`]), also when some fail; a message that
//!   fails holds up no others. The exception is a message that goes to the dead letters: those
//!   behind it go on.
//! * No message is dropped: it has its effect, or it is in the topic `TOPIC.GROUP.dlq` with the
//!   errors of its attempts. Who has a cure puts it into `TOPIC.GROUP.retry`, which this group reads
//!   too.
//! * A store or an engine that is away uses up no attempts: the consumer waits, and goes on.
//!
//! | it ended with | what becomes of the message |
//! |---|---|
//! | `Ok(())` | done |
//! | `Err(error)` | tried again, with growing pauses, [so often](Group::attempts) and [so long](Group::give_up_after) |
//! | `Err(error.later(wait))` | tried again then; it uses no attempt |
//! | `Err(error.permanent())` | a dead letter |
//! | a panic | as an error, of class `panic` |
//! | the death of its process | those that were out are halved until it is alone, and is counted; after [some](Group::starts) deaths a dead letter |
//!
//! It logs, at `error`: messages that are given up; at `warn`: engines that are away. Its metrics
//! are in [`telemetry`](crate::telemetry).

pub(crate) mod caught;
pub(crate) mod effects;
pub(crate) mod failure;
mod group;
pub(crate) mod identity;
pub(crate) mod lanes;
pub(crate) mod letter;
mod policy;
mod reader;
pub(crate) mod run;
#[cfg(feature = "testing")]
pub mod sabotage;
mod work;

pub use failure::{Class, Failing, Failure};
pub use group::{Group, Order};
pub use work::Job;

use crate::engine::Engine;
use crate::{Error, Event};
use async_trait::async_trait;
use backlot_core::{Context, Env};
use backlot_service::Metrics;
use backlot_storage::{Store, Tx};
use effects::Effects;
use reader::{Kind, Reader};
use run::Run;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::watch;
use work::{Delivering, Working};

/// Makes the effect of an event in the service's store.
///
/// It awaits nothing but `tx`, like every closure of a [`Store`], and may be called again for an
/// attempt that was rolled back: what is outside of the transaction is for [`Work`].
#[async_trait]
pub trait Consume<E: Event>: Send + Sync + 'static {
    /// Makes the effect of one event; committed together with the note that it is made.
    ///
    /// # Errors
    /// Why it cannot be made, which rolls back what was done so far.
    async fn consume(&self, cx: &Context, tx: &mut Tx, event: E) -> Result<(), Failure>;

    /// Makes the effects of events of one partition, in their order, for a group of
    /// [batches](Group::batch). Without one of its own each event is
    /// [consumed](Consume::consume) in turn.
    ///
    /// # Errors
    /// As [`consume`](Consume::consume): the events are then handled again one by one.
    async fn consume_batch(&self, cx: &Context, tx: &mut Tx, events: &[E]) -> Result<(), Failure> {
        let _each_in_turn = (cx, tx, events);
        Err(Failure::unbatched())
    }
}

/// Makes an effect outside of the store: sends mail, calls others.
#[async_trait]
pub trait Work<E: Event>: Send + Sync + 'static {
    /// Does one job until the deadline of `cx`. It may come again although it was done.
    ///
    /// # Errors
    /// Why it is not done.
    async fn work(&self, cx: &Context, job: &Job<E>) -> Result<(), Failure>;
}

/// Brings messages as they are to somewhere else, whatever they hold.
#[async_trait]
pub trait Deliver: Send + Sync + 'static {
    /// Delivers one message until the deadline of `cx`. It may come again although it was delivered.
    ///
    /// # Errors
    /// Why it is not delivered.
    async fn deliver(&self, cx: &Context, job: &Job<()>) -> Result<(), Failure>;
}

/// What consumers stand on.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What they read from.
    pub engine: Arc<dyn Engine>,
    /// Which service they belong to: their principal, and a header of dead letters.
    pub service: &'static str,
    /// What this member of its groups is called, for people.
    pub member: String,
    /// Clock and dice.
    pub env: Env,
    /// Where it is counted.
    pub metrics: Metrics,
}

/// A member of a group.
pub struct Consumer {
    readers: [Reader; 2],
}

impl Consumer {
    /// Makes effects in this store.
    ///
    /// # Errors
    /// [`Error::Lacking`] when the engine does not promise what the group needs.
    pub fn consuming<E: Event>(
        setup: &Setup,
        group: Group,
        store: Store,
        handler: impl Consume<E>,
    ) -> Result<Self, Error> {
        let topic = group.topic.clone();
        let topic = topic.unwrap_or_else(|| E::TOPIC.to_owned());
        let handler = Arc::new(handler);
        let run = |is_batched| {
            let with = (store.clone(), Arc::clone(&handler));
            Arc::new(Effects::new(setup, &group, with, &topic, is_batched)) as Arc<dyn Run>
        };
        let is_batched = group.batch.is_some();
        let runs = [run(is_batched), run(false)];
        Consumer::new(setup, &group, (&topic, E::PARTITIONS), runs)
    }

    /// Does work.
    ///
    /// # Errors
    /// [`Error::Lacking`] when the engine does not promise what the group needs.
    pub fn working<E: Event>(
        setup: &Setup,
        group: Group,
        worker: impl Work<E>,
    ) -> Result<Self, Error> {
        let topic = group.topic.clone();
        let topic = topic.unwrap_or_else(|| E::TOPIC.to_owned());
        let group = Group {
            batch: None,
            ..group
        };
        let run: Arc<dyn Run> = Arc::new(Working::new(setup, &group, worker));
        let runs = [Arc::clone(&run), run];
        Consumer::new(setup, &group, (&topic, E::PARTITIONS), runs)
    }

    /// Delivers messages of this topic, which is made with so many partitions when it is not there.
    ///
    /// # Errors
    /// [`Error::Lacking`] when the engine does not promise what the group needs.
    pub fn delivering(
        setup: &Setup,
        group: Group,
        topic: (&str, u32),
        deliverer: impl Deliver,
    ) -> Result<Self, Error> {
        let group = Group {
            batch: None,
            ..group
        };
        let run: Arc<dyn Run> = Arc::new(Delivering::new(setup, &group, deliverer));
        let runs = [Arc::clone(&run), run];
        Consumer::new(setup, &group, topic, runs)
    }

    /// Has messages done by whatever runs them: those of the topic, and those to be tried anew.
    pub(crate) fn new(
        setup: &Setup,
        group: &Group,
        topic: (&str, u32),
        runs: [Arc<dyn Run>; 2],
    ) -> Result<Self, Error> {
        setup.engine.caps().check(&group.needs())?;
        let [main, again] = runs;
        let kind = if group.batch.is_some() {
            Kind::Batches
        } else {
            Kind::Singles
        };
        Ok(Consumer {
            readers: [
                Reader::new(setup, group, topic, kind, main),
                Reader::new(setup, group, topic, Kind::Retries, again),
            ],
        })
    }

    /// Reads until `stop` is done; then finishes what runs, for as long as
    /// [`drain`](Group::drain) allows, and leaves the group. What did not run comes to others. It
    /// never ends by itself: an engine that fails or is away is attached to again, with pauses.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, told) = watch::channel(false);
        let [main, again] = self.readers;
        let work = async { tokio::join!(main.run(told.clone()), again.run(told.clone())) };
        let (mut work, mut stop) = (pin!(work), pin!(stop));
        tokio::select! {
            biased;
            _ended = &mut work => {}
            () = &mut stop => {
                stopping.send_replace(true);
                work.await;
            }
        }
    }
}

#[async_trait]
impl<E: Event, C: Consume<E>> Consume<E> for Arc<C> {
    async fn consume(&self, cx: &Context, tx: &mut Tx, event: E) -> Result<(), Failure> {
        C::consume(self, cx, tx, event).await
    }

    async fn consume_batch(&self, cx: &Context, tx: &mut Tx, events: &[E]) -> Result<(), Failure> {
        C::consume_batch(self, cx, tx, events).await
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Consumer").field(&self.readers[0]).finish()
    }
}
