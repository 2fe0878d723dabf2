//! Messages of which a process may have died: the store knows which they are before they go out.

use super::Member;
use super::again::Stored;
use super::settle::Written;
use crate::embedded::part::until;
use crate::embedded::repository::cursors::{self, Exception, Marks};
use crate::engine::{Delivery, Gap, Input, Token};
use crate::{Error, Record};
use backlot_core::Timestamp;
use backlot_storage::StoreError;
use std::sync::Arc;
use tokio::time::Instant;

/// A message of a trial.
type Found = (u64, Timestamp, Record);

impl Member {
    /// Says what is on trial, and then delivers it: if the process dies again, it was one of these.
    pub(super) async fn trial(
        &mut self,
        number: u32,
        offsets: Vec<u64>,
    ) -> Result<Option<Input>, Error> {
        let Some(looked) = self.look_up(number, offsets).await? else {
            return Ok(None);
        };
        let found = match sort(looked) {
            Ok(found) => found,
            Err((first, end, cause)) => return self.gone(number, (first, end), cause).await,
        };
        let offsets: Vec<u64> = found.iter().map(|(offset, ..)| *offset).collect();
        let (epoch, marks, alone) = {
            let mut state = self.group.state.lock();
            let Some(part) = state.parts.get_mut(number as usize) else {
                return Ok(None);
            };
            if !part.is_leasable(self.number) || part.has_open_out() {
                return Ok(None);
            }
            // Another member, of this group or another, may have been faster.
            let group = Arc::downgrade(&self.group);
            let Some(permit) = self.inner.trials.begin(group, self.subscription.lease) else {
                return Ok(None);
            };
            let (marks, alone) = part.begin_trial(&offsets, permit);
            (part.epoch, marks, alone)
        };
        if self.mark(number, epoch, marks, alone).await? {
            Ok(self.try_out(number, epoch, found))
        } else {
            Ok(None)
        }
    }

    /// Says that nothing is suspect any more: from here on whatever is out may kill.
    pub(super) async fn clear(&mut self, number: u32) -> Result<(), Error> {
        let epoch = {
            let mut state = self.group.state.lock();
            let Some(part) = state.parts.get_mut(number as usize) else {
                return Ok(());
            };
            if !part.is_leasable(self.number) {
                return Ok(());
            }
            part.is_doubted = true;
            part.epoch
        };
        self.mark(number, epoch, Marks::default(), None)
            .await
            .map(drop)
    }

    /// Writes what can have killed a process that dies from now on, and the start of a message that
    /// is alone; answers whether the partition is still this member's.
    async fn mark(
        &self,
        number: u32,
        epoch: u64,
        marks: Marks,
        alone: Option<(u64, Exception)>,
    ) -> Result<bool, Error> {
        let group = self.group.id;
        let written = self.inner.write(move |tx| {
            let alone = alone.clone();
            Box::pin(async move {
                if !cursors::mark(tx, group, number, epoch, marks).await? {
                    return Ok(Written::Fenced(number));
                }
                if let Some((offset, exception)) = alone {
                    cursors::except(tx, group, number, offset, &exception).await?;
                }
                Ok::<_, StoreError>(Written::Done(None))
            })
        });
        let written = written.await.map_err(Error::of_write)?;
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
        part.marks = marks;
        Ok(true)
    }

    /// Hands out a trial, without a pause.
    fn try_out(&self, number: u32, epoch: u64, found: Vec<Found>) -> Option<Input> {
        let mut state = self.group.state.lock();
        let part = state.parts.get_mut(number as usize)?;
        if part.epoch != epoch || !part.is_leasable(self.number) {
            if part.epoch == epoch {
                // It goes to another, who begins it anew.
                part.end_trial();
            }
            drop(state);
            self.group.wake();
            return None;
        }
        let mut deliveries = Vec::with_capacity(found.len());
        for (offset, stored, record) in found {
            let Some(known) = part.try_out(offset) else {
                continue;
            };
            deliveries.push(Delivery {
                token: Token {
                    partition: number,
                    offset,
                    epoch,
                },
                stored,
                starts: known.starts,
                attempts: known.attempts,
                failures: known.failures,
                record,
            });
        }
        let offsets = || deliveries.iter().map(|delivery| delivery.token.offset);
        if let (Some(first), Some(last)) = (offsets().next(), offsets().next_back()) {
            let ends = until(Instant::now(), self.subscription.lease);
            part.lease(first, last + 1, deliveries.len(), ends);
            part.trial_is_out();
        } else {
            part.end_trial();
        }
        (!deliveries.is_empty()).then_some(Input::Deliveries(deliveries))
    }

    /// Passes over messages that are not there any more.
    async fn gone(
        &mut self,
        number: u32,
        range: (u64, u64),
        cause: Gap,
    ) -> Result<Option<Input>, Error> {
        let epoch = {
            let state = self.group.state.lock();
            let part = state.parts.get(number as usize);
            part.map_or(0, |part| part.epoch)
        };
        self.skip((number, epoch), range, cause).await
    }
}

/// The messages up to the first that is not there; if that is the first of all, how far it is so.
fn sort(looked: Vec<(u64, Stored)>) -> Result<Vec<Found>, (u64, u64, Gap)> {
    let mut found = Vec::with_capacity(looked.len());
    let mut gap: Option<(u64, u64, Gap)> = None;
    for (offset, stored) in looked {
        match (stored, &mut gap) {
            (Stored::Record(at, record), None) => found.push((offset, at, record)),
            (Stored::Gone(cause), None) if found.is_empty() => {
                gap = Some((offset, offset + 1, cause));
            }
            (Stored::Gone(cause), Some((_, end, first))) if *end == offset && *first == cause => {
                *end += 1;
            }
            _ => break,
        }
    }
    gap.map_or(Ok(found), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_passed_over_in_one_piece() {
        let gone = |offset, cause| (offset, Stored::Gone(cause));
        let there = |offset| {
            let record = Record::new("1", "Counted", "test", "");
            (offset, Stored::Record(Timestamp(0), record))
        };
        let looked = vec![
            gone(3, Gap::Retention),
            gone(4, Gap::Retention),
            gone(5, Gap::Damaged),
        ];
        assert_eq!(sort(looked), Err((3, 5, Gap::Retention)));
        let looked = vec![gone(3, Gap::Damaged), gone(5, Gap::Damaged)];
        assert_eq!(sort(looked), Err((3, 4, Gap::Damaged)));
        let looked = vec![gone(3, Gap::Damaged), there(4)];
        assert_eq!(sort(looked), Err((3, 4, Gap::Damaged)));
        let looked = vec![there(3), there(4), gone(5, Gap::Damaged), there(6)];
        let found = sort(looked).map(|found| found.len());
        assert_eq!(found, Ok(2), "up to what is gone");
    }
}
