//! A group in memory: its members, who has which partition, and what a member does next.

mod sharing;

use super::part::{Before, Left, Part, until};
use super::repository::cursors::{Marks, Stored};
use super::topic::Topic;
use crate::engine::{Cause, Input, Subscription};
use crate::telemetry::OfGroup;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: i64,
    pub(super) name: String,
    /// Whether it is no longer than its members.
    pub(super) is_ephemeral: bool,
    pub(super) topic: Arc<Topic>,
    pub(super) telemetry: OfGroup,
    pub(super) state: Mutex<State>,
    /// Told when members or partitions change, for those that wait.
    pub(super) changed: watch::Sender<u64>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) parts: Vec<Part>,
    pub(super) is_paused: bool,
    /// Whether it was removed: whoever is left of it is told so.
    pub(super) is_forgotten: bool,
    members: BTreeMap<u64, Member>,
    last_member: u64,
}

#[derive(Debug)]
struct Member {
    subscription: Subscription,
    /// Whether it waits in a call.
    is_calling: bool,
    /// When it is taken for gone unless it calls.
    alive_until: Instant,
    told: VecDeque<Input>,
}

/// What a member does next.
#[derive(Debug)]
pub(super) enum Step {
    /// Tells this.
    Tell(Input),
    /// Begins an epoch of these partitions.
    Claim(Vec<u32>),
    /// Reads again what the store says of these partitions.
    Reload(Vec<u32>),
    /// Says in the store that nothing of this partition is suspect any more.
    Clear(u32),
    /// Delivers suspects, of which the store knows before.
    Trial(u32, Vec<u64>),
    /// Delivers messages again.
    Again(u32, Vec<u64>),
    /// Delivers from these partitions what was not out yet.
    Fresh(Vec<Room>),
    /// Waits until something changes, at most until then.
    Wait(Option<Instant>),
}

/// How much of a partition may go out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) part: u32,
    pub(super) epoch: u64,
    pub(super) position: u64,
    pub(super) messages: usize,
}

/// The most time that passes between two looks at the wall clock, which may be set.
const CLOCK_LOOK: Duration = Duration::from_secs(1);
/// The least time between two looks whether another member hangs, whatever its lease.
const LEAST_LOOK: Duration = Duration::from_millis(10);

impl Group {
    pub(super) fn new(stored: Stored, topic: Arc<Topic>, telemetry: OfGroup) -> Self {
        let parts = (0..topic.partitions).map(|_| Part::new()).collect();
        Group {
            id: stored.id,
            name: stored.name,
            is_ephemeral: stored.is_ephemeral,
            topic,
            telemetry,
            state: Mutex::new(State {
                parts,
                is_paused: stored.is_paused,
                is_forgotten: false,
                members: BTreeMap::new(),
                last_member: 0,
            }),
            changed: watch::Sender::new(0),
        }
    }

    pub(super) fn wake(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// A new member; answers its number.
    pub(super) fn join(&self, subscription: Subscription) -> u64 {
        let mut state = self.state.lock();
        state.last_member += 1;
        let number = state.last_member;
        state.add(number, subscription, Instant::now());
        state.share(Instant::now(), self);
        drop(state);
        self.wake();
        number
    }

    /// A member is gone; answers how it leaves what it had. If nobody can vouch for its end, what
    /// it had out may be what killed it.
    pub(super) fn leave(&self, member: u64, is_unclean: bool) -> Vec<Left> {
        let mut state = self.state.lock();
        let had = state.remove(member, is_unclean);
        state.share(Instant::now(), self);
        drop(state);
        self.wake();
        had
    }

    /// Whether a member was silent for longer than its lease, though nobody else noticed.
    pub(super) fn is_late(&self, member: u64) -> bool {
        let state = self.state.lock();
        let known = state.members.get(&member);
        known.is_some_and(|known| known.is_late(Instant::now()))
    }

    /// Everybody is gone; answers how the partitions are left, as far as anything is known of them.
    pub(super) fn disperse(&self) -> Vec<Left> {
        let mut state = self.state.lock();
        state.members.clear();
        let mut had = Vec::new();
        for (number, part) in (0..).zip(&mut state.parts) {
            if part.owner.is_some() {
                part.release(false);
            }
            part.target = None;
            had.extend(part.left(number));
        }
        had
    }

    /// The partitions are at another place, under epochs that only the store knows.
    pub(super) fn moved(&self, parts: impl IntoIterator<Item = u32>) {
        let mut state = self.state.lock();
        let mut lost: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for number in parts {
            let Some(part) = state.parts.get_mut(number as usize) else {
                continue;
            };
            if let Some(owner) = part.owner {
                lost.entry(owner).or_default().push(number);
            }
            part.release(false);
            part.before = Before::innocent();
            part.announced = None;
            self.telemetry.moved.inc();
        }
        for (member, partitions) in lost {
            state.tell(member, partitions, Cause::Moved);
        }
        drop(state);
        self.wake();
    }

    /// Nobody joins any more; refused, with their number, while there are members.
    pub(super) fn begin_forgetting(&self) -> Result<(), usize> {
        let mut state = self.state.lock();
        match state.members.len() {
            0 => {
                state.is_forgotten = true;
                drop(state);
                self.wake();
                Ok(())
            }
            members => Err(members),
        }
    }

    /// It was not removed after all.
    pub(super) fn keep(&self) {
        self.state.lock().is_forgotten = false;
        self.wake();
    }

    /// Takes from its members what is not theirs any more; answers when to look again.
    pub(super) fn look_after(&self, now_ms: i64) -> Option<Instant> {
        let mut state = self.state.lock();
        state.tidy(self);
        state.wake_at(None, now_ms)
    }

    /// The names of the members, in order of their arrival.
    pub(super) fn members(&self) -> Vec<String> {
        let state = self.state.lock();
        let members = state.members.values();
        members
            .map(|member| member.subscription.member.clone())
            .collect()
    }
}

impl Member {
    /// Whether it was silent for longer than its lease.
    fn is_late(&self, now: Instant) -> bool {
        !self.is_calling && self.alive_until <= now
    }

