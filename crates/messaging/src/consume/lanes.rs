//! Which message of a partition is next: those of one slot one after the other, the rest side by
//! side. A pure state machine: it is told the time and asks nobody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::time::Instant;

/// What waits for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    /// Everything.
    All,
    /// Messages of a key, by its hash: two keys may share one.
    Key(u64),
    /// Nothing but this message, by its offset.
    Own(u64),
}

/// A message with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item<M> {
    pub(crate) offset: u64,
    pub(crate) slot: Slot,
    pub(crate) message: M,
}

/// The messages of one partition that are out and do not run.
#[derive(Debug)]
pub(super) struct Lanes<M> {
    /// In order of their offsets, as far as they came so.
    fresh: VecDeque<Item<M>>,
    /// Of slots in which something runs or is held.
    lanes: BTreeMap<Slot, Lane<M>>,
    /// Lanes whose next message may run.
    ready: VecDeque<Slot>,
    due: BTreeSet<(Instant, Slot)>,
    waiting: usize,
    /// Whether what waited behind a held message goes back among the fresh.
    is_batched: bool,
}

#[derive(Debug)]
struct Lane<M> {
    held: Option<(Instant, Item<M>)>,
    /// In order of their offsets.
    waiting: VecDeque<Item<M>>,
}

impl<M> Lanes<M> {
    /// Nothing. Batched, a partition runs one batch at a time: slots in it need no lanes.
    pub(super) fn new(is_batched: bool) -> Self {
        Lanes {
            fresh: VecDeque::new(),
            lanes: BTreeMap::new(),
            ready: VecDeque::new(),
            due: BTreeSet::new(),
            waiting: 0,
            is_batched,
        }
    }

    /// A message came.
    pub(super) fn offer(&mut self, item: Item<M>) {
        self.fresh.push_back(item);
    }

    /// The next message that may run; its slot is busy until it is [done](Lanes::done) or
    /// [held](Lanes::hold).
    pub(super) fn next(&mut self) -> Option<Item<M>> {
        if let Some(item) = self.next_ready() {
            return Some(item);
        }
        while let Some(item) = self.fresh.pop_front() {
            match self.lanes.get_mut(&item.slot) {
                Some(lane) => {
                    lane.waiting.push_back(item);
                    self.waiting += 1;
                }
                None => {
                    self.lanes.insert(item.slot, Lane::new());
                    return Some(item);
                }
            }
        }
        None
    }

    /// The next batch: messages that were held, among themselves, so that one that fails once more
    /// costs no others another run; else fresh ones whose slot has none that is held, in their
    /// order.
    pub(super) fn batch(&mut self, most: usize) -> Vec<Item<M>> {
        let again: Vec<Item<M>> = std::iter::from_fn(|| self.next_ready())
            .take(most)
            .collect();
        match again.is_empty() {
            true => self.fresh_batch(most),
            false => again,
        }
    }

    /// A batch of fresh messages alone.
    pub(super) fn fresh_batch(&mut self, most: usize) -> Vec<Item<M>> {
        if self.lanes.is_empty() {
            let count = most.min(self.fresh.len());
            return self.fresh.drain(..count).collect();
        }
        let mut batch = Vec::new();
        while batch.len() < most
            && let Some(item) = self.fresh.pop_front()
        {
            match self.lanes.get_mut(&item.slot) {
                Some(lane) => {
                    lane.waiting.push_back(item);
                    self.waiting += 1;
                }
                None => batch.push(item),
            }
        }
        batch
    }

    fn next_ready(&mut self) -> Option<Item<M>> {
        let slot = self.ready.pop_front()?;
        let item = self.lanes.get_mut(&slot)?.waiting.pop_front()?;
        self.waiting -= 1;
        Some(item)
    }

    /// A message that ran is done with.
    pub(super) fn done(&mut self, slot: Slot) {
        let Some(lane) = self.lanes.get(&slot) else {
            return;
        };
        if lane.held.is_some() {
            return;
        }
        if lane.waiting.is_empty() {
            self.lanes.remove(&slot);
        } else if self.is_batched {
            let lane = self.lanes.remove(&slot);
            let waiting = lane.map_or_else(VecDeque::new, |lane| lane.waiting);
            self.waiting -= waiting.len();
            self.put_first(waiting);
        } else {
            self.ready.push_back(slot);
        }
    }

