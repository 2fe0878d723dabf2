//! What is sent at once.

use crate::problem::Problem;
use crate::tally::Tally;
use movies_api::metadata::v1::Metadata;
use movies_api::{OutsideEntry, RatingEntry};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The most films in one call.
const FILMS: usize = 500;
/// The most ratings in one call.
const RATINGS: usize = 5_000;
/// The most bytes of films in one call: a message has at most four times as many.
const BYTES: usize = 1024 * 1024;
/// The most problems kept before they are told.
const PROBLEMS: usize = 1_000;

/// A place to read on from, in the passes over the files of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Which pass, from 0.
    pub(crate) pass: usize,
    /// Bytes of text before the place.
    pub(crate) offset: u64,
    /// Lines before it.
    pub(crate) lines: u64,
}

/// One rating taken out of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rated {
    /// What was rated; films unless it says otherwise.
    pub(crate) record_type: String,
    pub(crate) entry: RatingEntry,
    /// Whether it is taken back.
    pub(crate) deleted: bool,
}

/// What is sent at once, and where it ends in the file.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) films: Vec<Metadata>,
    pub(crate) ratings: Vec<Rated>,
    pub(crate) outside: Vec<OutsideEntry>,
    /// Whether averages go in only of films that the catalogue has.
    pub(crate) known_only: bool,
    pub(crate) problems: Vec<Problem>,
    /// What is known without asking anybody.
    pub(crate) tally: Tally,
    pub(crate) start: Mark,
    pub(crate) end: Mark,
    /// Whether one may read on from its end after a restart.
    pub(crate) resumable: bool,
    /// The file it comes from.
    pub(crate) file: String,
    /// Bytes of all passes read so far, for the progress.
    pub(crate) read: u64,
    /// Bytes of the films' texts.
    pub(crate) bytes: usize,
}

impl Batch {
    pub(crate) fn film(&mut self, film: Metadata) {
        let texts = [&film.title, &film.description, &film.director];
        let lists = film.cast.iter().chain(&film.genres);
        self.bytes += texts
            .into_iter()
            .chain(lists)
            .map(String::len)
            .sum::<usize>();
        self.films.push(film);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.films.len() >= FILMS
            || self.bytes >= BYTES
            || self.ratings.len() >= RATINGS
            || self.outside.len() >= RATINGS
            || self.problems.len() >= PROBLEMS
    }

    /// Whether there is something to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.films.is_empty() && self.ratings.is_empty() && self.outside.is_empty()
    }

    /// Leaves of rows with the same key only the last, and gives the sorted hashes of all keys: two
    /// batches that share one must not be under way at the same time.
    pub(crate) fn settle(&mut self) -> Vec<u64> {
        let films = distinct(
            &mut self.films,
            |film| hash(0, &[&film.id]),
            |one, other| one.id == other.id,
        );
        let ratings = distinct(
            &mut self.ratings,
            |rated| {
                let entry = &rated.entry;
                hash(1, &[&rated.record_type, &entry.record_id, &entry.user_id])
            },
            |one, other| {
                one.record_type == other.record_type
                    && one.entry.record_id == other.entry.record_id
                    && one.entry.user_id == other.entry.user_id
            },
        );
        let outside = distinct(
            &mut self.outside,
            |entry| hash(2, &[&entry.record_id]),
            |one, other| one.record_id == other.record_id,
        );
        self.tally.repeated += films.1 + ratings.1 + outside.1;
        // A batch holds one kind; merging keeps the order if it ever holds more.
        let mut keys = films.0;
        keys.extend(ratings.0);
        keys.extend(outside.0);
        keys.sort_unstable();
        keys
    }
}

fn hash(kind: u64, parts: &[&str]) -> u64 {
    parts.iter().fold(kind, |seed, part| {
        xxh3_64_with_seed(part.as_bytes(), seed.wrapping_add(part.len() as u64))
    })
}

/// Keeps the last of those that are the same; the sorted hashes, and how many went.
fn distinct<T>(
    items: &mut Vec<T>,
    key: impl Fn(&T) -> u64,
    same: impl Fn(&T, &T) -> bool,
) -> (Vec<u64>, u64) {
    let mut order: Vec<(u64, usize)> = items.iter().map(key).zip(0..).collect();
    order.sort_unstable();
    let mut gone = vec![];
    for (at, (hash, index)) in order.iter().enumerate() {
        // Of equal hashes almost always none or one: the walk is short.
        let later = order[at + 1..]
            .iter()
            .take_while(|(other, _)| other == hash);
        if later
            .into_iter()
            .any(|(_, other)| same(&items[*index], &items[*other]))
        {
            gone.push(*index);
        }
    }
    if !gone.is_empty() {
        gone.sort_unstable();
        let (mut gone, mut index) = (gone.iter().peekable(), 0);
        items.retain(|_| {
            let goes = gone.next_if_eq(&&index).is_some();
            index += 1;
            !goes
        });
    }
    let count = gone.len() as u64;
    let mut keys: Vec<u64> = order.into_iter().map(|(hash, _)| hash).collect();
    keys.dedup();
    (keys, count)
}

/// Whether two sorted lists share something.
pub(crate) fn share(one: &[u64], other: &[u64]) -> bool {
    let (mut left, mut right) = (one.iter().peekable(), other.iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        match a.cmp(b) {
            std::cmp::Ordering::Less => drop(left.next()),
            std::cmp::Ordering::Greater => drop(right.next()),
            std::cmp::Ordering::Equal => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn rated(user: u8, record: u8, half_stars: i32) -> Rated {
        Rated {
            record_type: "movie".into(),
            entry: RatingEntry {
                record_id: record.to_string(),
                user_id: user.to_string(),
                half_stars,
                rated_at: 0,
            },
            deleted: false,
        }
    }

    proptest! {
        #[test]
        fn of_the_same_key_the_last_row_is_left(rows in proptest::collection::vec((0u8..5, 0u8..5, 1..=10i32), 0..60)) {
            let ratings = rows.iter().map(|(user, record, value)| rated(*user, *record, *value)).collect();
            let mut batch = Batch { ratings, ..Batch::default() };
            let last: BTreeMap<_, _> = rows.iter().map(|(user, record, value)| ((user.to_string(), record.to_string()), *value)).collect();
            let keys = batch.settle();
            let left: BTreeMap<_, _> = batch.ratings.iter().map(|rated| ((rated.entry.user_id.clone(), rated.entry.record_id.clone()), rated.entry.half_stars)).collect();
            prop_assert_eq!(batch.ratings.len(), last.len());
            prop_assert_eq!(left, last);
            prop_assert_eq!(keys.len(), batch.ratings.len());
            prop_assert_eq!(batch.tally.repeated as usize, rows.len() - keys.len());
            prop_assert!(keys.is_sorted());
        }

        #[test]
        fn sharing_is_what_it_is_of_sets(one in proptest::collection::btree_set(0u64..40, 0..12), other in proptest::collection::btree_set(0u64..40, 0..12)) {
            let list = |set: &std::collections::BTreeSet<u64>| set.iter().copied().collect::<Vec<_>>();
            prop_assert_eq!(share(&list(&one), &list(&other)), !one.is_disjoint(&other));
        }
    }

    #[test]
    fn films_end_a_batch_by_their_size_too() {
        let mut batch = Batch::default();
        let long = Metadata {
            description: "x".repeat(10_000),
            ..Metadata::default()
        };
        while !batch.is_full() {
            batch.film(long.clone());
        }
        assert!(batch.films.len() < 200, "{}", batch.films.len());
    }
}
