//! Who has which partition: evenly, moving as few as possible.

use super::{Group, State};
use crate::embedded::part::until;
use crate::engine::Cause;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

impl State {
    /// Shares the partitions evenly, moving as few as possible.
    pub(super) fn share(&mut self, now: Instant, group: &Group) {
        let mut load: BTreeMap<u64, usize> =
            self.members.keys().map(|member| (*member, 0)).collect();
        if load.is_empty() {
            return;
        }
        for part in &self.parts {
            if let Some(load) = part.target.and_then(|target| load.get_mut(&target)) {
                *load += 1;
            }
        }
        let (each, more) = (self.parts.len() / load.len(), self.parts.len() % load.len());
        // Those that have most keep one more, where it cannot be shared evenly.
        let mut order: Vec<(usize, u64)> =
            load.iter().map(|(member, load)| (*load, *member)).collect();
        order.sort_by_key(|(load, member)| (std::cmp::Reverse(*load), *member));
        let places = order.iter().enumerate();
        let places = places.map(|(rank, (_, member))| (*member, each + usize::from(rank < more)));
        let mut places: BTreeMap<u64, usize> = places.collect();
        let mut open = Vec::new();
        for (number, part) in self.parts.iter_mut().enumerate() {
            match part.target.and_then(|target| places.get_mut(&target)) {
                Some(left) if *left > 0 => *left -= 1,
                _ => open.push(number),
            }
        }
        let free = places
            .iter()
            .flat_map(|(member, left)| std::iter::repeat_n(*member, *left));
        for (number, member) in open.into_iter().zip(free) {
            self.parts[number].target = Some(member);
        }
        self.ask_to_leave(now, group);
    }

    /// Asks owners for the partitions that others shall have.
    fn ask_to_leave(&mut self, now: Instant, group: &Group) {
        let mut lost: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for (number, part) in (0..).zip(&mut self.parts) {
            match part.owner {
                Some(owner) if part.target != Some(owner) && part.leaving.is_none() => {
                    let drain = self
                        .members
                        .get(&owner)
                        .map_or(Duration::ZERO, |member| member.subscription.drain);
                    part.leaving = Some(until(now, drain));
                    group.telemetry.rebalance.inc();
                    lost.entry(owner).or_default().push(number);
                }
                // One that is asked for back before it is gone leaves all the same: its owner has
                // let go of what it had, and is given it anew under another epoch.
                _ => {}
            }
        }
        for (member, partitions) in lost {
            self.tell(member, partitions, Cause::Rebalance);
        }
    }
}
