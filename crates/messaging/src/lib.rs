//! Events: records, a small engine interface with declared capabilities, and the embedded durable
//! log.
//!
//! ```
//! use backlot_core::{Context, Env};
//! use backlot_messaging::embedded::{Embedded, Options};
//! use backlot_messaging::engine::{Engine, Input, Outgoing, Settle, Subscription, TopicSpec};
//! use backlot_messaging::{Error, Record};
//! use backlot_service::{Metrics, Tasks};
//!
//! # fn main() -> Result<(), Error> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async {
//! let (env, metrics) = (Env::real(), Metrics::new());
//! let tasks = Tasks::with_metrics(&env, &metrics);
//! let cx = Context::background();
//! let engine = Embedded::memory(Options::default(), &env, &tasks, &metrics).await?;
//! engine.ensure(&cx, &TopicSpec::new("orders", 4)).await?;
//! let record = Record::new("order-17", "OrderPlaced", "shop", r#"{"order":17}"#).with_key("ann");
//! engine.append(&cx, vec![Outgoing::new("orders", record)]).await?;
//!
//! let mut source = engine.attach(&cx, &Subscription::new("orders", "billing")).await?;
//! loop {
//!     if let Input::Deliveries(deliveries) = source.next(100).await? {
//!         assert_eq!(deliveries[0].record.id, "order-17");
//!         let done = deliveries.iter().map(|delivery| (delivery.token, Settle::Done));
//!         assert!(source.settle(done.collect()).await?.is_empty());
//!         break;
//!     }
//! }
//! source.close().await?;
//! engine.close().await
//! # })
//! # }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`record`] | what is published: attributes, headers, payload, limits |
//! | [`event`] | events as types: versions, and the way from old ones |
//! | [`cloudevents`] | attributes as headers, for other engines and HTTP |
//! | [`engine`] | the interface of engines: publish, attach, settle, inspect, move |
//! | [`caps`] | what an engine promises and a subscription needs |
//! | [`bus`] | publishing where there is no transaction |
//! | [`outbox`] | publishing with a transaction, and the way from its outbox to an engine |
//! | [`consume`] | handlers of events: attempts, order, dead letters, effects made once |
//! | [`pull`] | queues: messages leased to workers one by one |
//! | [`follow`] | being told what is published from now on, in every process |
//! | [`tracker`] | what is settled of a partition, out of order |
//! | [`dead`] | dead letters: found, looked at, mended, sent again |
//! | [`partition`] | which partition a key belongs to |
//! | [`embedded`] | the log in SQLite, of one process |
//! | [`telemetry`] | the metrics |
//! | `conformance` | (feature `testing`) the suite every engine passes |

pub mod bus;
pub mod caps;
pub mod cloudevents;
#[cfg(feature = "testing")]
pub mod conformance;
pub mod consume;
pub mod dead;
pub mod embedded;
pub mod engine;
pub mod error;
pub mod event;
pub mod follow;
pub mod outbox;
pub mod partition;
pub mod pull;
pub mod record;
pub mod telemetry;
pub mod tracker;
mod varint;

pub use bus::Bus;
pub use caps::Caps;
pub use embedded::Embedded;
pub use engine::Engine;
pub use error::Error;
pub use event::Event;
pub use record::{Headers, Record};
pub use tracker::Tracker;
