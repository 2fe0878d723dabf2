//! Messages that were out before, and come again.

use super::Member;
use crate::Error;
use crate::Record;
use crate::embedded::codec::Reader;
use crate::embedded::part::until;
use crate::embedded::repository::log;
use crate::embedded::repository::topics;
use crate::engine::{Delivery, Gap, Input, Token};
use backlot_core::Timestamp;
use backlot_storage::StoreError;
use tokio::time::Instant;

/// About how many bytes one read takes.
const READ_BYTES: usize = 1 << 20;

/// What the log has of a message.
#[derive(Debug)]
pub(super) enum Stored {
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

    /// Reads single messages; nothing when a damaged batch was put aside on the way.
    pub(super) async fn look_up(
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
        let mut batches = batches.iter().peekable();
        // Where reading stands in the batch at the front: many messages may be of one.
        let mut place: Option<(Reader, u64)> = None;
        for offset in offsets {
            if cut.is_some_and(|cut| offset >= cut) {
                break;
            }
            while batches.next_if(|batch| batch.end() <= offset).is_some() {
                place = None;
            }
            let Some(batch) = batches.peek().filter(|batch| batch.base <= offset) else {
                let cause = if offset < first {
                    Gap::Retention
                } else {
                    Gap::Damaged
                };
                found.push((offset, Stored::Gone(cause)));
                continue;
            };
            let open = || {
                let sound = batch.is_sound(topic, number);
                let reader = Reader::new(batch.data.clone()).filter(|_| sound)?;
                Some((reader, batch.base))
            };
            let reading = place.take().or_else(open);
            let record = reading.and_then(|(mut reader, stands)| {
                reader.skip(offset.checked_sub(stands)?)?;
                let record = reader.read()?;
                place = Some((reader, offset + 1));
                Some(record)
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
