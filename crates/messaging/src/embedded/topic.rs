//! A topic in memory: where its partitions end, and who is woken when they grow.

use super::codec::Blob;
use super::repository::dead;
use super::repository::topics::{Range, Stored};
use super::tail::{Kept, Tail};
use crate::engine::TopicSpec;
use crate::partition;
use crate::telemetry::OfTopic;
use backlot_core::Timestamp;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) partitions: u32,
    /// Whether what it holds are dead letters, which have an index.
    pub(super) holds_letters: bool,
    pub(super) telemetry: OfTopic,
    /// What may change.
    settings: Mutex<Settings>,
    /// One past the newest offset of each partition, as far as is known here.
    heads: watch::Sender<Vec<u64>>,
    /// What was stored last, by partition.
    tails: Mutex<Vec<Tail>>,
    /// Where the next message without a key goes.
    turn: AtomicU32,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) spec: TopicSpec,
    pub(super) incarnation: i64,
}

impl Topic {
    pub(super) fn new(stored: Stored, ranges: &[Range], telemetry: OfTopic) -> Self {
        Topic {
            id: stored.id,
            name: stored.spec.name.clone(),
            partitions: stored.spec.partitions,
            holds_letters: dead::is_queue(&stored.spec.name),
            telemetry,
            heads: watch::Sender::new(ranges.iter().map(|range| range.head).collect()),
            settings: Mutex::new(Settings {
                spec: stored.spec,
                incarnation: stored.incarnation,
            }),
            tails: Mutex::new(ranges.iter().map(|_| Tail::default()).collect()),
            turn: AtomicU32::new(0),
        }
    }

    pub(super) fn settings(&self) -> Settings {
        self.settings.lock().clone()
    }

    /// Which log it is: emptied, it is another.
    pub(super) fn incarnation(&self) -> i64 {
        self.settings.lock().incarnation
    }

    pub(super) fn set_spec(&self, spec: TopicSpec) {
        self.settings.lock().spec = spec;
    }

    /// Where a message goes.
    pub(super) fn partition_of(&self, key: Option<&str>) -> u32 {
        match key {
            Some(key) => partition::of_key(key, self.partitions),
            None => self.turn.fetch_add(1, Ordering::Relaxed) % self.partitions.max(1),
        }
    }

    /// Told whenever a partition has grown.
    pub(super) fn watch(&self) -> watch::Receiver<Vec<u64>> {
        self.heads.subscribe()
    }

    /// Says that partitions reach at least this far, and wakes their readers.
    pub(super) fn grown(&self, heads: impl IntoIterator<Item = (u32, u64)>) {
        self.heads.send_if_modified(|known| {
            let mut changed = false;
            for (part, head) in heads {
                if let Some(known) = known.get_mut(part as usize)
                    && *known < head
                {
                    *known = head;
                    changed = true;
                }
            }
            changed
        });
    }

    /// Says what was stored in a partition, from which offset on and as when, in which log; and
    /// wakes who reads it.
    pub(super) fn stored(
        &self,
        part: u32,
        incarnation: i64,
        (base, at): (u64, Timestamp),
        blobs: &[Blob],
    ) {
        if let Some(tail) = self.tails.lock().get_mut(part as usize) {
            // Looked at under the lock: it may have been emptied since that was written. Then it
            // is this that is cleared, or this that is left out.
            if self.incarnation() == incarnation {
                tail.add(base, at, blobs);
            }
        }
        let count: u64 = blobs.iter().map(|blob| blob.count).sum();
        self.grown([(part, base + count)]);
    }

    /// What a partition has from this offset on, if all of that is in memory still.
    pub(super) fn newest(&self, part: u32, offset: u64) -> Option<Vec<Kept>> {
        let tails = self.tails.lock();
        tails.get(part as usize)?.since(offset)
    }

    /// Lets go of what is in memory of a partition, until more is stored.
    pub(super) fn forget_newest(&self, part: u32) {
        if let Some(tail) = self.tails.lock().get_mut(part as usize) {
            tail.clear();
        }
    }

    /// What lies before this offset is gone, in memory as well.
    pub(super) fn trimmed(&self, part: u32, first: u64) {
        if let Some(tail) = self.tails.lock().get_mut(part as usize) {
            tail.trim(first);
        }
    }

    /// The log begins anew.
    pub(super) fn emptied(&self, incarnation: i64) {
        self.settings.lock().incarnation = incarnation;
        self.tails.lock().iter_mut().for_each(Tail::restart);
        self.heads.send_modify(|heads| heads.fill(0));
    }
}
