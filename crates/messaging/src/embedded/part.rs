//! One partition of a group in memory: what is settled, what is out, what comes again.

mod trial;

use super::repository::cursors::{Cursor, Exception, Marks};
use crate::Tracker;
use crate::engine::Token;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;
pub(super) use trial::Left;
use trial::{Suspects, Trial};

/// The most runs beyond the prefix: a row of about 16 KiB at worst.
pub(super) const TRACKER_RUNS: usize = 4096;

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
    /// Messages below this that were never out under this epoch are suspect; 0 when nothing is.
    suspect_end: u64,
    trial: Option<Trial>,
    /// The most messages of the next trial; half of the suspects where it is not known.
    next_trial: Option<usize>,
    /// What the store says of suspects.
    pub(super) marks: Marks,
    /// The start that was counted last, and how many there were before it.
    pub(super) announced: Option<(u64, u32)>,
}

/// A message that is not ordinary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) exception: Exception,
    /// Whether the store knows it.
    pub(super) is_stored: bool,
    /// Whether it may be what killed a process.
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
    /// Here, and this is still suspect.
    Here(Suspects),
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
            suspect_end: 0,
            trial: None,
            next_trial: None,
            marks: Marks::default(),
            announced: None,
        }
    }

    /// Whether messages of it may be leased to this member.
    pub(super) fn is_leasable(&self, member: u64) -> bool {
        self.owner == Some(member) && self.leaving.is_none() && !self.is_doubted
    }

    /// Whether its owner has finished all that it had when it was asked to leave it.
    pub(super) fn is_left(&self) -> bool {
        self.leaving.is_some() && self.out == 0
    }

    /// Whether this message is out.
    pub(super) fn is_out(&self, offset: u64) -> bool {
        match self.pending.get(&offset) {
            Some(pending) => pending.is_out,
            None => offset < self.position && !self.tracker.is_settled(offset),
        }
    }

    /// Whether all of these are out for the first time: none is settled, or known as anything but
    /// an ordinary message.
    pub(super) fn are_out(&self, first: u64, end: u64) -> bool {
        let is_ordinary = || self.pending.range(first..end).next().is_none();
        end <= self.position && is_ordinary() && !self.tracker.has_any(first, end)
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

    /// A message stays out for longer, if it is out with this member under this epoch still.
    pub(super) fn extend_of(&mut self, member: u64, token: &Token, until: Instant) {
        let is_theirs = self.epoch == token.epoch && self.owner == Some(member);
        if is_theirs && self.is_out(token.offset) {
            self.extend(token.offset, until);
        }
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

    /// Messages that are done with are not out any more.
    pub(super) fn are_back(&mut self, first: u64, end: u64) {
        remove_range(&mut self.pending, first, end);
        remove_range(&mut self.extended, first, end);
        let count = usize::try_from(end - first).unwrap_or(usize::MAX);
        self.out = self.out.saturating_sub(count);
        if self.out == 0 {
            self.nothing_out();
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
        self.before = Before::Here(self.suspects(is_unclean));
        if is_unclean {
            self.announced = None;
        }
        self.trial = None;
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

    /// Takes what another process left: `head` is where the log ends.
    pub(super) fn look_back(&mut self, loaded: &Loaded, head: u64, now_ms: i64) {
        if self.before == Before::Elsewhere {
            self.before = Before::Here(Suspects::left(loaded, head, now_ms));
        }
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
        self.position = self.tracker.prefix();
        self.pending = BTreeMap::new();
        self.take_exceptions(loaded.exceptions);
        self.marks = loaded.cursor.marks;
        self.trial = None;
        let before = std::mem::replace(&mut self.before, Before::innocent());
        match before {
            // Nothing was out, for example because it was moved to another place meanwhile.
            _ if loaded.cursor.is_clean => self.suspect(Suspects::default()),
            Before::Here(suspects) => self.suspect(suspects),
            Before::Elsewhere => self.suspect(Suspects::default()),
        }
        self.end_trial();
    }

    /// Takes over what the store says, in the same epoch, after a write whose end was not known;
    /// answers whether a trial has ended with it.
    pub(super) fn reload(&mut self, loaded: Loaded) -> bool {
        self.is_doubted = false;
        self.settled(tracker(&loaded.cursor));
        self.marks = loaded.cursor.marks;
        let before = std::mem::take(&mut self.pending);
        self.take_exceptions(loaded.exceptions);
        for (offset, old) in before {
            if self.tracker.is_settled(offset) {
                continue;
            }
            let known = &mut self.pending;
            match known.get_mut(&offset) {
                // The store did not take what was being written: it is as it was.
                Some(pending) if pending.exception == old.exception => {
                    *pending = Pending {
                        is_stored: true,
                        ..old
                    };
                }
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
                pending.is_held = true;
            }
        }
        self.count_out();
        self.end_trial()
    }

    /// Messages that are passed over are settled, and not out any more.
    pub(super) fn pass_over(&mut self, first: u64, end: u64, tracker: Tracker) {
        self.settled(tracker);
        self.pending
            .retain(|offset, _| !(first..end).contains(offset));
        if self.position >= first {
            self.position = self.position.max(end);
        }
        self.count_out();
    }

    /// Counts anew what is out.
    fn count_out(&mut self) {
        let out = self.outs().count();
        if out == 0 {
            self.nothing_out();
        }
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
                is_stored: true,
                ..Pending::ordinary()
            };
            if !self.tracker.is_settled(offset) {
                self.pending.insert(offset, pending);
            }
        }
    }

    /// Messages that come again now: none that lies behind one that was never out, which has its
    /// turn first.
    pub(super) fn due(&self, now_ms: i64, most: usize) -> Vec<u64> {
        let pending = self.pending.iter();
        let due = pending.filter(|(_, pending)| pending.is_due(now_ms));
        let mut ordinary = None;
        let has_turn = |offset: &u64| {
            *offset < self.position
                || *offset < *ordinary.get_or_insert_with(|| self.first_ordinary())
        };
        let due = due.map(|(offset, _)| *offset).take_while(has_turn);
        due.take(most).collect()
    }

    /// Whether this message comes again now.
    pub(super) fn is_due(&self, offset: u64, now_ms: i64) -> bool {
        let pending = self.pending.get(&offset);
        pending.is_some_and(|pending| pending.is_due(now_ms))
    }

    /// The first message that was never out and is not known as another; whatever lies behind all
    /// that are known if there is none among them.
    fn first_ordinary(&self) -> u64 {
        let last = self.pending.keys().next_back();
        let end = last.map_or(0, |last| last + 1);
        let mut unsettled = self.tracker.unsettled_from(self.position, end);
        let first = unsettled.find(|offset| !self.pending.contains_key(offset));
        first.unwrap_or(end)
    }

    /// When the next message comes again, if that is later than now.
    pub(super) fn next_due(&self, now_ms: i64) -> Option<i64> {
        let waiting = self.pending.values().filter(|pending| !pending.is_out);
        let times = waiting.map(|pending| pending.exception.not_before);
        times.filter(|at| *at > now_ms).min()
    }
}

impl Before {
    /// Here, and nothing is suspect.
    pub(super) fn innocent() -> Self {
        Before::Here(Suspects::default())
    }
}

impl Pending {
    /// Nothing is known of it yet.
    pub(super) fn ordinary() -> Self {
        Pending {
            exception: Exception::default(),
            is_stored: false,
            is_suspect: false,
            is_out: false,
            is_held: false,
        }
    }

    /// Whether it comes again now, not being suspect.
    fn is_due(&self, now_ms: i64) -> bool {
        !self.is_suspect && !self.is_out && self.exception.not_before <= now_ms
    }
}

/// What the store says of a partition of a group.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) cursor: Cursor,
    pub(super) exceptions: Vec<(u64, Exception)>,
    pub(super) epoch: u64,
}

