//! One partition of a group in memory: what is settled, what is out, what comes again.

use super::repository::cursors::{Cursor, Exception};
use crate::Tracker;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// The most runs beyond the prefix: a row of about 16 KiB at worst.
pub(super) const TRACKER_RUNS: usize = 4096;
/// How many messages are delivered alone after a process died: the first of those that it can have
/// been at. What killed it may be behind them; then those are settled by the next death, which comes
/// nearer to it. All of a large reader's messages one by one would take minutes after every death.
const SUSPECTS: usize = 64;

/// A partition of a group.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) epoch: u64,
    /// Who has it.
    pub(super) owner: Option<u64>,
    /// Who shall have it.
    pub(super) target: Option<u64>,
    /// Until when an owner that shall not have it any more may go on settling.
    pub(super) leaving: Option<Instant>,
    pub(super) tracker: Tracker,
    /// The next offset that was never out under this epoch.
    pub(super) position: u64,
    pub(super) pending: BTreeMap<u64, Pending>,
    leases: Vec<Lease>,
    extended: BTreeMap<u64, Instant>,
    /// How many messages are out.
    pub(super) out: usize,
    /// Whether a write of it was begun whose end is not known: what is here may be old.
    pub(super) is_doubted: bool,
    /// Of the write in doubt: messages that stay out although they failed.
    pub(super) failing: BTreeSet<u64>,
    pub(super) before: Before,
    /// The start that was counted last, and how many there were before it.
    pub(super) announced: Option<(u64, u32)>,
}

/// A message that is not ordinary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) exception: Exception,
    /// Whether the process of a delivery of it may have died: it is delivered alone, and counted.
    pub(super) is_suspect: bool,
    pub(super) is_out: bool,
    /// Whether it is out after an attempt that failed under this epoch.
    pub(super) is_held: bool,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    first: u64,
    end: u64,
    until: Instant,
}

/// How the last epoch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// In another process, whose last words are in the store.
    Elsewhere,
    /// Here, and these are still suspect.
    Here(BTreeSet<u64>),
}

impl Part {
    pub(super) fn new() -> Self {
        Part {
            epoch: 0,
            owner: None,
            target: None,
            leaving: None,
            tracker: Tracker::new(0, TRACKER_RUNS),
            position: 0,
            pending: BTreeMap::new(),
            leases: Vec::new(),
            extended: BTreeMap::new(),
            out: 0,
            is_doubted: false,
            failing: BTreeSet::new(),
            before: Before::Elsewhere,
            announced: None,
        }
    }

    /// Whether messages of it may be leased to this member.
    pub(super) fn is_leasable(&self, member: u64) -> bool {
        self.owner == Some(member) && self.leaving.is_none() && !self.is_doubted
    }

    /// Whether this message is out.
    pub(super) fn is_out(&self, offset: u64) -> bool {
        match self.pending.get(&offset) {
            Some(pending) => pending.is_out,
            None => offset < self.position && !self.tracker.is_settled(offset),
        }
    }

