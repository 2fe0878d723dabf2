//! A member of a group: waits, and does what the group's state says is next.

mod again;
mod failures;
mod fresh;
mod settle;
mod trial;

use super::Inner;
use super::ephemeral;
use super::group::{Group, Step};
use super::part::{Before, Loaded};
use super::repository::{cursors, log, topics};
use crate::Error;
use crate::engine::{Gap, Input, Settle, Source, Stale, Subscription, Token};
use async_trait::async_trait;
use backlot_storage::StoreError;
use fresh::{Buffer, Fetching};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

pub(super) struct Member {
    inner: Arc<Inner>,
    group: Arc<Group>,
    number: u64,
    subscription: Arc<Subscription>,
    /// Read from the log and not out yet, by partition.
    buffers: BTreeMap<u32, Buffer>,
    /// A read that was begun; it goes on when its caller waits again.
    fetching: Option<Fetching>,
    changed: watch::Receiver<u64>,
    grown: watch::Receiver<Vec<u64>>,
    closed: watch::Receiver<bool>,
    /// Told when another trial may begin.
    freed: watch::Receiver<u64>,
    /// What is being passed over under which epoch, until that is told.
    skipping: Option<(u64, Input)>,
    /// Which partition comes first, so that each has its turn.
    turn: usize,
    has_left: bool,
}

impl Member {
    pub(super) fn join(inner: Arc<Inner>, group: Arc<Group>, subscription: Subscription) -> Self {
        let number = group.join(subscription.clone());
        Member {
            changed: group.changed.subscribe(),
            grown: group.topic.watch(),
            closed: inner.closed.subscribe(),
            freed: inner.trials.watch(),
            skipping: None,
            inner,
            group,
            number,
            subscription: Arc::new(subscription),
            buffers: BTreeMap::new(),
            fetching: None,
            turn: 0,
            has_left: false,
        }
    }

    fn now_ms(&self) -> i64 {
        self.inner.clock.wall().0
    }

    /// Waits until something changes, at most until then.
    async fn wait(&mut self, until: Option<Instant>) {
        let timer = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        // The senders live as long as the engine, the group and the topic, which are held here.
        tokio::select! {
            biased;
            _ = self.closed.changed() => {}
            _ = self.changed.changed() => {}
            _ = self.grown.changed() => {}
            _ = self.freed.changed() => {}
            () = timer => {}
        }
    }

    fn unknown_group(&self) -> Error {
        Error::UnknownGroup {
            topic: self.group.topic.name.clone(),
            group: self.group.name.clone(),
        }
    }

