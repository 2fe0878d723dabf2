//! The partitions a reader has.

use crate::consume::group::MAX_IN_FLIGHT;
use crate::consume::lanes::{Item, Lanes};
use crate::consume::run::Place;
use crate::engine::{Delivery, Token};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The most runs of what is passed that are noted: no more can be out at once.
const MOST_PASSED: usize = MAX_IN_FLIGHT as usize;

#[derive(Debug)]
pub(super) struct Part {
    pub(super) epoch: u64,
    pub(super) lanes: Lanes<Delivery>,
    pub(super) place: Place,
    /// Whether a batch of it runs.
    pub(super) is_busy: bool,
    /// Whether the last one was of what had failed before.
    had_again: bool,
    /// Since when something waits to be in a batch.
    pub(super) since: Option<Instant>,
}

impl Part {
    pub(super) fn new(epoch: u64, place: Place, is_batched: bool) -> Self {
        Part {
            epoch,
            lanes: Lanes::new(is_batched),
            place,
            is_busy: false,
            had_again: false,
            since: None,
        }
    }

    pub(super) fn offer(&mut self, item: Item<Delivery>, now: Instant) {
        self.since.get_or_insert(now);
        self.lanes.offer(item);
    }

    /// A batch, if it is time for one.
    fn batch(&mut self, now: Instant, (most, linger): (usize, Duration)) -> Vec<Item<Delivery>> {
        let has_waited = self.since.is_some_and(|since| since + linger <= now);
        let is_time = self.lanes.fresh() >= most || has_waited;
        if self.is_busy || !(is_time || self.lanes.has_ready()) {
            return Vec::new();
        }
        // Where many fail, some are due to be tried again at any time: they take turns with the
        // others.
        let items = match is_time && self.had_again {
            true => self.lanes.fresh_batch(most),
            false => Vec::new(),
        };
        self.had_again = items.is_empty() && self.lanes.has_ready();
        let items = match items.is_empty() {
            true => self.lanes.batch(most),
            false => items,
        };
        self.since = (self.lanes.fresh() > 0).then_some(now);
        self.is_busy = !items.is_empty();
        items
    }
}

#[derive(Debug, Default)]
pub(super) struct Parts {
    parts: BTreeMap<u32, Part>,
    /// Which one had its turn last.
    turn: u32,
}

impl Parts {
    pub(super) fn insert(&mut self, partition: u32, part: Part) {
        self.parts.insert(partition, part);
    }

    pub(super) fn remove(&mut self, partition: u32) -> Option<Part> {
        self.parts.remove(&partition)
    }

    /// The partition under this epoch.
    pub(super) fn at(&mut self, partition: u32, epoch: u64) -> Option<&mut Part> {
        let part = self.parts.get_mut(&partition);
        part.filter(|part| part.epoch == epoch)
    }

    pub(super) fn of(&mut self, token: Token) -> Option<&mut Part> {
        self.at(token.partition, token.epoch)
    }

    /// What runs next: one message, or a batch of so many that waits for so long at most.
    pub(super) fn next(
        &mut self,
        now: Instant,
        batch: Option<(usize, Duration)>,
    ) -> Option<(u32, &Part, Vec<Item<Delivery>>)> {
        let turn = self.turn;
        let after = self.parts.range(turn.saturating_add(1)..);
        let until = self.parts.range(..=turn);
        let order: Vec<u32> = after.chain(until).map(|(number, _)| *number).collect();
        for number in order {
            let Some(part) = self.parts.get_mut(&number) else {
                continue;
            };
            let items = match batch {
                Some(batch) => part.batch(now, batch),
                None => part.lanes.next().into_iter().collect(),
            };
            if !items.is_empty() {
                self.turn = number;
                return self.parts.get(&number).map(|part| (number, part, items));
            }
        }
        None
    }

    pub(super) fn wake(&mut self, now: Instant) {
        for part in self.parts.values_mut() {
            part.lanes.wake(now);
        }
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        let due = self.parts.values().filter_map(|part| part.lanes.next_due());
        due.min()
    }

    /// When the first batch has waited for so long.
    pub(super) fn lingering(&self, linger: Duration) -> Option<Instant> {
        let waiting = self.parts.values().filter(|part| !part.is_busy);
        let since = waiting.filter(|part| part.lanes.fresh() > 0);
        since
            .filter_map(|part| part.since)
            .min()
            .map(|since| since + linger)
    }

    /// Messages that were never looked at, or wait for nothing.
    pub(super) fn fresh(&self) -> usize {
        self.parts.values().map(|part| part.lanes.fresh()).sum()
    }

    /// Of these, those whose partition is at work on what had failed before.
    pub(super) fn behind_again(&self) -> usize {
        let parts = self.parts.values();
        let behind = parts.filter(|part| part.is_busy && part.had_again);
        behind.map(|part| part.lanes.fresh()).sum()
    }

    /// How many slots are held, and how many messages wait for others.
    pub(super) fn depth(&self) -> (usize, usize) {
        let depths = self.parts.values().map(|part| part.lanes.depth());
        depths.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Messages that are settled without an effect.
    pub(super) fn passed(&mut self, partition: u32, first: u64, end: u64) {
        let Some(part) = self.parts.get_mut(&partition) else {
            return;
        };
        let (passed, is_busy) = (&mut part.place.passed, part.is_busy);
        // What runs has a copy, and says how many of these it has marked.
        let last = passed.last_mut().filter(|_| !is_busy);
        if let Some((_, last)) = last.filter(|(_, last)| *last == first) {
            *last = end;
        } else if passed.len() < MOST_PASSED {
            // What is left out is a hole in the set until the partition is given anew.
            passed.push((first, end));
        }
    }

    /// What does not run.
    pub(super) fn tokens(&self) -> impl Iterator<Item = Token> {
        let items = self.parts.values().flat_map(|part| part.lanes.iter());
        items.map(|item| item.message.token)
    }
}
