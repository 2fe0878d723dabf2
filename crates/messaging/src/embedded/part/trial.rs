//! Which message killed a process: those that were out are suspect, and go out in trials until it
//! is found.
//!
//! A trial is some suspects with nothing else of the partition beside them. It begins with half of
//! them, and what is written before it goes out says where it ends: when the process dies, only
//! what was on trial is suspect, and half of that is next. A trial that is settled makes the next
//! one twice as large. So one among n is alone after about log2(n) deaths, and only what is alone
//! has its start counted.

use super::{Before, Loaded, Part, Pending, tracker};
use crate::embedded::repository::cursors::{Exception, Marks};
use crate::embedded::trials::Permit;
use std::collections::{BTreeMap, BTreeSet};

/// Messages that are out to see whether the process dies of them.
#[derive(Debug)]
pub(in crate::embedded) struct Trial {
    /// One past the last message that is out meanwhile.
    end: u64,
    size: usize,
    /// Whether they went out: before, what the store is to say is being written.
    is_out: bool,
    /// Nothing else is on trial meanwhile.
    _permit: Permit,
}

/// What may be what killed a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::embedded) struct Suspects {
    /// Ordinary messages below this; 0 when nothing is suspect.
    end: u64,
    /// Messages that are not ordinary.
    pending: BTreeSet<u64>,
    /// The most messages of the next trial, if that is known.
    next: Option<usize>,
}

/// How an epoch ended with a member that left properly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Left {
    pub(in crate::embedded) part: u32,
    pub(in crate::embedded) epoch: u64,
    /// What is suspect still.
    pub(in crate::embedded) marks: Marks,
    /// A start that was counted although nothing died of it, and how many there were before.
    pub(in crate::embedded) start: Option<(u64, u32)>,
}

impl Suspects {
    /// What another process left: `head` is where the log ends.
    pub(super) fn left(loaded: &Loaded, head: u64, now_ms: i64) -> Self {
        let cursor = &loaded.cursor;
        if cursor.is_clean {
            return Suspects::default();
        }
        let tracker = tracker(cursor);
        let known: BTreeMap<u64, &Exception> = loaded
            .exceptions
            .iter()
            .map(|(offset, exception)| (*offset, exception))
            .collect();
        // What waits for another attempt was not out.
        let could_be_out = |offset: &u64| {
            known
                .get(offset)
                .is_none_or(|known| known.not_before <= now_ms)
        };
        // Never beyond the log: what is not there yet must not be taken for gone.
        let suspects = cursor.marks.suspects.min(head);
        let trial = cursor.marks.trial.min(head);
        let is_on_trial = tracker.unsettled(trial).any(|offset| could_be_out(&offset));
        let end = match suspects {
            _ if is_on_trial => trial,
            0 => {
                // Messages go out in order, and no more than these were out at once.
                let many = cursor.span as usize + known.len();
                let out = tracker.unsettled(head).take(many);
                out.last().map_or(0, |last| last + 1)
            }
            suspects => suspects,
        };
        let mut ordinary = tracker.unsettled(end);
        let has_ordinary = ordinary.any(|offset| !known.contains_key(&offset));
        // What failed or was given back comes again in its own time, and where an earlier owner had
        // more out it may lie beyond what the last one could reach.
        let reach = match suspects {
            0 if !is_on_trial => head,
            _ => end,
        };
        let pending = known.keys().copied().take_while(|offset| *offset < reach);
        let pending = pending.filter(|offset| could_be_out(offset) && !tracker.is_settled(*offset));
        Suspects::of(has_ordinary, end, pending.collect(), None)
    }

    fn of(has_ordinary: bool, end: u64, pending: BTreeSet<u64>, next: Option<usize>) -> Self {
        if !has_ordinary && pending.is_empty() {
            return Suspects::default();
        }
        let last = pending.last().map_or(0, |last| last + 1);
        Suspects {
            end: end.max(last),
            pending,
            next,
        }
    }
}

impl Part {
    /// Whether something is suspect that is not out.
    pub(in crate::embedded) fn has_suspects(&self) -> bool {
        if self.suspect_end == 0 {
            return false;
        }
        let is_suspect = |pending: &Pending| pending.is_suspect && !pending.is_out;
        self.ordinary_suspects().next().is_some() || self.pending.values().any(is_suspect)
    }

    /// Whether messages are on trial, or about to be.
    pub(in crate::embedded) fn is_on_trial(&self) -> bool {
        self.trial.is_some()
    }

