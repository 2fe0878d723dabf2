//! What is known of all films as far as charts need it, kept from the changes of two services.
//!
//! Changes may come twice and late: the newest of each part wins, so that the order and number in
//! which they come does not matter.

use movies_api::{AggregateChange, MetadataChange};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most genres that are told apart. More are no sorting any more; films keep the first ones.
const MAX_GENRES: usize = 1000;

/// All films.
#[derive(Debug, Default)]
pub(crate) struct Projection {
    films: BTreeMap<Arc<str>, Film>,
    genres: Genres,
}

/// What a film is sorted and ranked by.
#[derive(Debug, Default)]
pub(super) struct Film {
    /// Absent while nobody knows the film, for all its ratings.
    pub(super) sorted: Option<Sorted>,
    pub(super) rated: Rated,
}

#[derive(Debug)]
pub(super) struct Sorted {
    changed_at: i64,
    /// Counted in tens from the year 0; absent when the year is unknown.
    pub(super) decade: Option<u8>,
    pub(super) genres: Arc<[u16]>,
}

/// All zero without ratings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rated {
    pub(crate) count: u32,
    pub(crate) version: u32,
    /// In half stars.
    pub(crate) sum: u64,
}

impl Rated {
    /// In stars; to be asked of rated films.
    pub(crate) fn mean(&self) -> f64 {
        self.sum as f64 / f64::from(self.count) / 2.0
    }
}

/// Names of genres by number, and sets of numbers: most films share theirs with many others.
#[derive(Debug, Default)]
struct Genres {
    numbers: BTreeMap<String, u16>,
    sets: BTreeSet<Arc<[u16]>>,
}

impl Projection {
    /// Takes over what a film is sorted by; whether that changed anything.
    pub(crate) fn sort(&mut self, change: &MetadataChange) -> bool {
        let film = film(&mut self.films, &change.movie_id);
        let known = film.sorted.as_ref();
        if known.is_some_and(|sorted| sorted.changed_at > change.changed_at) {
            return false;
        }
        let decade = u8::try_from(change.year / 10)
            .ok()
            .filter(|_| change.year > 0);
        let genres = self.genres.set(&change.genres);
        let same = known.is_some_and(|sorted| sorted.decade == decade && sorted.genres == genres);
        film.sorted = Some(Sorted {
            changed_at: change.changed_at,
            decade,
            genres,
        });
        !same
    }

    /// Takes over what a film's ratings come to; whether that changed anything.
    pub(crate) fn rate(&mut self, change: &AggregateChange) -> bool {
        let film = film(&mut self.films, &change.record_id);
        if film.rated.version >= change.version {
            return false;
        }
        film.rated = Rated {
            count: change.count,
            version: change.version,
            sum: u64::try_from(change.sum).unwrap_or(0),
        };
        true
    }

    /// All films in order of id.
    pub(super) fn films(&self) -> impl Iterator<Item = (&Arc<str>, &Film)> {
        self.films.iter()
    }

    /// The numbers of genres by name, in lower case.
    pub(super) fn genres(&self) -> &BTreeMap<String, u16> {
        &self.genres.numbers
    }
}

fn film<'a>(films: &'a mut BTreeMap<Arc<str>, Film>, id: &str) -> &'a mut Film {
    if !films.contains_key(id) {
        films.insert(Arc::from(id), Film::default());
    }
    films.entry(Arc::from(id)).or_default()
}

impl Genres {
    fn set(&mut self, names: &[String]) -> Arc<[u16]> {
        let numbers: BTreeSet<u16> = names.iter().filter_map(|name| self.number(name)).collect();
        let numbers: Arc<[u16]> = numbers.into_iter().collect();
        if let Some(known) = self.sets.get(&numbers) {
            return Arc::clone(known);
        }
        self.sets.insert(Arc::clone(&numbers));
        numbers
    }

    fn number(&mut self, name: &str) -> Option<u16> {
        let name = fold(name);
        if let Some(number) = self.numbers.get(&name) {
            return Some(*number);
        }
        let number = self.numbers.len();
        if number >= MAX_GENRES {
            tracing::debug!(genre = name, "one genre too many for the charts");
            return None;
        }
        let number = u16::try_from(number).ok()?;
        self.numbers.insert(name, number);
        Some(number)
    }
}

/// A genre whatever its case.
pub(super) fn fold(genre: &str) -> String {
    genre.trim().to_lowercase()
}