    /// What is out, in order.
    pub(super) fn outs(&self) -> impl Iterator<Item = u64> + '_ {
        let ordinary = self
            .tracker
            .unsettled(self.position)
            .filter(|offset| !self.pending.contains_key(offset));
        let pending = self.pending.iter().filter(|(_, pending)| pending.is_out);
        ordinary.chain(pending.map(|(offset, _)| *offset))
    }

    pub(super) fn has_suspects(&self) -> bool {
        self.pending.values().any(|pending| pending.is_suspect)
    }

    pub(super) fn suspects(&self) -> BTreeSet<u64> {
        let suspects = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.is_suspect);
        suspects.map(|(offset, _)| *offset).collect()
    }

    pub(super) fn has_suspect_out(&self) -> bool {
        let mut pending = self.pending.values();
        pending.any(|pending| pending.is_suspect && pending.is_out)
    }

    /// Whether something is out whose attempt had no end yet.
    pub(super) fn has_open_out(&self) -> bool {
        let held = self.pending.values().filter(|pending| pending.is_held);
        self.out > held.count()
    }

    /// The messages between these offsets went out.
    pub(super) fn lease(&mut self, first: u64, end: u64, count: usize, until: Instant) {
        self.out += count;
        self.leases.push(Lease { first, end, until });
    }

    /// A message stays out for longer.
    pub(super) fn extend(&mut self, offset: u64, until: Instant) {
        self.extended.insert(offset, until);
    }

    /// One message is not out any more.
    pub(super) fn is_back(&mut self, offset: u64) {
        self.out = self.out.saturating_sub(1);
        self.extended.remove(&offset);
        if self.out == 0 {
            self.leases.clear();
            self.extended.clear();
        }
    }

    /// What is settled now. Nothing below the first hole goes out again.
    pub(super) fn settled(&mut self, tracker: Tracker) {
        self.position = self.position.max(tracker.prefix());
        self.tracker = tracker;
    }

    /// When the first lease ends, if something is out.
    pub(super) fn lease_ends(&self) -> Option<Instant> {
        let leases = self.leases.iter().map(|lease| lease.until);
        leases.min().filter(|_| self.out > 0)
    }

    /// Whether a message is out for longer than it may be.
    pub(super) fn has_expired(&mut self, now: Instant) -> bool {
        let prefix = self.tracker.prefix();
        self.leases.retain(|lease| lease.end > prefix);
        let (ended, mut running): (Vec<Lease>, Vec<Lease>) =
            self.leases.iter().partition(|lease| lease.until <= now);
        for lease in ended {
            let first = lease.first.max(prefix);
            for offset in (first..lease.end).filter(|offset| self.is_out(*offset)) {
                match self.extended.get(&offset) {
                    Some(until) if *until > now => running.push(Lease {
                        first: offset,
                        end: offset + 1,
                        until: *until,
                    }),
                    _ => return true,
                }
            }
        }
        self.leases = running;
        false
    }

    /// Takes it from its owner. After an end that nobody can vouch for, what was out is suspect.
    pub(super) fn release(&mut self, is_unclean: bool) {
        let mut suspects = self.suspects();
        if is_unclean {
            let outs: BTreeSet<u64> = self.outs().collect();
            suspects.extend(outs.into_iter().take(SUSPECTS));
            self.announced = None;
        }
        self.before = Before::Here(suspects);
        self.owner = None;
        self.leaving = None;
        self.nothing_out();
        self.pending.clear();
        self.position = self.tracker.prefix();
    }

    fn nothing_out(&mut self) {
        self.out = 0;
        self.leases.clear();
        self.extended.clear();
    }

    /// Takes what another process left: `head` is where the log ends. What waits for another
    /// attempt was not out.
    pub(super) fn look_back(&mut self, loaded: &Loaded, head: u64, now_ms: i64) {
        if self.before != Before::Elsewhere {
            return;
        }
        let suspects = if loaded.cursor.is_clean {
            BTreeSet::new()
        } else {
            // Messages go out in order, and no more than these were out at once.
            let waiting = loaded.exceptions.iter();
            let waiting = waiting.filter(|(_, exception)| exception.not_before > now_ms);
            let waiting: BTreeSet<u64> = waiting.map(|(offset, _)| *offset).collect();
            let many = loaded.cursor.span as usize + loaded.exceptions.len();
            let unsettled = tracker(&loaded.cursor);
            let could_be_out = unsettled.unsettled(head).take(many);
            could_be_out
                .filter(|offset| !waiting.contains(offset))
                .take(SUSPECTS)
                .collect()
        };
        self.before = Before::Here(suspects);
    }

    /// Begins an epoch with what the store says.
    pub(super) fn begin(&mut self, member: u64, loaded: Loaded) {
        self.epoch = loaded.epoch;
        self.owner = Some(member);
        self.leaving = None;
        self.is_doubted = false;
        self.failing.clear();
        self.nothing_out();
        self.tracker = tracker(&loaded.cursor);
        self.pending = BTreeMap::new();
        self.take_exceptions(loaded.exceptions);
        let before = std::mem::replace(&mut self.before, Before::Here(BTreeSet::new()));
        if let Before::Here(suspects) = before {
            for offset in suspects {
                if !self.tracker.is_settled(offset) {
                    let pending = self.pending.entry(offset).or_insert_with(Pending::ordinary);
                    pending.is_suspect = true;
                }
            }
        }
        self.position = self.tracker.prefix();
    }

    /// Takes over what the store says, in the same epoch, after a write whose end was not known.
    pub(super) fn reload(&mut self, loaded: Loaded) {
        self.is_doubted = false;
        self.settled(tracker(&loaded.cursor));
        let before = std::mem::take(&mut self.pending);
        self.take_exceptions(loaded.exceptions);
        for (offset, old) in before {
            if self.tracker.is_settled(offset) {
                continue;
            }
            let known = &mut self.pending;
            match known.get_mut(&offset) {
                // The store did not take what was being written: it is as it was.
                Some(pending) if pending.exception == old.exception => *pending = old,
                Some(_) => {}
                None => {
                    known.insert(offset, old);
                }
            }
        }
        for offset in std::mem::take(&mut self.failing) {
            // Whether or not it was counted, it is still out.
            if let Some(pending) = self.pending.get_mut(&offset) {
                pending.is_out = true;
            }
        }
        let out = self.outs().count();
        self.out = out;
    }

    fn take_exceptions(&mut self, exceptions: Vec<(u64, Exception)>) {
        for (offset, mut exception) in exceptions {
            if let Some((announced, before)) = self.announced
                && announced == offset
            {
                exception.starts = before;
            }
            let pending = Pending {
                exception,
                is_suspect: false,
                is_out: false,
                is_held: false,
            };
            if !self.tracker.is_settled(offset) {
                self.pending.insert(offset, pending);
            }
        }
    }

    /// The first suspect that may go out.
    pub(super) fn next_suspect(&self, now_ms: i64) -> Option<u64> {
        let due = |pending: &Pending| {
            pending.is_suspect && !pending.is_out && pending.exception.not_before <= now_ms
        };
        let mut pending = self.pending.iter();
        pending
            .find(|(_, pending)| due(pending))
            .map(|(offset, _)| *offset)
    }

    /// Messages that come again now and lie before the first suspect: those behind it wait.
    pub(super) fn due_before_suspects(&self, now_ms: i64, most: usize) -> Vec<u64> {
        let mut suspects = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.is_suspect);
        let first = suspects.next().map_or(0, |(offset, _)| *offset);
        let mut due = self.due(now_ms, most);
        due.retain(|offset| *offset < first);
        due
    }

    /// Messages that come again now.
    pub(super) fn due(&self, now_ms: i64, most: usize) -> Vec<u64> {
        let due = |pending: &Pending| {
            !pending.is_suspect && !pending.is_out && pending.exception.not_before <= now_ms
        };
        let pending = self.pending.iter().filter(|(_, pending)| due(pending));
        pending.map(|(offset, _)| *offset).take(most).collect()
    }

    /// When the next message comes again, if that is later than now.
    pub(super) fn next_due(&self, now_ms: i64) -> Option<i64> {
        let waiting = self.pending.values().filter(|pending| !pending.is_out);
        let times = waiting.map(|pending| pending.exception.not_before);
        times.filter(|at| *at > now_ms).min()
    }
}

