//! The newest messages of a partition, in memory: those who read as fast as it grows need not ask
//! the store for what was just written to it.

use super::codec::{Blob, Reader};
use backlot_core::Timestamp;
use bytes::Bytes;
use std::collections::VecDeque;

/// The most bytes that are kept of a partition.
const MOST_BYTES: usize = 64 * 1024;

/// Batches that follow each other without a gap, up to the newest that is known.
#[derive(Debug, Default)]
pub(super) struct Tail {
    batches: VecDeque<Newest>,
    bytes: usize,
    /// One past the newest offset; what comes before the first batch is in the store alone.
    end: u64,
    /// What lies before this is gone.
    floor: u64,
}

#[derive(Clone, Debug)]
struct Newest {
    base: u64,
    count: u64,
    at: Timestamp,
    data: Bytes,
}

/// A batch that was kept, to be read from an offset on.
#[derive(Debug)]
pub(super) struct Kept {
    /// When it was stored.
    pub(super) at: Timestamp,
    pub(super) reader: Reader,
}

impl Tail {
    /// Adds what a commit stored from this offset on. What is told late, or leaves a gap, ends what
    /// was kept: it is in the store.
    pub(super) fn add(&mut self, base: u64, at: Timestamp, blobs: &[Blob]) {
        let count: u64 = blobs.iter().map(|blob| blob.count).sum();
        if base < self.end {
            return;
        }
        let bytes: usize = blobs.iter().map(|blob| blob.data.len()).sum();
        if base > self.end || bytes > MOST_BYTES {
            self.clear();
        }
        self.end = base + count;
        if bytes > MOST_BYTES {
            return;
        }
        let mut base = base;
        for blob in blobs {
            let (count, data) = (blob.count, blob.data.clone());
            self.batches.push_back(Newest {
                base,
                count,
                at,
                data,
            });
            base += count;
        }
        self.bytes += bytes;
        self.shed();
    }

    /// What lies before this offset is gone, though it may be added late.
    pub(super) fn trim(&mut self, first: u64) {
        self.floor = self.floor.max(first);
        self.shed();
    }

    /// Lets go of what is too much, and of what is gone.
    fn shed(&mut self) {
        while let Some(oldest) = self.batches.front()
            && (self.bytes > MOST_BYTES || oldest.base < self.floor)
        {
            self.bytes -= oldest.data.len();
            self.batches.pop_front();
        }
    }

    /// Everything from this offset on; nothing when that is not all here.
    pub(super) fn since(&self, offset: u64) -> Option<Vec<Kept>> {
        if self.batches.front().is_none_or(|first| offset < first.base) || offset >= self.end {
            return None;
        }
        let first = self
            .batches
            .partition_point(|batch| batch.base + batch.count <= offset);
        let kept = self.batches.range(first..).map(|batch| {
            let mut reader = Reader::new(batch.data.clone())?;
            reader.skip(offset.saturating_sub(batch.base))?;
            let at = batch.at;
            Some(Kept { at, reader })
        });
        kept.collect()
    }

    /// Keeps nothing, until more is added.
    pub(super) fn clear(&mut self) {
        self.batches.clear();
        self.bytes = 0;
    }

    /// The log begins anew.
    pub(super) fn restart(&mut self) {
        *self = Tail::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;
    use crate::embedded::codec;

    fn blobs(ids: std::ops::Range<u64>, size: usize) -> Vec<Blob> {
        let record = |id: u64| Record::new(id.to_string(), "Kind", "source", vec![7; size]);
        let records: Vec<Record> = ids.map(record).collect();
        codec::encode(&records)
    }

    fn ids(tail: &Tail, offset: u64) -> Option<Vec<u64>> {
        let mut ids = Vec::new();
        for mut kept in tail.since(offset)? {
            while kept.reader.left() > 0 {
                ids.push(kept.reader.read().unwrap().id.parse().unwrap());
            }
        }
        Some(ids)
    }

    #[test]
    fn what_was_added_is_read_from_any_offset() {
        let mut tail = Tail::default();
        tail.add(0, Timestamp(1), &blobs(0..3, 10));
        tail.add(3, Timestamp(2), &blobs(3..4, 10));
        assert_eq!(ids(&tail, 0), Some(vec![0, 1, 2, 3]));
        assert_eq!(ids(&tail, 2), Some(vec![2, 3]));
        assert_eq!(ids(&tail, 3), Some(vec![3]));
        assert_eq!(ids(&tail, 4), None);
        assert_eq!(tail.since(3).unwrap()[0].at, Timestamp(2));
    }

    #[test]
    fn what_lies_before_a_gap_is_not_kept() {
        let mut tail = Tail::default();
        tail.add(0, Timestamp(1), &blobs(0..3, 10));
        tail.add(5, Timestamp(1), &blobs(5..6, 10));
        assert_eq!(ids(&tail, 2), None);
        assert_eq!(ids(&tail, 4), None);
        assert_eq!(ids(&tail, 5), Some(vec![5]));
        // Another task's commit, told late.
        tail.add(3, Timestamp(1), &blobs(3..5, 10));
        assert_eq!(ids(&tail, 3), None);
        assert_eq!(ids(&tail, 5), Some(vec![5]));
    }

    #[test]
    fn what_is_gone_is_not_kept_however_late_it_is_added() {
        let mut tail = Tail::default();
        tail.add(0, Timestamp(1), &blobs(0..3, 10));
        tail.trim(5);
        assert_eq!(ids(&tail, 0), None);
        tail.add(3, Timestamp(1), &blobs(3..5, 10));
        assert_eq!(ids(&tail, 3), None);
        tail.add(5, Timestamp(1), &blobs(5..6, 10));
        assert_eq!(ids(&tail, 5), Some(vec![5]));
    }

    #[test]
    fn it_is_bounded() {
        let mut tail = Tail::default();
        for offset in 0..100 {
            tail.add(offset, Timestamp(1), &blobs(offset..offset + 1, 1024));
            assert!(tail.bytes <= MOST_BYTES);
        }
        assert_eq!(ids(&tail, 30), None);
        assert_eq!(ids(&tail, 50), Some((50..100).collect()));
        // One that is larger than all that may be kept.
        tail.add(100, Timestamp(1), &blobs(100..101, MOST_BYTES));
        assert_eq!((tail.bytes, ids(&tail, 100)), (0, None));
        tail.add(101, Timestamp(1), &blobs(101..102, 10));
        assert_eq!(ids(&tail, 101), Some(vec![101]));
    }
}
