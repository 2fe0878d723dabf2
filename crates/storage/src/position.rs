//! Positions: how far a group of consumers has come in each partition of a log, in the commit of
//! the effect.
//!
//! Who reads a log in batches keeps one row for each partition in its own store. It moves in the
//! transaction that makes the effect of a batch, so that a batch that comes again, or that two
//! consumers have at once, is made once; the broker's own note of it is a hint.
//!
//! ```
//! use backlot_core::{Clock, Context};
//! use backlot_storage::{Store, StoreError, sqlite};
//! use std::ops::Range;
//!
//! async fn consume(store: &Store, log: u64, offsets: Range<u64>) -> Result<Range<u64>, StoreError> {
//!     let cx = Context::background();
//!     store
//!         .write(&cx, move |tx| {
//!             let offsets = offsets.clone();
//!             Box::pin(async move {
//!                 let mut position = tx.position("rating-aggregator", "ratings", 3).contiguous();
//!                 let new = position.advance(log, offsets).await?;
//!                 // Make the effect of the messages whose offsets are in `new`, and of no others.
//!                 Ok(new)
//!             })
//!         })
//!         .await
//! }
//!
//! # fn main() -> Result<(), StoreError> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
//! # runtime.block_on(async {
//! let store = sqlite::memory(&[], Clock::real())?;
//! assert_eq!(consume(&store, 1, 0..100).await?, 0..100);
//! assert!(consume(&store, 1, 0..100).await?.is_empty(), "it came again");
//! assert_eq!(consume(&store, 1, 50..150).await?, 100..150, "a part of it came again");
//! assert!(consume(&store, 1, 160..200).await.is_err(), "ten are missing");
//! assert_eq!(consume(&store, 2, 0..10).await?, 0..10, "the log was emptied and begins anew");
//! # Ok(())
//! # })
//! # }
//! ```

use crate::error::Constraint;
use crate::inbox::MAX_GROUP;
use crate::outbox::MAX_TOPIC;
use crate::{Sql, StoreError, Tx, names, params, sql};
use std::ops::Range;

const SELECT: Sql = sql!(
    "SELECT log, next_offset, ahead FROM backlot_position WHERE consumer = ? AND topic = ? AND part = ?"
);
const INSERT: Sql = sql!(
    "INSERT INTO backlot_position (log, next_offset, ahead, at, consumer, topic, part) VALUES (?, ?, ?, ?, ?, ?, ?)"
);
const UPDATE: Sql = sql!(
    "UPDATE backlot_position SET log = ?, next_offset = ?, ahead = ?, at = ? WHERE consumer = ? AND topic = ? AND part = ?"
);
#[cfg(test)]
pub(crate) const STATEMENTS: [Sql; 3] = [SELECT, INSERT, UPDATE];

/// The most bytes kept with a position: 60 KiB.
pub const MAX_AHEAD: usize = 60 * 1024;

/// Where a group stands in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Which incarnation of the log: a number that rises whenever the log begins anew, for example
    /// because it was emptied. What an offset means holds within one of them only.
    pub log: u64,
    /// The offset of the first message whose effect is still to be made.
    pub next: u64,
}

/// The position of one group in one partition of one topic.
#[derive(Debug)]
pub struct Position<'t> {
    tx: &'t mut Tx,
    group: &'t str,
    topic: &'t str,
    partition: u32,
    contiguous: bool,
}

impl<'t> Position<'t> {
    pub(crate) fn of(tx: &'t mut Tx, group: &'t str, topic: &'t str, partition: u32) -> Self {
        Position {
            tx,
            group,
            topic,
            partition,
            contiguous: false,
        }
    }

    /// Refuses to leave offsets out: for logs in which none are missing. Where a group begins, and
    /// where a new incarnation does, is free.
    #[must_use]
    pub fn contiguous(mut self) -> Self {
        self.contiguous = true;
        self
    }

    /// Where it stands; nothing before the first batch. Nobody else moves it until this transaction
    /// ends, or this one is begun again.
    ///
    /// # Errors
    /// [`StoreError::Field`] for a group or topic that is empty, too long or holds U+0000; and what
    /// a statement fails with.
    pub async fn read(&mut self) -> Result<Option<At>, StoreError> {
        Ok(self.read_ahead().await?.map(|(at, _)| at))
    }