    /// Whether it lives, as far as it has said anything since it was asked to leave this partition by
    /// then: one that is busy takes the notice late, and keeps what it has.
    fn is_well(&self, part: u32, leaving: Option<Instant>) -> bool {
        let Subscription { lease, drain, .. } = &self.subscription;
        let asked = leaving.and_then(|leaving| leaving.checked_sub(*drain));
        let spoke = self.alive_until.checked_sub(*lease);
        let is_notice = |input: &Input| matches!(input, Input::Revoked { partitions, .. } if partitions.contains(&part));
        spoke > asked || !self.told.iter().any(is_notice)
    }
}

impl State {
    fn add(&mut self, number: u64, subscription: Subscription, now: Instant) {
        let alive_until = until(now, subscription.lease);
        let member = Member {
            subscription,
            is_calling: false,
            alive_until,
            told: VecDeque::new(),
        };
        self.members.insert(number, member);
    }

    fn remove(&mut self, member: u64, is_unclean: bool) -> Vec<Left> {
        self.members.remove(&member);
        let mut had = Vec::new();
        for (number, part) in (0..).zip(&mut self.parts) {
            if part.owner == Some(member) {
                part.release(is_unclean);
                had.extend(part.left(number));
            }
            if part.target == Some(member) {
                part.target = None;
            }
        }
        had
    }

    fn tell(&mut self, member: u64, partitions: Vec<u32>, cause: Cause) {
        if let Some(member) = self.members.get_mut(&member) {
            member.told.push_back(Input::Revoked { partitions, cause });
        }
    }

    /// Says that a member does something, and makes it one again if it was taken for gone.
    pub(super) fn is_alive(
        &mut self,
        member: u64,
        subscription: &Subscription,
        is_calling: bool,
        group: &Group,
    ) {
        let now = Instant::now();
        if self.is_forgotten {
            return;
        }
        if !self.members.contains_key(&member) {
            self.add(member, subscription.clone(), now);
            self.share(now, group);
            group.wake();
        }
        if let Some(known) = self.members.get_mut(&member) {
            known.is_calling = is_calling;
            known.alive_until = until(now, subscription.lease);
        }
    }

    /// Takes from the silent, the late and the leaving what is not theirs any more.
    pub(super) fn tidy(&mut self, group: &Group) {
        let now = Instant::now();
        let silent = self
            .members
            .iter()
            .filter(|(_, member)| member.is_late(now));
        let silent: Vec<u64> = silent.map(|(number, _)| *number).collect();
        let mut has_changed = !silent.is_empty();
        for member in silent {
            let lost = self.remove(member, true);
            group.telemetry.expired.add(lost.len() as u64);
            tracing::warn!(
                topic = group.topic.name,
                group = group.name,
                partitions = lost.len(),
                "a member was silent for longer than its lease"
            );
        }
        let mut expired: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for (number, part) in (0..).zip(&mut self.parts) {
            let Some(owner) = part.owner else { continue };
            if part.has_expired(now) {
                part.release(true);
                expired.entry(owner).or_default().push(number);
            } else if part
                .leaving
                .is_some_and(|until| part.out == 0 || until <= now)
            {
                let is_well = self
                    .members
                    .get(&owner)
                    .is_some_and(|owner| owner.is_well(number, part.leaving));
                // Whoever neither took the notice nor said anything since may be dead.
                part.release(part.out > 0 && !is_well);
                has_changed = true;
            }
        }
        for (member, partitions) in expired {
            has_changed = true;
            group.telemetry.expired.add(partitions.len() as u64);
            tracing::warn!(
                topic = group.topic.name,
                group = group.name,
                ?partitions,
                "a message was out for longer than its lease"
            );
            self.tell(member, partitions, Cause::Expired);
        }
        if has_changed {
            self.share(now, group);
            group.wake();
        }
    }