fn remove_range<V>(map: &mut BTreeMap<u64, V>, first: u64, end: u64) {
    while let Some(offset) = map.range(first..end).next().map(|(offset, _)| *offset) {
        map.remove(&offset);
    }
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
    use super::trial::tests::{begun, loaded};
    use super::*;

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
        assert_eq!(part.next_trial(0, 9), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_out_with_another_is_not_extended() {
        let now = Instant::now();
        let late = until(now, Duration::from_secs(9));
        let token = |epoch| Token {
            partition: 0,
            offset: 0,
            epoch,
        };
        for (member, epoch, is_extended) in [(1, 2, true), (1, 1, false), (3, 2, false)] {
            let mut part = begun(1, loaded(0, true, 0), 3);
            part.position = 1;
            part.lease(0, 1, 1, until(now, Duration::from_secs(1)));
            part.extend_of(member, &token(epoch), late);
            let has_expired = part.has_expired(until(now, Duration::from_secs(2)));
            assert_eq!(has_expired, !is_extended, "{member} under {epoch}");
        }
    }

    #[test]
    fn what_is_passed_over_is_not_out_any_more() {
        let mut part = begun(1, loaded(0, true, 0), 3);
        for offset in [0, 1, 5] {
            let out = Pending {
                is_out: true,
                ..Pending::ordinary()
            };
            part.pending.insert(offset, out);
            part.out += 1;
        }
        let mut tracker = part.tracker.clone();
        tracker.settle_range(0, 4);
        part.pass_over(0, 4, tracker);
        assert_eq!((part.out, part.position), (1, 4), "the last is out still");
    }
}
