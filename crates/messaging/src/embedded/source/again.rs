//! Messages that were out before: those that failed, and those whose process may have died of
//! them.

use super::Member;
use super::settle::Written;
use crate::Error;
use crate::Record;
use crate::embedded::codec::Reader;
use crate::embedded::part::until;
use crate::embedded::repository::cursors;
use crate::embedded::repository::log::{self, Batch};
use crate::embedded::repository::topics;
use crate::engine::{Delivery, Gap, Input, Token};
use backlot_core::Timestamp;
use backlot_storage::StoreError;
use tokio::time::Instant;

/// About how many bytes one read takes.
const READ_BYTES: usize = 1 << 20;

/// What the log has of a message.
enum Stored {
    Record(Timestamp, Record),
    Gone(Gap),
}

impl Member {
    /// Delivers messages of a partition again.
    pub(super) async fn again(
        &mut self,
        number: u32,
        offsets: Vec<u64>,
    ) -> Result<Option<Input>, Error> {
        let Some(found) = self.look_up(number, offsets).await? else {
            return Ok(None);
        };
        let mut deliveries = Vec::new();
        let mut gone = None;
        let epoch = {
            let mut state = self.group.state.lock();
            let Some(part) = state.parts.get_mut(number as usize) else {
                return Ok(None);
            };
            if !part.is_leasable(self.number) {
                return Ok(None);
            }
            let ends = until(Instant::now(), self.subscription.lease);
            for (offset, stored) in found {
                let (stored, record) = match stored {
                    Stored::Record(stored, record) => (stored, record),
                    Stored::Gone(cause) => {
                        gone = gone.or(Some((offset, cause)));
                        continue;
                    }
                };
                let Some(pending) = part
                    .pending
                    .get_mut(&offset)
                    .filter(|pending| !pending.is_out)
                else {
                    continue;
                };
                pending.is_out = true;
                let exception = pending.exception.clone();
                let epoch = part.epoch;
                part.lease(offset, offset + 1, 1, ends);
                deliveries.push(Delivery {
                    token: Token {
                        partition: number,
                        offset,
                        epoch,
                    },
                    stored,
                    starts: exception.starts,
                    attempts: exception.attempts,
                    failures: exception.failures,
                    record,
                });
            }
            part.epoch
        };
        match gone {
            Some((offset, cause)) if deliveries.is_empty() => {
                self.skip((number, epoch), (offset, offset + 1), cause)
                    .await
            }
            _ => Ok((!deliveries.is_empty()).then_some(Input::Deliveries(deliveries))),
        }
    }

    /// Counts the start of a message whose process may have died of it, and then delivers it: if
    /// it dies again, that is known.
    pub(super) async fn suspect(
        &mut self,
        number: u32,
        offset: u64,
    ) -> Result<Option<Input>, Error> {
        let Some(found) = self.look_up(number, vec![offset]).await? else {
            return Ok(None);
        };
        if !matches!(found.first(), Some((_, Stored::Record(..)))) {
            return self.again_gone(number, offset, found).await;
        }
        let (epoch, exception) = {
            let mut state = self.group.state.lock();
            let Some(part) = state.parts.get_mut(number as usize) else {
                return Ok(None);
            };
            if !part.is_leasable(self.number) || part.has_suspect_out() {
                return Ok(None);
            }
            let Some(mut exception) = part
                .pending
                .get(&offset)
                .map(|known| known.exception.clone())
            else {
                return Ok(None);
            };
            part.announced = Some((offset, exception.starts));
            part.is_doubted = true;
            exception.starts += 1;
            (part.epoch, exception)
        };
        let group = self.group.id;
        let written = self.inner.write(move |tx| {
            let exception = exception.clone();
            Box::pin(async move {
                if cursors::cursor(tx, group, number).await?.epoch != epoch {
                    return Ok(Written::Fenced(number));
                }
                cursors::except(tx, group, number, offset, &exception).await?;
                Ok::<_, StoreError>(Written::Done(None))
            })
        });
        let written = written.await.map_err(Error::of_write)?;
        {
            let mut state = self.group.state.lock();
            let Some(part) = state.parts.get_mut(number as usize) else {
                return Ok(None);
            };
            let is_same = part.epoch == epoch && part.owner == Some(self.number);
            if is_same && matches!(written, Written::Done(_)) {
                part.is_doubted = false;
            } else if is_same {
                part.release(false);
            }
        }
        self.deliver_suspect(number, offset, found)
    }

