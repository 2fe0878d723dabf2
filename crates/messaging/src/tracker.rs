//! Which messages of one partition are settled: everything below a prefix, and runs beyond it.
//!
//! A reader that settles out of order leaves holes. Everything below the first hole is one number;
//! what is settled beyond it is kept as runs, of which there may be only so many. Whoever leases
//! messages stops while the tracker [is full](Tracker::is_full); what was leased before can always
//! be settled, so that nothing is ever forgotten: at most as many runs are added as messages were
//! out.

use std::collections::BTreeMap;

/// Which offsets of a partition are settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracker {
    /// Everything below is settled, this one is not.
    prefix: u64,
    /// Runs beyond the prefix, as first to one past the last; never touching each other.
    runs: BTreeMap<u64, u64>,
    limit: usize,
}

/// The form of a stored tracker that this program writes.
const FORM: u8 = 1;

impl Tracker {
    /// Everything below `prefix` is settled, and nothing else; full with `limit` runs, at least 1.
    #[must_use]
    pub fn new(prefix: u64, limit: usize) -> Self {
        Tracker {
            prefix,
            runs: BTreeMap::new(),
            limit: limit.max(1),
        }
    }

    /// The first offset that is not settled.
    #[must_use]
    pub fn prefix(&self) -> u64 {
        self.prefix
    }

    /// Whether `offset` is settled.
    #[must_use]
    pub fn is_settled(&self, offset: u64) -> bool {
        offset < self.prefix
            || self
                .runs
                .range(..=offset)
                .next_back()
                .is_some_and(|(_, end)| offset < *end)
    }

    /// Whether any offset from `first` to below `end` is settled.
    #[must_use]
    pub fn has_any(&self, first: u64, end: u64) -> bool {
        let last = self.runs.range(..end).next_back();
        first < end && (first < self.prefix || last.is_some_and(|(_, reach)| first < *reach))
    }

    /// How many offsets beyond the prefix are settled.
    #[must_use]
    pub fn ahead(&self) -> u64 {
        self.runs.iter().map(|(first, end)| end - first).sum()
    }

    /// How many runs there are beyond the prefix.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// One past the last offset that is settled.
    #[must_use]
    pub fn reach(&self) -> u64 {
        let last = self.runs.last_key_value();
        last.map_or(self.prefix, |(_, end)| *end)
    }