    /// The last member of a group that is no longer than its members is gone.
    async fn forget(&self) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        let (topic, group) = (self.group.topic.name.clone(), self.group.name.clone());
        let forgetting = async move { ephemeral::forget(&inner, &topic, &group).await };
        match self.inner.finish("broker-forget", forgetting).await {
            // Somebody came in between, or was faster.
            Err(Error::Occupied { .. } | Error::UnknownGroup { .. }) => Ok(()),
            forgotten => forgotten,
        }
    }

    /// Begins an epoch of each of these partitions.
    async fn claim(&mut self, parts: Vec<u32>) -> Result<Option<Input>, Error> {
        self.look_back(&parts).await?;
        let (group, topic) = (self.group.id, self.group.topic.id);
        let incarnation = self.group.topic.settings().incarnation;
        let known: Vec<(u32, u64)> = {
            let state = self.group.state.lock();
            let epoch = |part: &u32| Some((*part, state.parts.get(*part as usize)?.epoch));
            parts.iter().filter_map(epoch).collect()
        };
        let owner = self.subscription.member.clone();
        let span = self.subscription.in_flight.max(1);
        let written = self.inner.write(move |tx| {
            let (known, owner) = (known.clone(), owner.clone());
            Box::pin(async move {
                let mut loaded = Vec::with_capacity(known.len());
                for (part, epoch) in known {
                    let mut cursor = cursors::cursor(tx, group, part).await?;
                    if cursor.incarnation != incarnation || !cursor.is_sound {
                        tracing::error!(
                            group,
                            part,
                            "a bookmark is damaged or belongs to another log: it begins anew"
                        );
                        let ranges = topics::ranges(tx, topic).await?;
                        let first = ranges.get(part as usize).map_or(0, |range| range.first);
                        cursors::move_to(tx, group, part, first, incarnation).await?;
                        cursor = cursors::cursor(tx, group, part).await?;
                    }
                    let epoch = cursor.epoch.max(epoch) + 1;
                    cursors::claim(tx, group, part, epoch, (&owner, span)).await?;
                    let exceptions = cursors::exceptions(tx, group, part).await?;
                    loaded.push((
                        part,
                        Loaded {
                            cursor,
                            exceptions,
                            epoch,
                        },
                    ));
                }
                Ok::<_, StoreError>(loaded)
            })
        });
        let loaded = written.await.map_err(Error::of_write)?;
        let mut assigned = Vec::new();
        let mut state = self.group.state.lock();
        for (number, loaded) in loaded {
            if let Some(part) = state.parts.get_mut(number as usize)
                && part.target == Some(self.number)
                && part.owner.is_none()
            {
                assigned.push((number, loaded.epoch));
                part.begin(self.number, loaded);
            }
        }
        drop(state);
        for (part, _) in &assigned {
            self.buffers.remove(part);
            self.group.telemetry.assigned.inc();
        }
        Ok((!assigned.is_empty()).then_some(Input::Assigned(assigned)))
    }

    /// Before the first epoch of this process: what the last one left.
    async fn look_back(&self, parts: &[u32]) -> Result<(), Error> {
        let unknown: Vec<u32> = {
            let state = self.group.state.lock();
            let is_unknown = |part: &&u32| {
                let known = state.parts.get(**part as usize);
                known.is_some_and(|part| part.before == Before::Elsewhere)
            };
            parts.iter().filter(is_unknown).copied().collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        let loaded = self.load(unknown).await?;
        let heads: Vec<u64> = self.group.topic.watch().borrow().clone();
        let mut state = self.group.state.lock();
        for (number, loaded) in &loaded {
            let head = heads.get(*number as usize).copied().unwrap_or(0);
            if let Some(part) = state.parts.get_mut(*number as usize) {
                part.look_back(loaded, head, self.now_ms());
            }
        }
        Ok(())
    }

    /// What the store says of these partitions, after every write that was begun.
    async fn load(&self, parts: Vec<u32>) -> Result<Vec<(u32, Loaded)>, Error> {
        let group = self.group.id;
        // A write, because those wait for each other: a read could come before one that is on its
        // way.
        let loading = self.inner.write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move {
                let mut loaded = Vec::with_capacity(parts.len());
                for part in parts {
                    let cursor = cursors::cursor(tx, group, part).await?;
                    let exceptions = cursors::exceptions(tx, group, part).await?;
                    let epoch = cursor.epoch;
                    loaded.push((
                        part,
                        Loaded {
                            cursor,
                            exceptions,
                            epoch,
                        },
                    ));
                }
                Ok::<_, StoreError>(loaded)
            })
        });
        loading.await.map_err(Error::of_read)
    }

    /// Reads again what a write of unknown end left.
    async fn reload(&mut self, parts: Vec<u32>) -> Result<(), Error> {
        let loaded = self.load(parts).await?;
        let mut state = self.group.state.lock();
        let mut wakes = false;
        for (number, loaded) in loaded {
            if let Some(part) = state.parts.get_mut(number as usize)
                && part.owner == Some(self.number)
            {
                if part.epoch == loaded.epoch && loaded.cursor.is_sound {
                    wakes |= part.reload(loaded) || part.is_left();
                } else {
                    // Somebody began another epoch: it is not ours any more. Or it is damaged: a
                    // new epoch looks into that.
                    part.release(false);
                    wakes = true;
                }
                self.buffers.remove(&number);
            }
        }
        drop(state);
        if wakes {
            self.group.wake();
        }
        Ok(())
    }

    /// Passes over messages that are not there any more, and says so.
    async fn skip(
        &mut self,
        (part, epoch): (u32, u64),
        (first, end): (u64, u64),
        cause: Gap,
    ) -> Result<Option<Input>, Error> {
        // Whoever stops waiting, or is told of a failure, finds it passed over all the same.
        let skipped = Input::Skipped {
            partition: part,
            first,
            end,
            cause,
        };
        self.skipping = Some((epoch, skipped.clone()));
        let is_passed = self.pass_over(part, epoch, first, end).await?;
        self.skipping = None;
        if !is_passed {
            return Ok(None);
        }
        self.buffers.remove(&part);
        let telemetry = &self.group.telemetry;
        match cause {
            Gap::Retention => telemetry.retention.add(end - first),
            Gap::Damaged => telemetry.damaged.add(end - first),
        }
        tracing::warn!(
            topic = self.group.topic.name,
            group = self.group.name,
            partition = part,
            first,
            end,
            ?cause,
            "messages are not there any more and are passed over"
        );
        Ok(Some(skipped))
    }

    /// What was passed over and not told, if it was.
    fn untold(&mut self) -> Option<Input> {
        let (epoch, skipped) = self.skipping.as_ref()?;
        let Input::Skipped {
            partition, first, ..
        } = skipped
        else {
            return None;
        };
        let state = self.group.state.lock();
        let part = state.parts.get(*partition as usize)?;
        let is_same = (part.owner, part.epoch) == (Some(self.number), *epoch);
        if is_same && part.is_doubted {
            // The store is asked first.
            return None;
        }
        let is_passed = is_same && part.tracker.is_settled(*first);
        drop(state);
        let (_, skipped) = self.skipping.take()?;
        is_passed.then_some(skipped)
    }

    /// Puts a damaged batch aside, so that the partition goes on after it.
    async fn put_aside(&self, part: u32, batch: &log::Batch) -> Result<(), Error> {
        let (topic, now) = (self.group.topic.id, self.inner.clock.wall());
        let (id, range) = (batch.id, (batch.base, batch.count));
        let writing = self.inner.write(move |tx| {
            Box::pin(async move { log::put_aside(tx, topic, part, id, range, now).await })
        });
        if writing.await.map_err(Error::of_write)? {
            self.group.topic.telemetry.quarantined.inc();
            tracing::error!(
                topic = self.group.topic.name,
                partition = part,
                first = batch.base,
                end = batch.end(),
                "a damaged batch was put aside"
            );
        }
        Ok(())
    }
}

