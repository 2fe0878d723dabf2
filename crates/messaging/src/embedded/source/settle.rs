//! Settling: what is done, what comes again, what goes to the dead letters, in one commit.

use super::Member;
use super::failures::{failed, is_known};
use crate::embedded::Inner;
use crate::embedded::append::{Added, Item, Plan};
use crate::embedded::part::{Part, Pending, until};
use crate::embedded::repository::cursors::{self, Exception, Marks};
use crate::engine::{Settle, Stale, Token};
use crate::{Error, Tracker};
use backlot_core::Timestamp;
use backlot_storage::StoreError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What changes in a partition of the group.
#[derive(Clone, Debug)]
pub(super) struct Change {
    part: u32,
    epoch: u64,
    /// What is settled afterwards.
    tracker: Tracker,
    /// Settled here, as runs from first to one past the last; each message once.
    done: Vec<(u64, u64)>,
    /// Of these, those that the store knows.
    forget: Vec<u64>,
    keep: BTreeMap<u64, Exception>,
    /// Of these, those that stay out.
    held: BTreeSet<u64>,
    /// What can have killed a process that dies from now on, if that is another thing than before.
    marks: Option<Marks>,
}

/// How a write ended.
#[derive(Debug)]
pub(super) enum Written {
    Done(Option<Added>),
    /// This partition has another epoch: nothing was written.
    Fenced(u32),
}

/// What a call comes to.
#[derive(Default)]
struct Prepared {
    changes: BTreeMap<u32, Change>,
    letters: Vec<Item>,
    extend: Vec<(Token, Duration)>,
    stale: Vec<Stale>,
    counts: Counts,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    done: u64,
    retry: u64,
    later: u64,
    failed: u64,
    dead: u64,
}

impl Change {
    fn of(number: u32, part: &Part) -> Self {
        Change {
            part: number,
            epoch: part.epoch,
            tracker: part.tracker.clone(),
            done: Vec::new(),
            forget: Vec::new(),
            keep: BTreeMap::new(),
            held: BTreeSet::new(),
            marks: None,
        }
    }

    /// Whether a message is still to be settled. One that failed and stays out can come to its end
    /// in the same call.
    fn is_open(&self, part: &Part, offset: u64) -> bool {
        let is_kept = self.keep.contains_key(&offset) && !self.held.contains(&offset);
        part.is_out(offset) && !self.tracker.is_settled(offset) && !is_kept
    }

    /// What is known of a message that is out, with what this call says of it.
    fn known(&self, part: &Part, offset: u64) -> Exception {
        let pending = part.pending.get(&offset);
        let stored = || pending.map(|pending| pending.exception.clone());
        let kept = self.keep.get(&offset).cloned();
        kept.or_else(stored).unwrap_or_default()
    }

    fn settle(&mut self, part: &Part, offset: u64) {
        self.settle_run(offset, offset.saturating_add(1));
        self.keep.remove(&offset);
        self.held.remove(&offset);
        if part
            .pending
            .get(&offset)
            .is_some_and(|known| known.is_stored)
        {
            self.forget.push(offset);
        }
    }

    fn settle_run(&mut self, first: u64, end: u64) {
        self.tracker.settle_range(first, end);
        match self.done.last_mut() {
            Some((_, last)) if *last == first => *last = end,
            _ => self.done.push((first, end)),
        }
    }

    /// Settles messages that follow each other; answers how many were still to be settled.
    fn settle_all(&mut self, part: &Part, first: u64, end: u64) -> u64 {
        let is_plain = part.are_out(first, end)
            && !self.tracker.has_any(first, end)
            && self.keep.range(first..end).next().is_none();
        if is_plain {
            self.settle_run(first, end);
            return end - first;
        }
        let mut settled = 0;
        for offset in first..end {
            if self.is_open(part, offset) {
                self.settle(part, offset);
                settled += 1;
            }
        }
        settled
    }

