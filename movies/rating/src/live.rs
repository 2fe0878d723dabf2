//! Who watches which record, in this process. Each watcher sees the latest aggregate; one that is
//! slow skips what lies between, so nothing queues.

use crate::model::{Aggregate, Record};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

#[derive(Default)]
pub(crate) struct Live {
    records: Mutex<BTreeMap<Record, watch::Sender<Aggregate>>>,
}

impl Live {
    pub(crate) fn subscribe(&self, record: &Record) -> watch::Receiver<Aggregate> {
        let mut records = self.lock();
        // Records whose watchers have gone are dropped here, so that the map holds no more than
        // were ever watched at once.
        records.retain(|_, sender| sender.receiver_count() > 0);
        records.entry(record.clone()).or_default().subscribe()
    }

    /// Tells watchers, unless they know this version or a newer one.
    pub(crate) fn publish(&self, record: &Record, aggregate: &Aggregate) {
        if let Some(sender) = self.lock().get(record) {
            send(sender, aggregate);
        }
    }

    /// As [`publish`](Live::publish), for records of one kind.
    pub(crate) fn publish_many(
        &self,
        kind: String,
        changes: impl Iterator<Item = (String, Aggregate)>,
    ) {
        let records = self.lock();
        if records.is_empty() {
            return;
        }
        let mut record = Record {
            kind,
            id: String::new(),
        };
        for (id, aggregate) in changes {
            record.id = id;
            if let Some(sender) = records.get(&record) {
                send(sender, &aggregate);
            }
        }
    }

    /// The records that somebody watches.
    pub(crate) fn watched(&self) -> Vec<Record> {
        let records = self.lock();
        let watched = records
            .iter()
            .filter(|(_, sender)| sender.receiver_count() > 0);
        watched.map(|(record, _)| record.clone()).collect()
    }

    /// Whether somebody watches this record.
    pub(crate) fn is_watched(&self, record: &Record) -> bool {
        let records = self.lock();
        let sender = records.get(record);
        sender.is_some_and(|sender| sender.receiver_count() > 0)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Record, watch::Sender<Aggregate>>> {
        // Nothing in here panics while it holds the lock.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn send(sender: &watch::Sender<Aggregate>, aggregate: &Aggregate) {
    sender.send_if_modified(|known| {
        let newer = aggregate.version > known.version;
        if newer {
            known.clone_from(aggregate);
        }
        newer
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str) -> Record {
        Record {
            kind: "movie".into(),
            id: id.into(),
        }
    }

    fn version(version: u32) -> Aggregate {
        Aggregate {
            version,
            ..Aggregate::default()
        }
    }

    #[test]
    fn an_older_version_never_overwrites_a_newer_one() {
        let live = Live::default();
        let receiver = live.subscribe(&record("a"));
        live.publish(&record("a"), &version(2));
        live.publish(&record("a"), &version(1));
        assert_eq!(receiver.borrow().version, 2);
    }

    #[test]
    fn records_nobody_watches_are_forgotten() {
        let live = Live::default();
        drop(live.subscribe(&record("a")));
        let _kept = live.subscribe(&record("b"));
        assert_eq!(live.lock().len(), 1);
    }
}
