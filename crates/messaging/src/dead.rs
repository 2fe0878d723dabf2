//! Dead letters: what failed for good, as people find it, look at it, mend it and send it again.
//!
//! Letters of group `g` on topic `t` lie in topic `t.g.dlq`. One that is sent again is copied to
//! `t.g.retry`, which only that group reads: never to `t`, where every other group would get it a
//! second time. No call of this module takes the name of a topic to send to.
//!
//! [`Letters`] is what people use. Below it an engine gives [`DeadLetters`]: an index of its
//! letters, and two ways to move a slice of them, each in one commit.
//!
//! ```
//! use backlot_core::{Context, Env};
//! use backlot_messaging::dead::{Filter, Letters, Page, Redrive};
//! use backlot_messaging::embedded::{Embedded, Options};
//! use backlot_messaging::engine::{Begin, Engine, Outgoing, Subscription, TopicSpec};
//! use backlot_messaging::{Error, Record};
//! use backlot_service::{Metrics, Tasks};
//! use std::ops::ControlFlow;
//!
//! # fn main() -> Result<(), Error> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async {
//! # let (env, metrics) = (Env::real(), Metrics::new());
//! # let tasks = Tasks::with_metrics(&env, &metrics);
//! # let cx = Context::background();
//! # let engine = Embedded::memory(Options::default(), &env, &tasks, &metrics).await?;
//! # engine.ensure(&cx, &TopicSpec::new("orders", 1)).await?;
//! # engine.ensure(&cx, &TopicSpec::new("orders.billing.dlq", 1)).await?;
//! # engine.attach(&cx, &Subscription::new("orders", "billing")).await?.close().await?;
//! # let letter = Record::new("order-17", "OrderPlaced", "shop", "{}")
//! #     .with_header("dlq-class", "permanent").with_header("dlq-topic", "orders").with_header("dlq-group", "billing");
//! # engine.append(&cx, vec![Outgoing::new("orders.billing.dlq", letter)]).await?;
//! let letters = Letters::of(&engine)?;
//! let billing = Filter::of_group("billing");
//! for entry in letters.list(&cx, &billing, &Page::first(50)).await?.entries {
//!     println!("{} {} {}", entry.id, entry.class, entry.error);
//! }
//! let tried = letters.redrive(&cx, billing.clone(), &Redrive::dry_run(), |_| ControlFlow::Continue(())).await?;
//! assert_eq!((tried.matching, tried.moved), (1, 0));
//! let report = letters.redrive(&cx, billing, &Redrive::default(), |_| ControlFlow::Continue(())).await?;
//! assert_eq!(report.moved, 1);
//! # engine.close().await
//! # })
//! # }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`header`] | the headers of a letter |

mod filter;
pub mod header;
mod letter;
mod letters;
mod run;
mod stamp;

pub use filter::{After, Filter, Listed, Page, Slice, Which};
pub use letter::{Attempt, Class, Edit, Entry, Id, Letter, OfGroup, Status};
pub use letters::Letters;
pub use run::{Ended, Redrive, Report};
pub(crate) use stamp::{Stamp, redriven};

use crate::Error;
use async_trait::async_trait;
use backlot_core::Context;
use bytes::Bytes;
use std::fmt;

/// The end of the names of topics that hold dead letters.
pub const QUEUE: &str = ".dlq";
/// The end of the names of topics that letters are sent to again.
pub const RETRY: &str = ".retry";

/// The topic of a group's dead letters.
///
/// ```
/// assert_eq!(backlot_messaging::dead::queue_of("ratings", "averages"), "ratings.averages.dlq");
/// ```
#[must_use]
pub fn queue_of(topic: &str, group: &str) -> String {
    format!("{topic}.{group}{QUEUE}")
}

/// The topic that a group's dead letters are sent to again.
///
/// ```
/// assert_eq!(backlot_messaging::dead::retry_of("ratings", "averages"), "ratings.averages.retry");
/// ```
#[must_use]
pub fn retry_of(topic: &str, group: &str) -> String {
    format!("{topic}.{group}{RETRY}")
}

/// What became of a slice of letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many were sent again, or removed.
    pub moved: u64,
    /// Letters that stay as they are: they were sent again before, are gone, or cannot be read.
    pub passed: u64,
    /// Where the next slice of the same filter begins; nothing when this was the last.
    pub next: Option<After>,
}

/// What an engine does with the dead letters it keeps. [`Letters`] stands above it.
///
/// An implementation MUST: have a letter in its index as soon as it is in its log; send a letter
/// again and mark it in one commit, whatever becomes of the call; send it to nothing but the topic
/// [`retry_of`] its group, which it makes if it is not there, and see to it that the group will
/// read what comes there from then on.
#[async_trait]
pub trait DeadLetters: Send + Sync + fmt::Debug {
    /// Every group that has or had letters, by the name of the topic they lie in. The cost grows
    /// with the number of groups, not of letters.
    ///
    /// # Errors
    /// What the store says.
    async fn groups(&self, cx: &Context) -> Result<Vec<OfGroup>, Error>;

    /// A page, oldest first. It costs the same wherever it lies; without a group, it grows with
    /// the number of groups.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a page without or with too many places; what the store says.
    async fn list(&self, cx: &Context, filter: &Filter, page: &Page) -> Result<Listed, Error>;

    /// How many letters there are. Unless a key or a time is asked for, the cost does not grow
    /// with their number.
    ///
    /// # Errors
    /// What the store says.
    async fn count(&self, cx: &Context, filter: &Filter) -> Result<u64, Error>;

    /// These letters, at most [`Slice::MOST_IDS`], in the same order: nothing for those that are
    /// not there.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more; what the store says.
    async fn find(&self, cx: &Context, ids: &[Id]) -> Result<Vec<Option<Entry>>, Error>;

    /// All of a letter.
    ///
    /// # Errors
    /// [`Error::NoLetter`]; [`Error::Damaged`] when its record cannot be read any more; what the
    /// store says.
    async fn show(&self, cx: &Context, id: &Id) -> Result<Letter, Error>;

    /// Puts another payload beside the letter's own: it is what will be sent again. The caller of
    /// the context and the time are kept with it.
    ///
    /// # Errors
    /// [`Error::NoLetter`]; [`Error::Letter`] for one that was sent again already, or was edited
    /// too often; [`Error::TooLarge`]; what the store says.
    async fn edit(&self, cx: &Context, id: &Id, payload: Bytes) -> Result<(), Error>;

    /// Sends a slice of the letters that wait again, and marks them, in one commit. A slice may
    /// be shorter than was asked for.
    ///
    /// # Errors
    /// [`Error::Orphan`] when the topic or the group of one is gone: nothing was sent then. What
    /// the store says; after [`Error::Unknown`] the same call again is right.
    async fn redrive(&self, cx: &Context, slice: &Slice) -> Result<Moved, Error>;

    /// Removes a slice of letters from the index, in one commit. Their bytes go with their topic's
    /// retention.
    ///
    /// # Errors
    /// What the store says; after [`Error::Unknown`] the same call again is right.
    async fn purge(&self, cx: &Context, slice: &Slice) -> Result<Moved, Error>;
}