    /// What the store shall say of suspects afterwards.
    fn mark(&mut self, part: &Part) {
        let is_held = |(offset, pending): &(&u64, &Pending)| {
            pending.is_held && !self.tracker.is_settled(**offset) && !self.keep.contains_key(offset)
        };
        let held = part.pending.iter().filter(is_held).count() + self.held.len();
        let done: u64 = self.done.iter().map(|(first, end)| end - first).sum();
        let done = usize::try_from(done).unwrap_or(usize::MAX);
        let back = done + self.keep.len() - self.held.len();
        self.marks = part.marks_after(back, held);
    }
}

impl Member {
    pub(super) async fn settle_all(
        &mut self,
        settled: &[(Token, Settle)],
    ) -> Result<Vec<Stale>, Error> {
        if *self.closed.borrow() {
            return Err(Error::Closed);
        }
        loop {
            let doubted = self.doubted(settled);
            if !doubted.is_empty() {
                self.reload(doubted).await?;
            }
            let now = self.inner.clock.wall();
            let prepared = self.prepare(settled)?;
            let Prepared {
                changes,
                letters,
                extend,
                stale,
                counts,
            } = prepared;
            let changes: Arc<Vec<Change>> = Arc::new(changes.into_values().collect());
            if !changes.is_empty() {
                let letters = (!letters.is_empty()).then(|| Arc::new(Plan::new(letters, now)));
                let written = self.write(Arc::clone(&changes), letters.clone()).await?;
                match written {
                    Written::Done(added) => {
                        if let (Some(letters), Some(added)) = (&letters, &added) {
                            letters.announce(added);
                        }
                    }
                    Written::Fenced(number) => {
                        let mut state = self.group.state.lock();
                        if let Some(part) = state.parts.get_mut(number as usize) {
                            part.release(false);
                        }
                        drop(state);
                        self.group.wake();
                        continue;
                    }
                }
                self.apply(&changes);
            }
            self.extend(extend);
            self.count(counts, stale.len());
            return Ok(stale);
        }
    }

    /// Partitions of these tokens of which a write has an unknown end.
    fn doubted(&self, settled: &[(Token, Settle)]) -> Vec<u32> {
        let state = self.group.state.lock();
        let numbered = (0..).zip(&state.parts);
        let doubted =
            numbered.filter(|(_, part)| part.is_doubted && part.owner == Some(self.number));
        let doubted: BTreeSet<u32> = doubted.map(|(number, _)| number).collect();
        let touched: BTreeSet<u32> = if doubted.is_empty() {
            BTreeSet::new()
        } else {
            settled.iter().map(|(token, _)| token.partition).collect()
        };
        doubted.intersection(&touched).copied().collect()
    }

