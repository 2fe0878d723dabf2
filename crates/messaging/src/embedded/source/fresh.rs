//! Messages that were not out yet: read from the log in batches, handed out in order.

use super::Member;
use crate::Error;
use crate::embedded::codec::{self, Reader};
use crate::embedded::group::Room;
use crate::embedded::part::until;
use crate::embedded::repository::log::{self, Batch, Found};
use crate::embedded::tail::Kept;
use crate::engine::{Delivery, Gap, Input, Token};
use backlot_core::{BoxFuture, Timestamp};
use backlot_storage::StoreError;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// About how many bytes one read takes, at least and at most: a long one would keep the log from
/// being moved, and the memory that a reader takes is bounded by it.
const READ_BYTES: std::ops::RangeInclusive<u64> = (64 << 10)..=(16 << 20);
/// What a message is taken to have, to read about as many as are asked for.
const MESSAGE_BYTES: u64 = 256;
/// The pause before another look at a log that had nothing where something was said to be.
const PAUSE: Duration = Duration::from_millis(100);

/// What was read of a partition and is not out yet.
#[derive(Debug)]
pub(super) struct Buffer {
    epoch: u64,
    /// The offset of what comes first.
    next: u64,
    chunks: VecDeque<Chunk>,
    /// Whether there was more behind.
    more: bool,
}

#[derive(Debug)]
enum Chunk {
    Records {
        /// When it was stored.
        at: Timestamp,
        reader: Reader,
        /// What it was read from, unless that was in memory.
        batch: Option<Batch>,
    },
    /// Nothing from here to below this.
    Gap { end: u64, cause: Gap },
}

/// A read that was begun.
pub(super) struct Fetching {
    rooms: Vec<Room>,
    /// Never contended: the lock only makes a member something that may be looked at from threads.
    found: Mutex<BoxFuture<'static, Result<Vec<Found>, Error>>>,
}

/// What stands in the way at the front of a buffer.
enum Blocked {
    Gap {
        first: u64,
        end: u64,
        cause: Gap,
    },
    /// In the store, if it was read from there.
    Damaged(Option<Batch>),
}

impl Member {
    /// Delivers what these partitions have room for.
    pub(super) async fn fresh(
        &mut self,
        rooms: Vec<Room>,
        max: usize,
    ) -> Result<Option<Input>, Error> {
        let mut ready: Vec<Room> = rooms.clone();
        ready.retain(|room| self.has_enough(room, max));
        if ready.is_empty() {
            if !self.recall(&rooms) && !self.fetch(&rooms, max).await? {
                // The log does not reach as far as was said, for example because it was emptied.
                self.wait(Some(Instant::now() + PAUSE)).await;
                return Ok(None);
            }
            ready = rooms;
        }
        let mut deliveries = Vec::new();
        for room in &ready {
            let most = room.messages.min(max - deliveries.len());
            let blocked = self.take(room, most, &mut deliveries);
            // What would be a piece of the next partition's is left to be taken whole.
            if deliveries.len() > max / 2 {
                break;
            }
            if !deliveries.is_empty() {
                continue;
            }
            match blocked {
                Some(Blocked::Gap { first, end, cause }) => {
                    return self
                        .skip((room.part, room.epoch), (first, end), cause)
                        .await;
                }
                Some(Blocked::Damaged(batch)) => {
                    match batch {
                        Some(batch) => self.put_aside(room.part, &batch).await?,
                        // The store is asked.
                        None => self.group.topic.forget_newest(room.part),
                    }
                    self.buffers.remove(&room.part);
                }
                None => {}
            }
        }
        Ok((!deliveries.is_empty()).then_some(Input::Deliveries(deliveries)))
    }