impl Pending {
    /// Nothing is known of it yet.
    pub(super) fn ordinary() -> Self {
        Pending {
            exception: Exception::default(),
            is_suspect: false,
            is_out: false,
            is_held: false,
        }
    }
}

/// What the store says of a partition of a group.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) cursor: Cursor,
    pub(super) exceptions: Vec<(u64, Exception)>,
    pub(super) epoch: u64,
}

fn tracker(cursor: &Cursor) -> Tracker {
    Tracker::decode(cursor.acked, &cursor.ahead, TRACKER_RUNS).unwrap_or_else(|| {
        // What was settled beyond the prefix comes again; nothing is lost.
        tracing::error!("what a group has settled ahead cannot be read");
        Tracker::new(cursor.acked, TRACKER_RUNS)
    })
}

/// Until when something that begins now may last.
pub(super) fn until(now: Instant, duration: Duration) -> Instant {
    now + duration.min(Duration::from_secs(365 * 24 * 3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(acked: u64, is_clean: bool, span: u32) -> Loaded {
        Loaded {
            cursor: Cursor {
                acked,
                ahead: Vec::new(),
                ahead_count: 0,
                epoch: 1,
                is_clean,
                span,
                incarnation: 1,
                is_sound: true,
            },
            exceptions: Vec::new(),
            epoch: 2,
        }
    }

    fn begun(member: u64, loaded: Loaded, head: u64) -> Part {
        let mut part = Part::new();
        part.look_back(&loaded, head, 0);
        part.begin(member, loaded);
        part
    }

    #[test]
    fn after_a_death_only_what_could_be_out_is_suspect() {
        let part = begun(1, loaded(5, false, 3), 100);
        assert_eq!(part.suspects(), BTreeSet::from([5, 6, 7]));
        let part = begun(1, loaded(5, false, 300), 7);
        let to_the_end = BTreeSet::from([5, 6]);
        assert_eq!(
            part.suspects(),
            to_the_end,
            "beyond the log's end there is nothing"
        );
        let part = begun(1, loaded(5, true, 3), 100);
        assert!(!part.has_suspects());
    }

    #[tokio::test(start_paused = true)]
    async fn an_extended_message_does_not_expire_with_its_neighbours() {
        let mut part = begun(1, loaded(0, true, 0), 3);
        let now = Instant::now();
        part.position = 3;
        part.lease(0, 3, 3, until(now, Duration::from_secs(1)));
        part.extend(1, until(now, Duration::from_secs(5)));
        for offset in [0, 2] {
            part.tracker.settle(offset);
            part.is_back(offset);
        }
        assert!(!part.has_expired(until(now, Duration::from_secs(2))));
        assert_eq!(part.lease_ends(), Some(until(now, Duration::from_secs(5))));
        assert!(part.has_expired(until(now, Duration::from_secs(5))));
        part.release(true);
        part.begin(2, loaded(1, false, 0));
        assert_eq!(part.suspects(), BTreeSet::from([1]));
    }
}
