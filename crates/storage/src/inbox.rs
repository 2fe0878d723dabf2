//! The inbox: which messages a group of consumers has seen, in the commit of their effect.
//!
//! A message comes at least once. Whoever enters its id into the inbox in the transaction that makes
//! its effect makes it once: a second transaction with the same id waits for the first, and is told.
//!
//! ```
//! use backlot_core::{Clock, Context};
//! use backlot_storage::{Migration, Migrations, Sql, Store, StoreError, params, sql, sqlite};
//!
//! const MIGRATIONS: Migrations =
//!     &[Migration::new(1, "stars", "CREATE TABLE stars (total INTEGER NOT NULL); INSERT INTO stars VALUES (0);")];
//! const ADD: Sql = sql!("UPDATE stars SET total = total + ?");
//!
//! async fn consume(store: &Store, id: &'static str, stars: i64) -> Result<bool, StoreError> {
//!     let cx = Context::background();
//!     store
//!         .write(&cx, move |tx| {
//!             Box::pin(async move {
//!                 if !tx.inbox("rating-aggregator").first_time(id).await? {
//!                     return Ok(false);
//!                 }
//!                 tx.execute(ADD, params![stars]).await?;
//!                 Ok(true)
//!             })
//!         })
//!         .await
//! }
//!
//! # fn main() -> Result<(), StoreError> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
//! # runtime.block_on(async {
//! let store = sqlite::memory(MIGRATIONS, Clock::real())?;
//! assert!(consume(&store, "rating-17", 5).await?);
//! assert!(!consume(&store, "rating-17", 5).await?, "it was delivered twice, and counts once");
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! Ids are forgotten after a while, [`KEPT`] unless [`kept_for`](Inbox::kept_for) says otherwise:
//! keep them for longer than a message can still come again. They go in small slices: on SQLite at
//! the end of the writes that enter others, on servers in a write of their own after every 500.
//!
//! Who reads a log in batches needs one row for a batch instead of one for each message: see
//! [`position`](crate::position).

use crate::once::is_shared;
use crate::{Sql, StoreError, Tx, names, params, sql};
use backlot_core::Timestamp;
use std::time::Duration;

/// How long an id is remembered: 7 days.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// The most bytes of a group's name.
pub const MAX_GROUP: usize = 128;
/// The most bytes of a message's id.
pub const MAX_ID: usize = 255;

const ENTER: Sql = sql! {
    default: "INSERT INTO backlot_inbox (consumer, message_id, expires) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    mysql: "INSERT INTO backlot_inbox (consumer, message_id, expires) VALUES (?, ?, ?)",
};
const REMOVE: Sql = sql! {
    default: "DELETE FROM backlot_inbox WHERE (consumer, message_id) IN
              (SELECT consumer, message_id FROM backlot_inbox WHERE expires < ? ORDER BY expires LIMIT ?)",
    mysql: "DELETE FROM backlot_inbox WHERE expires < ? ORDER BY expires LIMIT ?",
};
#[cfg(test)]
pub(crate) const STATEMENTS: [Sql; 2] = [ENTER, REMOVE];

/// On servers a slice goes after so many new ones.
pub(crate) const BETWEEN: u64 = 500;
/// And holds so many: more come to an end than begin.
const SLICE: u64 = 1000;

/// What one group of consumers has seen.
#[derive(Debug)]
pub struct Inbox<'t> {
    tx: &'t mut Tx,
    group: &'t str,
    kept: Duration,
}

impl<'t> Inbox<'t> {
    pub(crate) fn of(tx: &'t mut Tx, group: &'t str) -> Self {
        Inbox {
            tx,
            group,
            kept: KEPT,
        }
    }

    /// How long the ids entered from here on are remembered.
    #[must_use]
    pub fn kept_for(mut self, time: Duration) -> Self {
        self.kept = time;
        self
    }

    /// Enters the id; answers whether it was not there. Of any number of transactions with the same
    /// group and id, at once or one after the other, exactly one that is committed is told `true`.
    ///
    /// # Errors
    /// [`StoreError::Field`] for a group or id that is empty, holds U+0000, or is longer than
    /// [`MAX_GROUP`] or [`MAX_ID`] bytes; and what a statement fails with.
    pub async fn first_time(&mut self, id: &str) -> Result<bool, StoreError> {
        names::check("the group of the inbox", self.group, MAX_GROUP)?;
        names::check("the id of the message", id, MAX_ID)?;
        let expires = self.tx.now()?.plus(self.kept);
        let row = params![self.group, id, expires];
        let is_new = self.tx.insert_new(ENTER, row).await?;
        if is_new {
            self.tx.entered();
        }
        Ok(is_new)
    }
}

/// Removes what is too old, twice as much as came, where nobody else is in the way.
pub(crate) async fn tidy(tx: &mut Tx, entered: u64) -> Result<(), StoreError> {
    if entered == 0 || is_shared(tx.dialect()) {
        return Ok(());
    }
    let slice = entered.min(SLICE) as i64 * 2 + 10;
    let now = tx.now()?;
    tx.execute(REMOVE, params![now, slice]).await.map(drop)
}

/// Removes a slice of what is too old.
pub(crate) async fn remove_expired(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(REMOVE, params![now, SLICE as i64]).await
}