    /// Hands out the one message, without a pause.
    fn deliver_suspect(
        &mut self,
        number: u32,
        offset: u64,
        found: Vec<(u64, Stored)>,
    ) -> Result<Option<Input>, Error> {
        let mut state = self.group.state.lock();
        let Some(part) = state.parts.get_mut(number as usize) else {
            return Ok(None);
        };
        let Some((_, Stored::Record(stored, record))) = found.into_iter().next() else {
            return Ok(None);
        };
        if !part.is_leasable(self.number) {
            return Ok(None);
        }
        let Some(pending) = part
            .pending
            .get_mut(&offset)
            .filter(|pending| !pending.is_out)
        else {
            return Ok(None);
        };
        pending.is_out = true;
        let exception = pending.exception.clone();
        let epoch = part.epoch;
        let ends = until(Instant::now(), self.subscription.lease);
        part.lease(offset, offset + 1, 1, ends);
        Ok(Some(Input::Deliveries(vec![Delivery {
            token: Token {
                partition: number,
                offset,
                epoch,
            },
            stored,
            starts: exception.starts,
            attempts: exception.attempts,
            failures: exception.failures,
            record,
        }])))
    }

    async fn again_gone(
        &mut self,
        number: u32,
        offset: u64,
        found: Vec<(u64, Stored)>,
    ) -> Result<Option<Input>, Error> {
        let cause = match found.into_iter().next() {
            Some((_, Stored::Gone(cause))) => cause,
            _ => return Ok(None),
        };
        let epoch = {
            let state = self.group.state.lock();
            state
                .parts
                .get(number as usize)
                .map_or(0, |part| part.epoch)
        };
        self.skip((number, epoch), (offset, offset + 1), cause)
            .await
    }

    /// Reads single messages; nothing when a damaged batch was put aside on the way.
    async fn look_up(
        &mut self,
        number: u32,
        offsets: Vec<u64>,
    ) -> Result<Option<Vec<(u64, Stored)>>, Error> {
        let topic = self.group.topic.id;
        let wanted = offsets.clone();
        let reading = self.inner.read(move |tx| {
            let wanted = wanted.clone();
            Box::pin(async move {
                let ranges = topics::ranges(tx, topic).await?;
                let first = ranges.get(number as usize).map_or(0, |range| range.first);
                let read = log::read_some(tx, topic, number, &wanted, READ_BYTES).await?;
                Ok::<_, StoreError>((first, read))
            })
        });
        let (first, (batches, cut)) = reading.await.map_err(Error::of_read)?;
        let mut found = Vec::with_capacity(offsets.len());
        for offset in offsets {
            if cut.is_some_and(|cut| offset >= cut) {
                break;
            }
            let holds = |batch: &&Batch| batch.base <= offset && offset < batch.end();
            let Some(batch) = batches.iter().find(holds) else {
                let cause = if offset < first {
                    Gap::Retention
                } else {
                    Gap::Damaged
                };
                found.push((offset, Stored::Gone(cause)));
                continue;
            };
            let sound = batch.is_sound(topic, number);
            let record =
                Reader::new(batch.data.clone())
                    .filter(|_| sound)
                    .and_then(|mut reader| {
                        reader.skip(offset - batch.base)?;
                        reader.read()
                    });
            let Some(record) = record else {
                self.put_aside(number, batch).await?;
                return Ok(None);
            };
            found.push((offset, Stored::Record(batch.at, record)));
        }
        Ok(Some(found))
    }
}
