//! Events that leave if, and only if, the transaction that publishes them is committed.
//!
//! [`Publishing`] gives a transaction `publish`: the event becomes a row of the store's
//! [outbox](backlot_storage::outbox), in the same commit as everything else. A
//! [relay](backlot_storage::outbox::Relay) hands the rows to a [`Carrier`], which publishes them to
//! an engine. An event may come more than once, always with the same id.
//!
//! ```
//! use backlot_core::{Context, Dice, Env, Timestamp};
//! use backlot_messaging::embedded::{Embedded, Options};
//! use backlot_messaging::engine::Engine;
//! use backlot_messaging::outbox::{Carrier, Publishing};
//! use backlot_messaging::Event;
//! use backlot_service::{Metrics, Tasks};
//! use backlot_storage::outbox::{self, Relay};
//! use backlot_storage::{StoreError, sqlite};
//! use serde::{Deserialize, Serialize};
//! use std::sync::Arc;
//!
//! #[derive(Serialize, Deserialize)]
//! struct Rated { film: String }
//!
//! impl Event for Rated {
//!     const NAME: &'static str = "Rated";
//!     const TOPIC: &'static str = "ratings";
//!     const VERSION: u32 = 1;
//!     fn key(&self) -> Option<String> { Some(self.film.clone()) }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let (env, metrics) = (Env::real(), Metrics::new());
//! # let tasks = Tasks::with_metrics(&env, &metrics);
//! let engine = Arc::new(Embedded::memory(Options::default(), &env, &tasks, &metrics).await?);
//! let store = sqlite::memory(&[], env.clock.clone())?.originating("rating", env.dice.branch("events"));
//! let cx = Context::background();
//! store
//!     .write(&cx, |tx| {
//!         Box::pin(async move {
//!             // The effect; and in the same commit:
//!             tx.publish(&Rated { film: "metropolis-1927".to_owned() }).await?;
//!             Ok::<_, StoreError>(())
//!         })
//!     })
//!     .await?;
//! let carrier = Carrier::new(engine.clone(), env.clock.clone()).topic::<Rated>();
//! let relay = Relay::new(&store, carrier, "rating-1", env.dice.branch("relay"), outbox::Options::default());
//! relay.run(async {}).await;
//! let report = engine.inspect(&cx, "ratings", None).await?;
//! assert_eq!(report.partitions.iter().map(|part| part.head).sum::<u64>(), 1);
//! # Ok(())
//! # })
//! # }
//! ```

mod carrier;
mod form;

pub use carrier::{Carrier, DEAD};

use crate::event::{self, Event, Stamp};
use crate::{Error, Record};
use backlot_core::Timestamp;
use backlot_storage::outbox::Message;
use backlot_storage::{StoreError, Tx};
use std::future::{Ready, ready};

/// The header that carries the trace.
pub const TRACEPARENT: &str = "traceparent";

/// Gives transactions `publish`.
pub trait Publishing {
    /// Publishes the event with this commit. Its id is fresh; source, time and trace are the
    /// transaction's. Events of one write leave in the order in which they were published.
    ///
    /// # Errors
    /// [`StoreError::NoOrigin`] when the store was not told who speaks; [`StoreError::Field`] for an
    /// event that is too large (with its headers 512 KiB) or has no form in JSON.
    fn publish<E: Event>(&mut self, event: &E) -> Ready<Result<(), StoreError>>;

    /// Publishes the event with this commit, but not before this time.
    ///
    /// # Errors
    /// As [`publish`](Publishing::publish).
    fn publish_at<E: Event>(&mut self, event: &E, due: Timestamp) -> Ready<Result<(), StoreError>>;
}

impl Publishing for Tx {
    fn publish<E: Event>(&mut self, event: &E) -> Ready<Result<(), StoreError>> {
        ready(add(self, event, None))
    }

    fn publish_at<E: Event>(&mut self, event: &E, due: Timestamp) -> Ready<Result<(), StoreError>> {
        ready(add(self, event, Some(due)))
    }
}

fn add<E: Event>(tx: &mut Tx, event: &E, due: Option<Timestamp>) -> Result<(), StoreError> {
    let origin = tx.origin()?;
    let stamp = Stamp {
        id: origin.id,
        source: origin.source,
        time: origin.time,
    };
    let mut record = event::encode(event, stamp).map_err(refused::<E>)?;
    if !origin.trace.is_none() {
        trace(&mut record, &origin.trace.header());
    }
    record.check().map_err(refused::<E>)?;
    let payload = form::write(E::TOPIC, &record, due);
    let mut message = Message::new(E::TOPIC, record.id, payload);
    // For people: the record has its own, which may be any text.
    message.key = record
        .key
        .filter(|key| !key.is_empty() && !key.contains('\0'));
    tx.outbox().add(message)
}

/// Puts the trace into a record's headers.
pub(crate) fn trace(record: &mut Record, header: &[u8; 55]) {
    // Digits and dashes.
    record
        .headers
        .set(TRACEPARENT, String::from_utf8_lossy(header));
}

fn refused<E: Event>(error: Error) -> StoreError {
    StoreError::Field {
        field: format!("the event {}", E::NAME),
        problem: format!("cannot be published: {error}"),
    }
}

#[cfg(test)]
mod tests;
