//! What one commit adds to the log: worked out before, so that the writer only writes.

use super::codec::{self, Blob};
use super::repository::dead::{self, Arrival};
use super::repository::{log, timers};
use super::topic::Topic;
use crate::engine::{Outgoing, Position, Receipt};
use crate::record::MAX_NAME;
use crate::{Error, Record};
use backlot_core::Timestamp;
use backlot_storage::{StoreError, Tx};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A message on its way to a partition.
#[derive(Debug)]
pub(super) struct Item {
    topic: Arc<Topic>,
    part: u32,
    record: Record,
    due: Option<Timestamp>,
    dedupe: bool,
}

impl Item {
    /// Checks a message and says where it goes.
    pub(super) fn new(topic: Arc<Topic>, outgoing: Outgoing) -> Result<Self, Error> {
        outgoing.record.check()?;
        debug_assert!(outgoing.record.id.len() <= MAX_NAME);
        Ok(Item {
            part: topic.partition_of(outgoing.record.key.as_deref()),
            topic,
            record: outgoing.record,
            due: outgoing.due,
            dedupe: outgoing.dedupe,
        })
    }

    pub(super) fn size(&self) -> usize {
        self.record.size()
    }
}

/// What one commit adds.
#[derive(Debug)]
pub(super) struct Plan {
    items: Vec<Item>,
    chunks: Vec<Chunk>,
    /// When it was worked out: what is due by then goes into the log.
    now: Timestamp,
}

/// What goes to one partition.
#[derive(Debug)]
struct Chunk {
    topic: Arc<Topic>,
    part: u32,
    /// Places among the items.
    places: Vec<usize>,
    /// All of them as they are stored.
    blobs: Vec<Blob>,
    /// Of the topic, when this was worked out.
    incarnation: i64,
}

/// What a partition has more.
#[derive(Debug)]
struct Grown {
    /// The place of its chunk.
    chunk: usize,
    base: u64,
    at: Timestamp,
    blobs: Vec<Blob>,
}

/// What a commit added.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// In order of the items.
    pub(super) receipts: Vec<Receipt>,
    grown: Vec<Grown>,
    /// When the first of what is published later is due.
    pub(super) due: Option<Timestamp>,
}

impl Plan {
    pub(super) fn new(items: Vec<Item>, now: Timestamp) -> Self {
        let mut by_partition: BTreeMap<(i64, u32), Vec<usize>> = BTreeMap::new();
        for (place, item) in items.iter().enumerate() {
            if item.due.is_none_or(|due| due <= now) {
                let places = by_partition.entry((item.topic.id, item.part)).or_default();
                places.push(place);
            }
        }
        let chunk = |((_, part), places): ((i64, u32), Vec<usize>)| {
            let topic = Arc::clone(&items[places[0]].topic);
            let blobs = codec::encode(places.iter().map(|place| &items[*place].record));
            Chunk {
                incarnation: topic.incarnation(),
                topic,
                part,
                places,
                blobs,
            }
        };
        let chunks = by_partition.into_iter().map(chunk).collect();
        Plan { items, chunks, now }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Writes everything; the same again in another attempt.
    pub(super) async fn run(&self, tx: &mut Tx) -> Result<Added, StoreError> {
        let now = self.now;
        let mut added = Added {
            receipts: vec![Receipt::Scheduled; self.items.len()],
            ..Added::default()
        };
        for (place, item) in self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.dedupe)
        {
            let until = now.plus(item.topic.settings().spec.dedupe);
            if !timers::claim(tx, item.topic.id, &item.record.id, now, until).await? {
                added.receipts[place] = Receipt::Duplicate;
            }
        }
        for (index, chunk) in self.chunks.iter().enumerate() {
            let is_new = |place: &usize| added.receipts[*place] != Receipt::Duplicate;
            let kept: Vec<usize> = chunk.places.iter().copied().filter(is_new).collect();
            let blobs = if kept.len() == chunk.places.len() {
                chunk.blobs.clone()
            } else {
                let records = kept.iter().map(|place| &self.items[*place].record);
                codec::encode(records)
            };
            if kept.is_empty() {
                continue;
            }
            let (topic, partition) = (chunk.topic.id, chunk.part);
            let (base, at) = log::append(tx, topic, partition, &blobs, now).await?;
            for (offset, place) in (base..).zip(&kept) {
                added.receipts[*place] = Receipt::Stored(Position { partition, offset });
            }
            if chunk.topic.holds_letters {
                let arrival = |(offset, place): (u64, &usize)| Arrival {
                    queue: topic,
                    queue_name: &chunk.topic.name,
                    part: partition,
                    offset,
                    record: &self.items[*place].record,
                };
                let arrivals: Vec<Arrival<'_>> = (base..).zip(&kept).map(arrival).collect();
                dead::enter(tx, &arrivals, now).await?;
            }
            added.grown.push(Grown {
                chunk: index,
                base,
                at,
                blobs,
            });
        }
        for (place, item) in self.items.iter().enumerate() {
            let due = item.due.filter(|due| *due > now);
            if let Some(due) = due
                && added.receipts[place] == Receipt::Scheduled
            {
                for blob in codec::encode([&item.record]) {
                    timers::schedule(tx, item.topic.id, item.part, due, &blob).await?;
                }
                added.due = Some(added.due.map_or(due, |first| first.min(due)));
            }
        }
        Ok(added)
    }

    /// Counts what was added, and wakes whoever reads it. To be called after the commit.
    pub(super) fn announce(&self, added: &Added) {
        for grown in &added.grown {
            let chunk = &self.chunks[grown.chunk];
            let (stored, blobs) = ((grown.base, grown.at), &grown.blobs);
            chunk
                .topic
                .stored(chunk.part, chunk.incarnation, stored, blobs);
        }
        let told: Vec<(&Item, &Receipt)> = self.items.iter().zip(&added.receipts).collect();
        let is_same = |one: &(&Item, &Receipt), next: &(&Item, &Receipt)| {
            Arc::ptr_eq(&one.0.topic, &next.0.topic)
        };
        for of_one in told.chunk_by(is_same) {
            let telemetry = &of_one[0].0.topic.telemetry;
            let count = |is: fn(&Receipt) -> bool| {
                of_one.iter().filter(|(_, receipt)| is(receipt)).count() as u64
            };
            let stored = count(|receipt| matches!(receipt, Receipt::Stored(_)));
            telemetry.published.add(stored);
            telemetry
                .duplicates
                .add(count(|receipt| *receipt == Receipt::Duplicate));
        }
    }
}