    /// Whether what was read of a partition will do: half of what is asked for, or all there was.
    /// Whoever asks for many works on many at once, and is not served well with what is left over.
    fn has_enough(&self, room: &Room, max: usize) -> bool {
        let buffer = self.buffers.get(&room.part);
        let buffer = buffer.filter(|buffer| {
            (buffer.epoch, buffer.next) == (room.epoch, room.position) && !buffer.chunks.is_empty()
        });
        buffer.is_some_and(|buffer| {
            let wanted = room.messages.min(max) as u64 / 2;
            let mut left = 0;
            let mut chunks = buffer.chunks.iter();
            let has_many = chunks.any(|chunk| match chunk {
                Chunk::Records { reader, .. } => {
                    left += reader.left();
                    left >= wanted
                }
                // It is in the way.
                Chunk::Gap { .. } => true,
            });
            has_many || !buffer.more
        })
    }

    /// Takes messages out of the buffer and leases them. There is no pause in between: whoever
    /// stops waiting loses nothing. It ends before a message that comes again by now.
    fn take(
        &mut self,
        room: &Room,
        most: usize,
        deliveries: &mut Vec<Delivery>,
    ) -> Option<Blocked> {
        let now_ms = self.now_ms();
        let buffer = self.buffers.get_mut(&room.part)?;
        let mut state = self.group.state.lock();
        let part = state.parts.get_mut(room.part as usize)?;
        let is_same = (buffer.epoch, buffer.next) == (part.epoch, part.position);
        if !is_same || !part.is_leasable(self.number) {
            drop(state);
            self.buffers.remove(&room.part);
            return None;
        }
        let (first, mut count) = (part.position, 0);
        let is_plain = part.tracker.runs() == 0 && part.pending.is_empty();
        let blocked = loop {
            if count >= most {
                break None;
            }
            let Some(chunk) = buffer.chunks.front_mut() else {
                break None;
            };
            let (at, reader, batch) = match chunk {
                Chunk::Gap { end, cause } => {
                    break Some(Blocked::Gap {
                        first: buffer.next,
                        end: *end,
                        cause: *cause,
                    });
                }
                Chunk::Records { at, reader, batch } => (*at, reader, batch),
            };
            if reader.left() == 0 {
                buffer.chunks.pop_front();
                continue;
            }
            let offset = buffer.next;
            if !is_plain && part.is_due(offset, now_ms) {
                // It comes again before what lies behind it.
                break None;
            }
            let Some(record) = reader.read() else {
                break Some(Blocked::Damaged(batch.clone()));
            };
            buffer.next += 1;
            part.position = buffer.next;
            let is_special = !is_plain
                && (part.tracker.is_settled(offset) || part.pending.contains_key(&offset));
            if !is_special {
                count += 1;
                deliveries.push(Delivery {
                    token: Token {
                        partition: room.part,
                        offset,
                        epoch: part.epoch,
                    },
                    stored: at,
                    starts: 0,
                    attempts: 0,
                    failures: Vec::new(),
                    record,
                });
            }
        };
        if count > 0 {
            let ends = until(Instant::now(), self.subscription.lease);
            part.lease(first, part.position, count, ends);
        }
        blocked
    }

    /// Goes on in these partitions with what is in memory still; answers whether it could. All of
    /// them or none: one that lags would wait for ever for those that do not.
    fn recall(&mut self, rooms: &[Room]) -> bool {
        if self.fetching.is_some() {
            return false;
        }
        let topic = &self.group.topic;
        let newest = rooms
            .iter()
            .map(|room| topic.newest(room.part, room.position));
        let Some(newest) = newest.collect::<Option<Vec<Vec<Kept>>>>() else {
            return false;
        };
        for (room, kept) in rooms.iter().zip(newest) {
            let chunks = kept.into_iter().map(|Kept { at, reader }| Chunk::Records {
                at,
                reader,
                batch: None,
            });
            let buffer = Buffer {
                epoch: room.epoch,
                next: room.position,
                chunks: chunks.collect(),
                more: false,
            };
            self.buffers.insert(room.part, buffer);
        }
        true
    }

