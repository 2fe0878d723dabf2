//! Many changes of ratings for one commit: users and records each named once and in order, and of a
//! user's changes of one record the last alone, so that writing them visits every place once.

use crate::model::{HalfStars, Record};
use backlot::Timestamp;
use std::collections::HashMap;

/// Changes of ratings, no two of the same user and record.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    users: Vec<String>,
    records: Vec<Record>,
    changes: Vec<Change>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The user's place among the users of the batch.
    pub(crate) user: u32,
    /// The record's place among the records of the batch.
    pub(crate) record: u32,
    /// Nothing takes the rating back.
    pub(crate) value: Option<HalfStars>,
    /// Nothing for now.
    pub(crate) rated_at: Option<Timestamp>,
}

impl Batch {
    /// In order of user and record.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The users by their places, in order.
    pub(crate) fn users(&self) -> &[String] {
        &self.users
    }

    /// The records by their places, in order of kind and id.
    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }
}

/// Takes changes in the order in which they happened, and makes a batch of them.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    users: Names,
    /// Few: the last one met comes first.
    kinds: Vec<(String, HashMap<String, u32>)>,
    records: u32,
    changes: Vec<Change>,
}

impl Gathering {
    /// A user's rating of a record; nothing as its time stands for when the batch is written.
    pub(crate) fn put(
        &mut self,
        user: &str,
        (kind, id): (&str, &str),
        value: HalfStars,
        rated_at: Option<Timestamp>,
    ) {
        self.add(user, kind, id, Some(value), rated_at);
    }

    /// A user takes the rating of a record back.
    pub(crate) fn delete(&mut self, user: &str, (kind, id): (&str, &str)) {
        self.add(user, kind, id, None, None);
    }

    fn add(
        &mut self,
        user: &str,
        kind: &str,
        id: &str,
        value: Option<HalfStars>,
        rated_at: Option<Timestamp>,
    ) {
        let user = self.users.place(user);
        let record = self.record(kind, id);
        self.changes.push(Change {
            user,
            record,
            value,
            rated_at,
        });
    }

    /// Places are given in order of appearance; there are fewer of them than changes, of which
    /// memory holds far less than 2^32.
    fn record(&mut self, kind: &str, id: &str) -> u32 {
        let known = self.kinds.iter().position(|(name, _)| name == kind);
        match known {
            Some(0) => {}
            Some(index) => self.kinds.swap(0, index),
            None => self.kinds.insert(0, (kind.to_owned(), HashMap::new())),
        }
        let (_, ids) = &mut self.kinds[0];
        if let Some(place) = ids.get(id) {
            return *place;
        }
        let place = self.records;
        ids.insert(id.to_owned(), place);
        self.records += 1;
        place
    }

    /// The batch. Of a user's changes of the same record the last one stays.
    pub(crate) fn finish(self) -> Batch {
        let mut users: Vec<(String, u32)> = self.users.places.into_iter().collect();
        users.sort_unstable();
        let mut records: Vec<(Record, u32)> = Vec::with_capacity(self.records as usize);
        for (kind, ids) in self.kinds {
            records.extend(ids.into_iter().map(|(id, place)| {
                let kind = kind.clone();
                (Record { kind, id }, place)
            }));
        }
        records.sort_unstable();
        let (of_users, of_records) = (ranks(&users), ranks(&records));
        let mut changes = self.changes;
        for change in &mut changes {
            change.user = of_users[change.user as usize];
            change.record = of_records[change.record as usize];
        }
        // The sort is stable: equals stay in the order they came.
        changes.sort_by_key(|change| (change.user, change.record));
        changes.dedup_by(|later, kept| {
            let same = (later.user, later.record) == (kept.user, kept.record);
            if same {
                *kept = *later;
            }
            same
        });
        Batch {
            users: users.into_iter().map(|(user, _)| user).collect(),
            records: records.into_iter().map(|(record, _)| record).collect(),
            changes,
        }
    }
}

/// Where each place of appearance is in this order.
fn ranks<T>(ordered: &[(T, u32)]) -> Vec<u32> {
    let mut ranks = vec![0; ordered.len()];
    for (rank, (_, place)) in (0..).zip(ordered) {
        ranks[*place as usize] = rank;
    }
    ranks
}

/// Users by the order of their appearance.
#[derive(Debug, Default)]
struct Names {
    places: HashMap<String, u32>,
    /// What came last comes again, most often.
    last: Option<(String, u32)>,
}

impl Names {
    fn place(&mut self, name: &str) -> u32 {
        if let Some((last, place)) = &self.last
            && last == name
        {
            return *place;
        }
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                let place = self.places.len() as u32;
                self.places.insert(name.to_owned(), place);
                place
            }
        };
        let (last, of) = self.last.get_or_insert_default();
        last.clear();
        last.push_str(name);
        *of = place;
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equals_counts_whatever_the_order() {
        let mut changes = Gathering::default();
        for (user, kind, id, half_stars) in [
            ("bob", "movie", "b", 1),
            ("ann", "movie", "c", 2),
            ("bob", "movie", "b", 3),
            ("ann", "book", "b", 4),
            ("ann", "movie", "a", 4),
            ("bob", "movie", "b", 5),
            ("ann", "movie", "b", 6),
        ] {
            changes.put(user, (kind, id), HalfStars::new(half_stars).unwrap(), None);
        }
        changes.delete("ann", ("movie", "c"));
        changes.delete("ann", ("movie", "b"));
        changes.put("ann", ("movie", "b"), HalfStars::new(7).unwrap(), None);
        let batch = changes.finish();
        let found: Vec<_> = batch
            .changes()
            .iter()
            .map(|change| {
                let Record { kind, id } = &batch.records()[change.record as usize];
                let value = change.value.map(HalfStars::get);
                let user = &batch.users()[change.user as usize];
                (user.as_str(), kind.as_str(), id.as_str(), value)
            })
            .collect();
        assert_eq!(
            found,
            [
                ("ann", "book", "b", Some(4)),
                ("ann", "movie", "a", Some(4)),
                ("ann", "movie", "b", Some(7)),
                ("ann", "movie", "c", None),
                ("bob", "movie", "b", Some(5)),
            ]
        );
        assert_eq!(batch.users(), ["ann", "bob"]);
        assert!(batch.records().is_sorted());
    }
}
