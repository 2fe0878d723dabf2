//! What a reader has done with messages: the one seam between the order they run in and what runs.

use super::failure::Failure;
use super::lanes::Item;
use crate::engine::{Delivery, Settle, Stale, Token};
use async_trait::async_trait;
use std::fmt;

/// Messages of one partition to be worked on now: one, or a batch.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) items: Vec<Item<Delivery>>,
    /// For batches.
    pub(crate) place: Place,
}

/// Where a batch lies, and what of its partition is settled although no effect was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) partition: u32,
    /// The number of the log.
    pub(crate) log: u64,
    /// What the engine had settled when the partition was given.
    pub(crate) floor: u64,
    /// Dead letters and gaps since: first, and one past the last.
    pub(crate) passed: Vec<(u64, u64)>,
}

/// What became of a load.
#[derive(Debug)]
pub(crate) struct Ran {
    /// In the order of the load.
    pub(crate) items: Vec<(Item<Delivery>, Outcome)>,
    /// Whether what was passed is in the store now.
    pub(crate) has_marked: bool,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Its effect is made.
    Done,
    /// Its effect was made before.
    Before,
    /// It failed.
    Failed(Failure),
    /// It was left out because one before it failed.
    Left,
}

/// Runs messages.
#[async_trait]
pub(crate) trait Run: Send + Sync + fmt::Debug {
    /// Runs them to their end. It does not panic.
    async fn run(&self, load: Load) -> Ran;

    /// The engine has heard what became of these; of those among them that are stale it has not.
    fn settled(&self, _told: &[(Token, Settle)], _stale: &[Stale]) {}

    /// These partitions go to others: what has not begun need not. What is said of the rest is still
    /// told, unless none are named, for then all are gone.
    fn lost(&self, _partitions: Option<&[u32]>) {}
}