    /// Reads on in these partitions, in one look at the store; answers whether it found anything.
    /// A caller that stops waiting finds the read where it is by then.
    async fn fetch(&mut self, rooms: &[Room], max: usize) -> Result<bool, Error> {
        if self.fetching.is_none() {
            self.fetching = Some(self.begin_fetch(rooms, max));
        }
        let Some(fetching) = &mut self.fetching else {
            return Ok(false);
        };
        let found = fetching.found.get_mut().as_mut().await;
        let rooms = self
            .fetching
            .take()
            .map_or_else(Vec::new, |fetching| fetching.rooms);
        let found = found?;
        let mut is_anything = false;
        for (room, found) in rooms.iter().zip(found) {
            let (buffer, damaged) = self.sort(room, found);
            is_anything |= damaged.is_some() || !buffer.chunks.is_empty();
            self.buffers.insert(room.part, buffer);
            if let Some(batch) = damaged {
                self.put_aside(room.part, &batch).await?;
            }
        }
        Ok(is_anything)
    }

    fn begin_fetch(&self, rooms: &[Room], max: usize) -> Fetching {
        let topic = self.group.topic.id;
        let wanted: Vec<(u32, u64)> = rooms
            .iter()
            .map(|room| (room.part, room.position))
            .collect();
        let bytes = (max as u64).saturating_mul(MESSAGE_BYTES);
        let bytes = bytes.clamp(*READ_BYTES.start(), *READ_BYTES.end());
        let reading = self.inner.read(move |tx| {
            let wanted = wanted.clone();
            Box::pin(async move {
                let (mut found, mut left) = (Vec::new(), bytes);
                for (part, position) in wanted {
                    if left == 0 {
                        break;
                    }
                    let part = log::read(tx, topic, part, position, left).await?;
                    let sizes = part.batches.iter();
                    let sizes = sizes.map(|batch| codec::size(&batch.data) as u64);
                    left = left.saturating_sub(sizes.sum());
                    found.push(part);
                }
                Ok::<_, StoreError>(found)
            })
        });
        let inner = Arc::clone(&self.inner);
        // It comes to its end though nobody asks for it any more: until then it may be in the way
        // of writes, and what its caller does next may be one.
        let found = async move {
            let reading = async { reading.await.map_err(Error::of_read) };
            inner.finish("log-read", reading).await
        };
        Fetching {
            rooms: rooms.to_vec(),
            found: Mutex::new(Box::pin(found)),
        }
    }

    /// Puts in order what was read, and checks it, up to the first batch that is damaged.
    fn sort(&self, room: &Room, found: Found) -> (Buffer, Option<Batch>) {
        let mut buffer = Buffer {
            epoch: room.epoch,
            next: room.position,
            chunks: VecDeque::new(),
            more: found.more,
        };
        let mut expected = room.position;
        let gap = |chunks: &mut VecDeque<Chunk>, expected: &mut u64, end: u64, cause| {
            if *expected < end {
                chunks.push_back(Chunk::Gap { end, cause });
                *expected = end;
            }
        };
        gap(
            &mut buffer.chunks,
            &mut expected,
            found.first,
            Gap::Retention,
        );
        for batch in found.batches {
            let sound = batch.is_sound(self.group.topic.id, room.part);
            let reader = Reader::new(batch.data.clone()).filter(|_| sound);
            let skipped = reader.and_then(|mut reader| {
                reader.skip(expected.saturating_sub(batch.base))?;
                Some(reader)
            });
            let Some(reader) = skipped else {
                return (buffer, Some(batch));
            };
            gap(&mut buffer.chunks, &mut expected, batch.base, Gap::Damaged);
            expected = batch.end();
            buffer.chunks.push_back(Chunk::Records {
                at: batch.at,
                reader,
                batch: Some(batch),
            });
        }
        if !found.more {
            gap(&mut buffer.chunks, &mut expected, found.head, Gap::Damaged);
        }
        (buffer, None)
    }
}
