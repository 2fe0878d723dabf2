//! Many ratings for one commit: in the order of the tree they are kept in, so that writing them
//! visits every place once, and numbered by record, so that each aggregate is changed once.

use crate::model::{HalfStars, Record};
use backlot::Timestamp;

/// Ratings of records of one kind, in order of user and record, no two of the same.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) kind: String,
    entries: Vec<Entry>,
    /// An entry of each record, in order of record.
    records: Vec<u32>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) user: String,
    pub(crate) record_id: String,
    pub(crate) value: HalfStars,
    /// Nothing for now.
    pub(crate) rated_at: Option<Timestamp>,
    /// The record's place among the records of the batch.
    pub(crate) record: u32,
}

impl Entry {
    pub(crate) fn new(
        user: String,
        record_id: String,
        value: HalfStars,
        rated_at: Option<Timestamp>,
    ) -> Self {
        Entry {
            user,
            record_id,
            value,
            rated_at,
            record: 0,
        }
    }

    pub(crate) fn key(&self) -> (&str, &str) {
        (&self.user, &self.record_id)
    }
}

impl Batch {
    /// A batch of these; of a user's ratings of the same record the last one stays.
    pub(crate) fn new(kind: String, mut entries: Vec<Entry>) -> Self {
        // The sort is stable: equal keys stay in the order they came.
        entries.sort_by(|one, other| one.key().cmp(&other.key()));
        entries.dedup_by(|later, kept| {
            let same = later.key() == kept.key();
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        let mut by_record: Vec<u32> = (0..).take(entries.len()).collect();
        by_record.sort_unstable_by(|one, other| {
            let id = |index: &u32| &entries[*index as usize].record_id;
            id(one).cmp(id(other))
        });
        let mut records: Vec<u32> = Vec::new();
        for index in by_record {
            let is_new = records.last().is_none_or(|last| {
                entries[*last as usize].record_id != entries[index as usize].record_id
            });
            if is_new {
                records.push(index);
            }
            // The contract bounds a batch far below 2^32.
            entries[index as usize].record = records.len() as u32 - 1;
        }
        Batch {
            kind,
            entries,
            records,
        }
    }

    /// In order of user and record.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many records it rates.
    pub(crate) fn records(&self) -> usize {
        self.records.len()
    }

    /// The id of a record by its place; places are in order of id.
    pub(crate) fn record_id(&self, place: usize) -> &str {
        &self.entries[self.records[place] as usize].record_id
    }

    /// A record by its place.
    pub(crate) fn record(&self, place: usize) -> Record {
        Record {
            kind: self.kind.clone(),
            id: self.record_id(place).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(user: &str, record: &str, half_stars: i32) -> Entry {
        let value = HalfStars::new(half_stars).unwrap();
        Entry::new(user.into(), record.into(), value, None)
    }

    #[test]
    fn the_last_of_equals_counts_whatever_the_order() {
        let batch = Batch::new(
            "movie".into(),
            vec![
                entry("bob", "b", 1),
                entry("ann", "c", 2),
                entry("bob", "b", 3),
                entry("ann", "a", 4),
                entry("bob", "b", 5),
                entry("ann", "b", 6),
            ],
        );
        let found: Vec<_> = batch
            .entries()
            .iter()
            .map(|entry| {
                (
                    entry.user.as_str(),
                    entry.record_id.as_str(),
                    entry.value.get(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("ann", "a", 4),
                ("ann", "b", 6),
                ("ann", "c", 2),
                ("bob", "b", 5)
            ]
        );
        let records: Vec<_> = (0..batch.records())
            .map(|place| batch.record_id(place))
            .collect();
        assert_eq!(records, ["a", "b", "c"]);
        for entry in batch.entries() {
            assert_eq!(batch.record_id(entry.record as usize), entry.record_id);
        }
    }
}