    /// Works out what the store shall say, without changing anything here but the doubt.
    fn prepare(&self, settled: &[(Token, Settle)]) -> Result<Prepared, Error> {
        let mut prepared = Prepared::default();
        // Checked before anything is begun.
        let mut letters = BTreeMap::new();
        for (place, (_, settle)) in settled.iter().enumerate() {
            if let Settle::Dead(outgoing) = settle {
                let topic = self.inner.topic(&outgoing.topic)?;
                letters.insert(place, Item::new(topic, (**outgoing).clone())?);
            }
        }
        let mut state = self.group.state.lock();
        let mut next = 0;
        while let Some((token, settle)) = settled.get(next) {
            let place = next;
            next += 1;
            let part = state.parts.get(token.partition as usize);
            let held =
                part.filter(|part| part.epoch == token.epoch && part.owner == Some(self.number));
            let Some(part) = held else {
                prepared.stale.push(Stale {
                    token: *token,
                    epoch: part.map_or(0, |part| part.epoch),
                });
                continue;
            };
            if let Settle::Extend(duration) = settle {
                prepared.extend.push((*token, *duration));
                continue;
            }
            let change = prepared.changes.entry(token.partition);
            let change = change.or_insert_with(|| Change::of(token.partition, part));
            if matches!(settle, Settle::Done) {
                // Most of all is done, in order: then many are as quick as one.
                let follows = |(place, (other, settle)): &(u64, &(Token, Settle))| {
                    let expected = Token {
                        offset: token.offset.saturating_add(*place),
                        ..*token
                    };
                    *other == expected && matches!(settle, Settle::Done)
                };
                let run = (1..).zip(&settled[next..]).take_while(follows).count();
                next += run;
                let end = token.offset.saturating_add(1 + run as u64);
                prepared.counts.done += change.settle_all(part, token.offset, end);
                continue;
            }
            if !change.is_open(part, token.offset) {
                continue;
            }
            match settle {
                Settle::Dead(_) => {
                    change.settle(part, token.offset);
                    prepared.letters.extend(letters.remove(&place));
                    prepared.counts.dead += 1;
                }
                Settle::Retry { at, failure } => {
                    let known = change.known(part, token.offset);
                    let exception = failed(known, *at, failure.clone());
                    change.keep.insert(token.offset, exception);
                    change.held.remove(&token.offset);
                    match failure {
                        Some(_) => prepared.counts.retry += 1,
                        None => prepared.counts.later += 1,
                    }
                }
                Settle::Failed(failure) => {
                    let known = change.known(part, token.offset);
                    let now = Timestamp(0);
                    let exception = if is_known(&known, failure) {
                        known
                    } else {
                        failed(known, now, Some(failure.clone()))
                    };
                    change.keep.insert(token.offset, exception);
                    change.held.insert(token.offset);
                    prepared.counts.failed += 1;
                }
                Settle::Done | Settle::Extend(_) => {}
            }
        }
        prepared
            .changes
            .retain(|_, change| !change.done.is_empty() || !change.keep.is_empty());
        for (number, change) in &mut prepared.changes {
            if let Some(part) = state.parts.get_mut(*number as usize) {
                change.mark(part);
                part.is_doubted = true;
                part.failing.extend(&change.held);
            }
        }
        Ok(prepared)
    }

    async fn write(
        &self,
        changes: Arc<Vec<Change>>,
        letters: Option<Arc<Plan>>,
    ) -> Result<Written, Error> {
        let group = self.group.id;
        let mut unheard = Unheard(letters.is_some().then(|| Arc::clone(&self.inner)));
        let writing = self.inner.write(move |tx| {
            let (changes, letters) = (Arc::clone(&changes), letters.clone());
            Box::pin(async move {
                for change in changes.iter() {
                    let Change {
                        part,
                        epoch,
                        tracker,
                        forget,
                        keep,
                        marks,
                        ..
                    } = change;
                    if !cursors::advance(tx, group, *part, *epoch, tracker).await? {
                        return Err(Ended::Fenced(*part));
                    }
                    for offset in forget {
                        cursors::forget(tx, group, *part, *offset).await?;
                    }
                    for (offset, exception) in keep {
                        cursors::except(tx, group, *part, *offset, exception).await?;
                    }
                    if let Some(marks) = marks {
                        cursors::mark(tx, group, *part, *epoch, *marks).await?;
                    }
                }
                match letters {
                    Some(letters) => Ok(Some(letters.run(tx).await?)),
                    None => Ok(None),
                }
            })
        });
        match writing.await {
            Ok(added) => {
                unheard.0 = None;
                Ok(Written::Done(added))
            }
            Err(Ended::Fenced(part)) => Ok(Written::Fenced(part)),
            Err(Ended::Store(error)) => {
                let error = Error::of_write(error);
                tracing::error!(
                    error = backlot_core::error::chain(&error),
                    topic = self.group.topic.name,
                    group = self.group.name,
                    "settled messages could not be stored"
                );
                Err(error)
            }
        }
    }