    /// A message that ran is tried again then; what comes after it in its slot waits.
    pub(super) fn hold(&mut self, item: Item<M>, until: Instant) {
        let slot = item.slot;
        self.due.insert((until, slot));
        let lane = self.lanes.entry(slot).or_insert_with(Lane::new);
        let (first, other) = match lane.held.take() {
            None => ((until, item), None),
            Some((_, other)) if item.offset < other.offset => ((until, item), Some(other)),
            Some(held) => (held, Some(item)),
        };
        lane.held = Some(first);
        if let Some(other) = other {
            // One of them waits for the other, whose turn is first.
            let at = lane
                .waiting
                .partition_point(|known| known.offset < other.offset);
            lane.waiting.insert(at, other);
            self.waiting += 1;
        }
    }

    /// A message that ran goes back where it was, as if it had not.
    pub(super) fn release(&mut self, item: Item<M>) {
        if let Some(lane) = self.lanes.get_mut(&item.slot) {
            let slot = item.slot;
            lane.waiting.push_front(item);
            self.waiting += 1;
            self.ready.push_back(slot);
        } else {
            self.put_first(VecDeque::from([item]));
        }
    }

    /// Messages that were taken and did not run.
    pub(super) fn put_back(&mut self, items: impl IntoIterator<Item = Item<M>>) {
        let mut fresh = VecDeque::new();
        for item in items {
            match self.lanes.get_mut(&item.slot) {
                // Before those of the slot that were there already: they are later ones.
                Some(lane) => {
                    let before = |known: &Item<M>| known.offset < item.offset;
                    let at = lane.waiting.partition_point(before);
                    // It was held before, and is the next of its slot again.
                    if at == 0 && lane.held.is_none() {
                        self.ready.push_back(item.slot);
                    }
                    lane.waiting.insert(at, item);
                    self.waiting += 1;
                }
                None => fresh.push_back(item),
            }
        }
        self.put_first(fresh);
    }

    /// Before what is fresh, in order of the offsets.
    fn put_first(&mut self, mut items: VecDeque<Item<M>>) {
        if items.is_empty() {
            return;
        }
        items.append(&mut self.fresh);
        items.make_contiguous().sort_by_key(|item| item.offset);
        self.fresh = items;
    }

    /// Makes ready what was held until now.
    pub(super) fn wake(&mut self, now: Instant) {
        while let Some(&(until, slot)) = self.due.first()
            && until <= now
        {
            self.due.pop_first();
            let Some(lane) = self.lanes.get_mut(&slot) else {
                continue;
            };
            if let Some((_, item)) = lane.held.take() {
                lane.waiting.push_front(item);
                self.waiting += 1;
                self.ready.push_back(slot);
            }
        }
    }

    /// When the next message that is held is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(until, _)| *until)
    }

    /// Whether something that was held may run.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many came and were not looked at.
    pub(super) fn fresh(&self) -> usize {
        self.fresh.len()
    }

    /// How many slots are held, and how many messages wait behind others.
    pub(super) fn depth(&self) -> (usize, usize) {
        (self.due.len(), self.waiting)
    }

    /// Everything that does not run.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Item<M>> {
        let held = |lane: &'_ Lane<M>| lane.held.is_some();
        let lanes = self.lanes.values();
        let held = lanes.filter(move |lane| held(lane));
        let held = held.filter_map(|lane| lane.held.as_ref().map(|(_, item)| item));
        let waiting = self.lanes.values().flat_map(|lane| &lane.waiting);
        self.fresh.iter().chain(held).chain(waiting)
    }
}

impl<M> Lane<M> {
    fn new() -> Self {
        Lane {
            held: None,
            waiting: VecDeque::new(),
        }
    }
}

#[cfg(test)]
mod tests;
