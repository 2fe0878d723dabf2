//! Batches under way, in the order they were read.

use crate::ImportError;
use crate::batch::{Batch, share};
use crate::destination::Failed;
use crate::tally::Tally;
use std::collections::VecDeque;

/// The most batches read ahead of the oldest that is not acknowledged.
const AHEAD: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Flights {
    queue: VecDeque<Flight>,
    /// The number of the oldest.
    first: u64,
}

#[derive(Debug)]
struct Flight {
    batch: Batch,
    keys: Vec<u64>,
    /// What it changed, once it is acknowledged.
    done: Option<Tally>,
}

impl Flights {
    pub(super) fn has_room(&self) -> bool {
        self.queue.len() < AHEAD
    }

    /// Whether one that is under way has one of these keys.
    pub(super) fn block(&self, keys: &[u64]) -> bool {
        let under_way = self.queue.iter().filter(|flight| flight.done.is_none());
        under_way
            .into_iter()
            .any(|flight| share(&flight.keys, keys))
    }

    /// Takes a batch; one with nothing to send is there already.
    pub(super) fn depart(&mut self, batch: Batch, keys: Vec<u64>, done: bool) -> u64 {
        self.queue.push_back(Flight {
            batch,
            keys,
            done: done.then(Tally::default),
        });
        self.first + self.queue.len() as u64 - 1
    }

    /// A batch was acknowledged, or was not.
    pub(super) fn land(
        &mut self,
        number: u64,
        outcome: Result<Tally, Failed>,
    ) -> Result<(), ImportError> {
        let index = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let Some(flight) = self.queue.get_mut(index) else {
            return Ok(());
        };
        match outcome {
            Ok(tally) => {
                flight.done = Some(tally);
                Ok(())
            }
            Err((what, source)) => {
                let (from, to) = (flight.batch.start.lines + 1, flight.batch.end.lines);
                let file = &flight.batch.file;
                Err(ImportError::Service {
                    lines: if to > from {
                        format!("{file}, lines {from} to {to}")
                    } else {
                        format!("{file}, from line {from}")
                    },
                    what,
                    source,
                })
            }
        }
    }

    /// The oldest batch, once it is acknowledged.
    pub(super) fn arrive(&mut self) -> Option<(Batch, Tally)> {
        let done = self.queue.front()?.done?;
        let flight = self.queue.pop_front()?;
        self.first += 1;
        Some((flight.batch, done))
    }
}
