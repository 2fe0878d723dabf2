//! What a reader has done with messages: the one seam between the order they run in and what runs.

use super::failure::Failure;
use super::lanes::Item;
use crate::engine::Delivery;
use async_trait::async_trait;
use std::fmt;

/// Messages of one partition to be worked on now: one, or a batch.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) items: Vec<Item<Delivery>>,
    /// For batches.
    pub(super) place: Place,
}

/// Where a batch lies, and what of its partition is settled although no effect was made.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) partition: u32,
    /// The number of the log.
    pub(super) log: u64,
    /// What the engine had settled when the partition was given.
    pub(super) floor: u64,
    /// Dead letters and gaps since: first, and one past the last.
    pub(super) passed: Vec<(u64, u64)>,
}

/// What became of a load.
#[derive(Debug)]
pub(super) struct Ran {
    /// In the order of the load.
    pub(super) items: Vec<(Item<Delivery>, Outcome)>,
    /// Whether what was passed is in the store now.
    pub(super) has_marked: bool,
}

/// What became of a message.
#[derive(Debug)]
pub(super) enum Outcome {
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
pub(super) trait Run: Send + Sync + fmt::Debug {
    /// Runs them to their end. It does not panic.
    async fn run(&self, load: Load) -> Ran;
}
