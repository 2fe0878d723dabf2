//! A topic in memory: where its partitions end, and who is woken when they grow.

use super::repository::dead;
use super::repository::topics::{Range, Stored};
use crate::engine::TopicSpec;
use crate::partition;
use crate::telemetry::OfTopic;
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
            turn: AtomicU32::new(0),
        }
    }

    pub(super) fn settings(&self) -> Settings {
        self.settings.lock().clone()
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

    /// The log begins anew.
    pub(super) fn emptied(&self, incarnation: i64) {
        self.settings.lock().incarnation = incarnation;
        self.heads.send_modify(|heads| heads.fill(0));
    }
}