    fn ordinary_suspects(&self) -> impl Iterator<Item = u64> + '_ {
        let unsettled = self.tracker.unsettled_from(self.position, self.suspect_end);
        unsettled.filter(|offset| !self.pending.contains_key(offset))
    }

    /// What is on trial next, in order, at most `room` of it: suspects, and what comes again among
    /// them.
    pub(in crate::embedded) fn next_trial(&self, now_ms: i64, room: usize) -> Vec<u64> {
        if room == 0 || self.has_open_out() {
            return Vec::new();
        }
        let most = self.next_trial.unwrap_or_else(|| {
            let pending = self.pending.values();
            let pending = pending.filter(|pending| pending.is_suspect && !pending.is_out);
            (self.ordinary_suspects().count() + pending.count()).div_ceil(2)
        });
        let most = most.clamp(1, room);
        // What is out beyond what is settled makes new holes; what is out below closes them.
        let full = self.tracker.is_full().then(|| self.tracker.reach());
        let ordinary = self
            .ordinary_suspects()
            .take_while(|offset| full.is_none_or(|reach| *offset < reach));
        let due = self.pending.range(..self.suspect_end);
        let due =
            due.filter(|(_, pending)| !pending.is_out && pending.exception.not_before <= now_ms);
        let due = due.map(|(offset, _)| *offset);
        let mut offsets: Vec<u64> = due.take(most).chain(ordinary.take(most)).collect();
        offsets.sort_unstable();
        offsets.truncate(most);
        offsets
    }

    /// These are about to be on trial; answers what the store has to say first, and the message
    /// whose start it has to count if nothing else of the partition is out.
    pub(in crate::embedded) fn begin_trial(
        &mut self,
        offsets: &[u64],
        permit: Permit,
    ) -> (Marks, Option<(u64, Exception)>) {
        let last = self.outs().chain(offsets.iter().copied()).max();
        let end = last.map_or(0, |last| last + 1);
        self.trial = Some(Trial {
            end,
            size: offsets.len(),
            is_out: false,
            _permit: permit,
        });
        self.is_doubted = true;
        let marks = Marks {
            suspects: self.suspect_end.max(end),
            trial: end,
        };
        let &[alone] = offsets else {
            return (marks, None);
        };
        if self.out > 0 {
            // What is out beside it may kill as well: it is tried again when it has come back.
            return (marks, None);
        }
        let pending = self.pending.entry(alone).or_insert_with(|| Pending {
            is_suspect: true,
            ..Pending::ordinary()
        });
        pending.is_stored = true;
        let mut exception = pending.exception.clone();
        self.announced = Some((alone, exception.starts));
        exception.starts = exception.starts.saturating_add(1);
        (marks, Some((alone, exception)))
    }

    /// A message of the trial goes out, if it is as it was; answers what is known of it.
    pub(in crate::embedded) fn try_out(&mut self, offset: u64) -> Option<Exception> {
        if let Some(pending) = self.pending.get_mut(&offset) {
            if pending.is_out {
                return None;
            }
            pending.is_out = true;
            return Some(pending.exception.clone());
        }
        if offset < self.position || self.tracker.is_settled(offset) {
            return None;
        }
        self.position = offset + 1;
        Some(Exception::default())
    }

    /// What was about to be on trial is out.
    pub(in crate::embedded) fn trial_is_out(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.is_out = true;
        }
    }

    /// What the store shall say when so many messages came back and of the rest so many are held:
    /// nothing new while the trial lasts.
    pub(in crate::embedded) fn marks_after(&self, back: usize, held: usize) -> Option<Marks> {
        let trial = self.trial.as_ref().filter(|trial| trial.is_out);
        let is_over = trial.is_some() && self.out.saturating_sub(back) <= held;
        let has_suspects = is_over && self.has_suspects();
        is_over.then_some(Marks {
            suspects: if has_suspects { self.suspect_end } else { 0 },
            trial: 0,
        })
    }

    /// Ends the trial whose messages all had an end, and the suspicion when nothing is left of it;
    /// answers whether others may begin one.
    pub(in crate::embedded) fn end_trial(&mut self) -> bool {
        let trial = self.trial.as_ref().filter(|_| !self.is_doubted);
        let has_ended = match trial {
            Some(Trial {
                is_out: true, size, ..
            }) if !self.has_open_out() => {
                self.next_trial = Some(size.saturating_mul(2));
                true
            }
            // It never went out.
            Some(Trial {
                is_out: false,
                size,
                ..
            }) => {
                self.next_trial = Some(*size);
                true
            }
            _ => false,
        };
        if has_ended {
            self.trial = None;
        }
        if self.trial.is_none() && self.suspect_end > 0 && !self.has_suspects() {
            self.suspect_end = 0;
            self.next_trial = None;
        }
        has_ended
    }

    /// What is suspect when an epoch ends here.
    pub(super) fn suspects(&self, is_unclean: bool) -> Suspects {
        let of = |is_meant: fn(&Pending) -> bool| -> BTreeSet<u64> {
            let pending = self.pending.iter().filter(|(_, pending)| is_meant(pending));
            pending.map(|(offset, _)| *offset).collect()
        };
        let trial = self.trial.as_ref().filter(|trial| trial.is_out);
        let (end, pending, next) = match trial {
            _ if !is_unclean => {
                let next = self
                    .trial
                    .as_ref()
                    .map(|trial| trial.size)
                    .or(self.next_trial);
                (self.suspect_end, of(|pending| pending.is_suspect), next)
            }
            Some(trial) => (trial.end, of(|pending| pending.is_out), None),
            None => {
                let end = match self.suspect_end {
                    0 => self.position,
                    end => end,
                };
                (
                    end,
                    of(|pending| pending.is_out || pending.is_suspect),
                    None,
                )
            }
        };
        let mut ordinary = self.tracker.unsettled(end);
        let has_ordinary = ordinary.any(|offset| !self.pending.contains_key(&offset));
        Suspects::of(has_ordinary, end, pending, next)
    }

    /// How this epoch ended, properly, if anything is known of it.
    pub(in crate::embedded) fn left(&self, part: u32) -> Option<Left> {
        let Before::Here(suspects) = &self.before else {
            return None;
        };
        Some(Left {
            part,
            epoch: self.epoch,
            marks: Marks {
                suspects: suspects.end,
                trial: 0,
            },
            start: self.announced,
        })
    }

    /// Takes over what was suspect before this epoch.
    pub(super) fn suspect(&mut self, suspects: Suspects) {
        for offset in &suspects.pending {
            if let Some(pending) = self.pending.get_mut(offset) {
                pending.is_suspect = true;
            }
        }
        self.suspect_end = suspects.end;
        self.next_trial = suspects.next;
    }
}

#[cfg(test)]
pub(super) mod tests;