    /// Takes over what the store says now.
    fn apply(&self, changes: &[Change]) {
        let (now, lease) = (Instant::now(), self.subscription.lease);
        let mut state = self.group.state.lock();
        let mut wakes = false;
        for change in changes {
            let Some(part) = state.parts.get_mut(change.part as usize) else {
                continue;
            };
            if part.epoch != change.epoch || part.owner != Some(self.number) {
                // It went to somebody who reads from the store what was settled.
                continue;
            }
            part.is_doubted = false;
            part.marks = change.marks.unwrap_or(part.marks);
            part.failing.clear();
            part.settled(change.tracker.clone());
            for (first, end) in &change.done {
                part.are_back(*first, *end);
            }
            for (offset, exception) in &change.keep {
                let offset = *offset;
                let mut pending = Pending::ordinary();
                pending.exception = exception.clone();
                pending.is_stored = true;
                pending.is_out = change.held.contains(&offset);
                pending.is_held = pending.is_out;
                let stays = pending.is_out;
                part.pending.insert(offset, pending);
                if stays {
                    part.extend(offset, until(now, lease));
                } else {
                    part.is_back(offset);
                }
            }
            wakes |= part.end_trial();
            wakes |= part.is_left();
        }
        drop(state);
        if wakes {
            self.group.wake();
        }
    }

    fn extend(&self, extend: Vec<(Token, Duration)>) {
        let mut state = self.group.state.lock();
        let now = Instant::now();
        for (token, duration) in extend {
            // While something else was written it may have gone to another.
            if let Some(part) = state.parts.get_mut(token.partition as usize) {
                part.extend_of(self.number, &token, until(now, duration));
            }
        }
    }

    fn count(&self, counts: Counts, stale: usize) {
        let telemetry = &self.group.telemetry;
        telemetry.done.add(counts.done);
        telemetry.retry.add(counts.retry);
        telemetry.later.add(counts.later);
        telemetry.failed.add(counts.failed);
        telemetry.dead.add(counts.dead);
        telemetry.stale.add(stale as u64);
    }

    /// Settles what is not there any more; answers whether the partition was still this member's.
    pub(super) async fn pass_over(
        &self,
        number: u32,
        epoch: u64,
        first: u64,
        end: u64,
    ) -> Result<bool, Error> {
        let change = {
            let mut state = self.group.state.lock();
            let Some(part) = state.parts.get_mut(number as usize) else {
                return Ok(false);
            };
            if part.epoch != epoch || !part.is_leasable(self.number) {
                return Ok(false);
            }
            let mut change = Change::of(number, part);
            change.tracker.settle_range(first, end);
            change.forget = part
                .pending
                .range(first..end)
                .filter(|(_, pending)| pending.is_stored)
                .map(|(offset, _)| *offset)
                .collect();
            part.is_doubted = true;
            change
        };
        let written = self.write(Arc::new(vec![change.clone()]), None).await?;
        let mut state = self.group.state.lock();
        let Some(part) = state.parts.get_mut(number as usize) else {
            return Ok(false);
        };
        if part.epoch != epoch || part.owner != Some(self.number) {
            return Ok(false);
        }
        if matches!(written, Written::Fenced(_)) {
            part.release(false);
            drop(state);
            self.group.wake();
            return Ok(false);
        }
        part.is_doubted = false;
        part.pass_over(first, end, change.tracker);
        if part.end_trial() || part.is_left() {
            drop(state);
            self.group.wake();
        }
        Ok(true)
    }
}

/// Letters that may be in the log without anybody knowing: unless it is said otherwise, the keeper
/// looks.
struct Unheard(Option<Arc<Inner>>);

impl Drop for Unheard {
    fn drop(&mut self) {
        if let Some(inner) = self.0.take() {
            inner.doubt();
        }
    }
}

/// Why a write did not commit.
enum Ended {
    Fenced(u32),
    Store(StoreError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Ended::Store(error)
    }
}