    /// Whether no further message may be leased until some hole is closed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.runs.len() >= self.limit
    }

    /// Settles one offset; answers whether it was not settled before.
    pub fn settle(&mut self, offset: u64) -> bool {
        if offset == self.prefix && self.runs.is_empty() {
            self.prefix += 1;
            return true;
        }
        if self.is_settled(offset) {
            return false;
        }
        self.settle_range(offset, offset.saturating_add(1));
        true
    }

    /// Settles everything from `first` to below `end`.
    pub fn settle_range(&mut self, first: u64, end: u64) {
        if end <= first || end <= self.prefix {
            return;
        }
        let (mut first, mut end) = (first, end);
        let touches_next = self.runs.range(first..=end).next().is_some();
        if !touches_next
            && let Some((_, reach)) = self.runs.range_mut(..first).next_back()
            && *reach >= first
        {
            // What is settled in order makes a run longer.
            *reach = end.max(*reach);
            return;
        }
        // The run that begins before and reaches here, then all that begin within or right after.
        if let Some((before, reach)) = self.runs.range(..first).next_back()
            && *reach >= first
        {
            first = *before;
        }
        while let Some((&begins, &reach)) = self.runs.range(first..=end).next() {
            end = end.max(reach);
            self.runs.remove(&begins);
        }
        if first <= self.prefix {
            self.prefix = end;
        } else {
            self.runs.insert(first, end);
        }
    }

    /// The offsets that are not settled, in order, to below `end`.
    pub fn unsettled(&self, end: u64) -> impl Iterator<Item = u64> + '_ {
        self.unsettled_from(0, end)
    }

    /// The offsets from `first` on that are not settled, in order, to below `end`.
    pub fn unsettled_from(&self, first: u64, end: u64) -> impl Iterator<Item = u64> + '_ {
        let mut from = first.max(self.prefix);
        if let Some((_, reach)) = self.runs.range(..=from).next_back() {
            from = from.max(*reach);
        }
        let holes = self.runs.range(from..);
        let last = std::iter::once((end.max(from), end.max(from)));
        holes
            .map(|(first, reach)| (*first, *reach))
            .chain(last)
            .flat_map(move |(first, reach)| {
                let hole = from..first.min(end);
                from = from.max(reach);
                hole
            })
    }

    /// The runs as bytes: a byte for the form, then for each run the distance from the end of the
    /// one before (the prefix for the first) and its length, as variable-length numbers. A prefix
    /// without runs is no byte at all.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.runs.is_empty() {
            return bytes;
        }
        bytes.push(FORM);
        let mut from = self.prefix;
        for (first, end) in &self.runs {
            crate::varint::write(&mut bytes, first - from);
            crate::varint::write(&mut bytes, end - first);
            from = *end;
        }
        bytes
    }

    /// Reads what [`encode`](Tracker::encode) wrote; nothing when it is damaged.
    #[must_use]
    pub fn decode(prefix: u64, bytes: &[u8], limit: usize) -> Option<Self> {
        let mut tracker = Tracker::new(prefix, limit);
        let Some((form, mut rest)) = bytes.split_first() else {
            return Some(tracker);
        };
        if *form != FORM {
            return None;
        }
        let mut from = prefix;
        while !rest.is_empty() {
            let gap = crate::varint::read(&mut rest)?;
            let length = crate::varint::read(&mut rest)?;
            let first = from.checked_add(gap)?;
            let end = first.checked_add(length)?;
            if gap == 0 || length == 0 {
                return None;
            }
            tracker.runs.insert(first, end);
            from = end;
        }
        Some(tracker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// What a set of settled offsets says, slowly.
    fn check(tracker: &Tracker, settled: &BTreeSet<u64>) {
        let prefix = (0..).find(|offset| !settled.contains(offset)).unwrap_or(0);
        assert_eq!(tracker.prefix(), prefix);
        assert_eq!(
            tracker.ahead(),
            settled.range(prefix..).count() as u64,
            "{tracker:?}"
        );
        let open: Vec<u64> = (0..200)
            .filter(|offset| !settled.contains(offset))
            .collect();
        assert_eq!(tracker.unsettled(200).collect::<Vec<_>>(), open);
        for first in 0..200 {
            let from = open.iter().copied().filter(|offset| *offset >= first);
            let found = tracker.unsettled_from(first, 200);
            assert_eq!(found.collect::<Vec<_>>(), from.collect::<Vec<_>>());
        }
        let reach = settled.last().map_or(0, |last| last + 1);
        assert_eq!(tracker.reach(), reach.max(prefix));
        for offset in 0..200 {
            assert_eq!(tracker.is_settled(offset), settled.contains(&offset));
        }
        let runs = settled
            .range(prefix..)
            .filter(|offset| !settled.contains(&(**offset - 1)))
            .count();
        assert_eq!(tracker.runs(), runs, "runs never touch");
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_set(
            steps in proptest::collection::vec((0u64..150, 1u64..6), 0..60)
        ) {
            let mut tracker = Tracker::new(0, 8);
            let mut settled = BTreeSet::new();
            for (first, length) in steps {
                if length == 1 {
                    prop_assert_eq!(tracker.settle(first), settled.insert(first));
                } else {
                    tracker.settle_range(first, first + length);
                    settled.extend(first..first + length);
                }
                check(&tracker, &settled);
                for from in 0..160 {
                    let end = from + length - 1;
                    let any = settled.range(from..end).next().is_some();
                    prop_assert_eq!(tracker.has_any(from, end), any);
                }
                let stored = tracker.encode();
                let read = Tracker::decode(tracker.prefix(), &stored, 8);
                prop_assert_eq!(read.as_ref(), Some(&tracker));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(tracker) = Tracker::decode(7, &bytes, 8) {
                prop_assert_eq!(tracker.prefix(), 7);
            }
        }
    }

    #[test]
    fn a_full_tracker_still_takes_what_was_leased() {
        let mut tracker = Tracker::new(0, 2);
        for offset in [1, 3, 5, 7] {
            assert!(tracker.settle(offset));
        }
        assert!(tracker.is_full());
        for offset in [0, 2, 4, 6] {
            assert!(tracker.settle(offset));
        }
        assert!(!tracker.is_full());
        assert_eq!((tracker.prefix(), tracker.runs()), (8, 0));
    }
}