    /// What this member does next. `heads` is where the partitions end; `is_on_trial` says whether
    /// messages of any group are.
    pub(super) fn step(
        &mut self,
        member: u64,
        (now_ms, max, turn): (i64, usize, usize),
        heads: &[u64],
        is_on_trial: bool,
    ) -> Step {
        let Some(known) = self.members.get_mut(&member) else {
            return Step::Wait(None);
        };
        if let Some(input) = known.told.pop_front() {
            return Step::Tell(input);
        }
        let in_flight = known.subscription.in_flight.max(1) as usize;
        let numbered = || (0..).zip(&self.parts);
        let free: Vec<u32> = numbered()
            .filter(|(_, part)| part.target == Some(member) && part.owner.is_none())
            .map(|(number, _)| number)
            .collect();
        if !free.is_empty() {
            return Step::Claim(free);
        }
        let doubted: Vec<u32> = numbered()
            .filter(|(_, part)| part.owner == Some(member) && part.is_doubted)
            .map(|(number, _)| number)
            .collect();
        if !doubted.is_empty() {
            return Step::Reload(doubted);
        }
        let wake = self.wake_at(Some(member), now_ms);
        if self.is_paused {
            return Step::Wait(wake);
        }
        let count = self.parts.len();
        let mut fresh = Vec::new();
        for index in 0..count {
            let number = (index + turn) % count;
            let part = &self.parts[number];
            if !part.is_leasable(member) {
                continue;
            }
            // Below the number of partitions, which is a u32.
            let number = number as u32;
            let messages = in_flight.saturating_sub(part.out);
            if part.is_on_trial() {
                continue;
            }
            if part.has_suspects() {
                let next = match is_on_trial {
                    true => Vec::new(),
                    false => part.next_trial(now_ms, messages.min(max)),
                };
                if next.is_empty() {
                    continue;
                }
                return Step::Trial(number, next);
            }
            if part.marks != Marks::default() {
                // What goes out from here on may kill too.
                return Step::Clear(number);
            }
            let again = part.due(now_ms, messages.min(max));
            if !again.is_empty() {
                return Step::Again(number, again);
            }
            let head = heads.get(number as usize).copied().unwrap_or(0);
            // A full set takes what closes its holes.
            let is_full = part.tracker.is_full() && part.position >= part.tracker.reach();
            if messages > 0 && !is_full && head > part.position {
                fresh.push(Room {
                    part: number,
                    epoch: part.epoch,
                    position: part.position,
                    messages,
                });
            }
        }
        if fresh.is_empty() {
            Step::Wait(wake)
        } else {
            Step::Fresh(fresh)
        }
    }

    /// When there may be something to do although nobody says so, for this member or anybody.
    fn wake_at(&self, member: Option<u64>, now_ms: i64) -> Option<Instant> {
        let now = Instant::now();
        let others = self.members.iter();
        let others = others.filter(|(number, _)| Some(**number) != member);
        // Who is calling now may be silent from its answer on, of which nobody else hears.
        let silent = others.map(|(_, known)| match known.is_calling {
            true => until(now, known.subscription.lease.max(LEAST_LOOK)),
            false => known.alive_until,
        });
        let leases = self.parts.iter().filter_map(Part::lease_ends);
        let leaving = self.parts.iter().filter_map(|part| part.leaving);
        let due = self
            .parts
            .iter()
            .filter(|part| member.is_some() && part.owner == member);
        let due = due.filter_map(|part| part.next_due(now_ms)).min();
        let due = due.map(|at| {
            let wait = Duration::from_millis(at.saturating_sub(now_ms).unsigned_abs());
            now + wait.min(CLOCK_LOOK)
        });
        silent.chain(leases).chain(leaving).chain(due).min()
    }
}

#[cfg(test)]
mod tests;