    /// Where it stands, and what [`set_ahead`](Position::set_ahead) left with it.
    ///
    /// # Errors
    /// As [`read`](Position::read).
    pub async fn read_ahead(&mut self) -> Result<Option<(At, Vec<u8>)>, StoreError> {
        names::check("the group of the position", self.group, MAX_GROUP)?;
        names::check("the topic of the position", self.topic, MAX_TOPIC)?;
        let name = params![self.group, self.topic, self.partition];
        let Some(row) = self.tx.query_opt(SELECT, name).await? else {
            return Ok(None);
        };
        let at = At {
            log: row.get(0)?,
            next: row.get(1)?,
        };
        let ahead: Option<Vec<u8>> = row.get(2)?;
        Ok(Some((at, ahead.unwrap_or_default())))
    }

    /// Moves it behind a batch of these offsets, the first one that is not in it excluded; answers
    /// which of them are new, in most cases all. The effect of those, and of no others, belongs into
    /// this transaction. It never goes back: when none is new, it stays, and nothing is to be done.
    ///
    /// A batch of a newer incarnation of the log is new as a whole.
    ///
    /// # Errors
    /// [`StoreError::Position`], with nothing moved: a batch of an older incarnation, one that leaves
    /// offsets out of a [`contiguous`](Position::contiguous) log, offsets that end before they begin
    /// or lie beyond 2⁶³. And as [`read`](Position::read).
    pub async fn advance(
        &mut self,
        log: u64,
        offsets: Range<u64>,
    ) -> Result<Range<u64>, StoreError> {
        if offsets.end < offsets.start {
            return Err(self.refused(format!(
                "cannot be moved by a batch from {} to before {}: it ends before it begins",
                offsets.start, offsets.end
            )));
        }
        let stands = self.read().await?;
        let begins = match stands {
            Some(at) if at.log == log => offsets.start.max(at.next),
            Some(at) if at.log > log => {
                return Err(self.refused(format!(
                    "is in incarnation {} of the log, the batch is of {log}, which is gone: drop it",
                    at.log
                )));
            }
            Some(_) | None => offsets.start,
        };
        if let Some(at) = stands
            && self.contiguous
            && at.log == log
            && offsets.start > at.next
        {
            return Err(self.refused(format!(
                "is {}, the batch begins at {}: read from {} on",
                at.next, offsets.start, at.next
            )));
        }
        let new = begins.min(offsets.end)..offsets.end;
        let is_news = stands.is_none_or(|at| at.log != log);
        if is_news || !new.is_empty() {
            let at = At { log, next: new.end };
            self.put(at, &[], stands.is_none()).await?;
        }
        Ok(new)
    }

    /// Puts it anywhere, also back: for a replay, which makes effects again. Consumers that run
    /// meanwhile go on from there.
    ///
    /// # Errors
    /// As [`read`](Position::read), and [`StoreError::Position`] beyond 2⁶³.
    pub async fn set(&mut self, at: At) -> Result<(), StoreError> {
        self.set_ahead(at, &[]).await
    }

    /// Puts it there, with what a reader that makes effects out of order has done beyond it: the
    /// bytes are its own, at most [`MAX_AHEAD`]. [`advance`](Position::advance) and
    /// [`set`](Position::set) forget them: a group does one or the other.
    ///
    /// # Errors
    /// As [`set`](Position::set), and [`StoreError::Position`] for too many bytes.
    pub async fn set_ahead(&mut self, at: At, ahead: &[u8]) -> Result<(), StoreError> {
        if ahead.len() > MAX_AHEAD {
            return Err(self.refused(format!(
                "cannot have {} bytes beyond it, {MAX_AHEAD} is the most: leave fewer holes",
                ahead.len()
            )));
        }
        let stands = self.read().await?;
        self.put(at, ahead, stands.is_none()).await
    }

    async fn put(&mut self, at: At, ahead: &[u8], is_first: bool) -> Result<(), StoreError> {
        let (Ok(log), Ok(next)) = (i64::try_from(at.log), i64::try_from(at.next)) else {
            return Err(self.refused(format!(
                "cannot be {} in incarnation {}: numbers end before 2^63",
                at.next, at.log
            )));
        };
        let now = self.tx.now()?;
        let row = params![
            log,
            next,
            ahead,
            now,
            self.group,
            self.topic,
            self.partition
        ];
        if !is_first {
            return self.tx.execute(UPDATE, row).await.map(drop);
        }
        match self.tx.execute(INSERT, row).await {
            Err(StoreError::Constraint {
                constraint: Constraint::Unique,
                cause,
            }) => {
                // Another consumer made the first step at the same time: begin again, and see it.
                let conflict = StoreError::Conflict { cause };
                self.tx.spoil(conflict.clone());
                Err(conflict)
            }
            done => done.map(drop),
        }
    }

    fn refused(&self, problem: String) -> StoreError {
        StoreError::Position {
            group: self.group.to_owned(),
            topic: self.topic.to_owned(),
            partition: self.partition,
            problem,
        }
    }
}