/// Marks a member as one that waits, while it does.
struct Calling {
    group: Arc<Group>,
    number: u64,
    subscription: Arc<Subscription>,
}

impl Calling {
    fn begin(member: &Member) -> Self {
        let calling = Calling {
            group: Arc::clone(&member.group),
            number: member.number,
            subscription: Arc::clone(&member.subscription),
        };
        calling.say(true);
        calling
    }

    fn say(&self, is_calling: bool) {
        let mut state = self.group.state.lock();
        state.is_alive(self.number, &self.subscription, is_calling, &self.group);
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        self.say(false);
    }
}

#[async_trait]
impl Source for Member {
    async fn next(&mut self, max: usize) -> Result<Input, Error> {
        let _calling = Calling::begin(self);
        loop {
            if *self.closed.borrow_and_update() {
                return Err(Error::Closed);
            }
            if let Some(skipped) = self.untold() {
                return Ok(skipped);
            }
            self.changed.borrow_and_update();
            self.freed.borrow_and_update();
            // One at a time in all of the process: else it would not be known of which it died.
            let is_on_trial = self.inner.trials.is_taken();
            let heads = self.grown.borrow_and_update().clone();
            let step = {
                let mut state = self.group.state.lock();
                if state.is_forgotten {
                    drop(state);
                    return Err(self.unknown_group());
                }
                state.tidy(&self.group);
                let at = (self.now_ms(), max.max(1), self.turn);
                state.step(self.number, at, &heads, is_on_trial)
            };
            let input = match step {
                Step::Tell(input) => Some(input),
                Step::Claim(parts) => self.claim(parts).await?,
                Step::Reload(parts) => {
                    self.reload(parts).await?;
                    None
                }
                Step::Clear(part) => {
                    self.clear(part).await?;
                    None
                }
                Step::Trial(part, offsets) => self.trial(part, offsets).await?,
                Step::Again(part, offsets) => self.again(part, offsets).await?,
                Step::Fresh(rooms) => self.fresh(rooms, max.max(1)).await?,
                Step::Wait(until) => {
                    let trials = &self.inner.trials;
                    let look = is_on_trial.then(|| trials.look_after(&self.group, self.now_ms()));
                    let until = until.into_iter().chain(look.flatten()).min();
                    self.wait(until).await;
                    None
                }
            };
            if let Some(input) = input {
                if let Input::Deliveries(deliveries) = &input {
                    self.turn = self.turn.wrapping_add(1);
                    self.group.telemetry.delivered.add(deliveries.len() as u64);
                }
                return Ok(input);
            }
        }
    }

    async fn settle(&mut self, settled: Vec<(Token, Settle)>) -> Result<Vec<Stale>, Error> {
        let calling = Calling::begin(self);
        let stale = self.settle_all(&settled).await;
        drop(calling);
        stale
    }

    async fn close(mut self: Box<Self>) -> Result<(), Error> {
        self.has_left = true;
        let had = self.group.leave(self.number, false);
        if self.group.is_ephemeral && self.group.members().is_empty() {
            return self.forget().await;
        }
        self.inner.say_left(self.group.id, had).await
    }

    fn abandon(mut self: Box<Self>) {
        self.has_left = true;
        self.group.leave(self.number, true);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if !self.has_left {
            // Who was silent for too long may have hung in what it had out.
            let is_late = self.group.is_late(self.number);
            self.group.leave(self.number, is_late);
        }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("topic", &self.group.topic.name)
            .field("group", &self.group.name)
            .field("member", &self.subscription.member)
            .finish_non_exhaustive()
    }
}
