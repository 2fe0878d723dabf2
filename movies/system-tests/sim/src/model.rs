//! What the system must remember: a shadow of the ratings, kept by what users were told.

mod published;

pub use published::Published;

use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A change of one user's rating of one film.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// So many half stars.
    Put(u8),
    /// Taken back.
    Delete,
}

/// What is known of one user's rating of one film.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// After the last acknowledged change.
    pub settled: Option<u8>,
    /// A change that was asked for and not yet acknowledged: it may have happened.
    pub pending: Option<Change>,
}

/// One film's numbers, as far as they are certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many ratings.
    pub count: u32,
    /// Their sum in half stars.
    pub sum: u64,
    /// How many of 1, 2, ... 10 half stars.
    pub histogram: [u32; 10],
}

/// A film and a user.
pub type Key = (String, String);

/// The shadow. Clones share it. A user changes one rating at a time, and either asks the service
/// or has a provider publish, never both.
#[derive(Clone, Debug, Default)]
pub struct Model(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// Of users who ask the service.
    ratings: BTreeMap<Key, Known>,
    /// How many acknowledged changes each film saw.
    changes: BTreeMap<String, u32>,
    /// Of users whose provider publishes.
    published: BTreeMap<Key, Published>,
    /// How many events were published, whatever they say.
    events: u64,
    /// The ids of those that say nothing that can be done.
    senseless: BTreeSet<String>,
}

impl Change {
    fn after(self) -> Option<u8> {
        match self {
            Change::Put(half_stars) => Some(half_stars),
            Change::Delete => None,
        }
    }
}

impl Known {
    /// Whether the system may hold this.
    #[must_use]
    pub fn allows(&self, held: Option<u8>) -> bool {
        held == self.settled || self.pending.is_some_and(|change| held == change.after())
    }
}

impl Sums {
    /// Of these ratings in half stars.
    pub fn of(ratings: impl IntoIterator<Item = u8>) -> Self {
        let mut sums = Sums::default();
        for half_stars in ratings {
            sums.count += 1;
            sums.sum += u64::from(half_stars);
            if let Some(cell) = sums
                .histogram
                .get_mut(usize::from(half_stars).wrapping_sub(1))
            {
                *cell += 1;
            }
        }
        sums
    }
}

impl Model {
    /// Nobody has rated anything.
    #[must_use]
    pub fn new() -> Self {
        Model::default()
    }

    /// A user asks for a change. What was settled before.
    pub fn ask(&self, film: &str, user: &str, change: Change) -> Option<u8> {
        let mut inner = self.0.lock();
        let known = inner
            .ratings
            .entry((film.to_owned(), user.to_owned()))
            .or_default();
        known.pending = Some(change);
        known.settled
    }

    /// The change asked for was acknowledged.
    pub fn acknowledge(&self, film: &str, user: &str) {
        let mut inner = self.0.lock();
        let known = inner
            .ratings
            .entry((film.to_owned(), user.to_owned()))
            .or_default();
        let Some(change) = known.pending.take() else {
            return;
        };
        let differs = known.settled != change.after();
        known.settled = change.after();
        if differs {
            *inner.changes.entry(film.to_owned()).or_default() += 1;
        }
    }

    /// A change of a user's rating is about to be published.
    pub fn submit(&self, film: &str, user: &str, change: Change) {
        let mut inner = self.0.lock();
        let key = (film.to_owned(), user.to_owned());
        inner.published.entry(key).or_default().submit(change);
        inner.events += 1;
    }

    /// Everything submitted for a user is published.
    pub fn publish(&self, film: &str, user: &str) {
        let mut inner = self.0.lock();
        let key = (film.to_owned(), user.to_owned());
        inner.published.entry(key).or_default().acknowledge();
    }

    /// An event that says nothing that can be done is about to be published under this id.
    pub fn submit_senseless(&self, id: &str) {
        let mut inner = self.0.lock();
        inner.senseless.insert(id.to_owned());
        inner.events += 1;
    }

    /// How many events are about to be published or are.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.0.lock().events
    }

    /// The ids of events that say nothing that can be done.
    #[must_use]
    pub fn senseless(&self) -> BTreeSet<String> {
        self.0.lock().senseless.clone()
    }

    /// The system holds this of a published rating: whether it may.
    #[must_use]
    pub fn see(&self, film: &str, user: &str, held: Option<u8>) -> bool {
        let mut inner = self.0.lock();
        let key = (film.to_owned(), user.to_owned());
        inner
            .published
            .get_mut(&key)
            .map_or(held.is_none(), |published| published.see(held))
    }

    /// What was published, by film and user.
    #[must_use]
    pub fn published(&self) -> BTreeMap<Key, Published> {
        self.0.lock().published.clone()
    }

    /// All that is known of users who ask the service, by film and user.
    #[must_use]
    pub fn ratings(&self) -> BTreeMap<Key, Known> {
        self.0.lock().ratings.clone()
    }

    /// What is held in the end, of every user.
    #[must_use]
    pub fn final_ratings(&self) -> BTreeMap<Key, Option<u8>> {
        let inner = self.0.lock();
        let asked = inner.ratings.iter();
        let asked = asked.map(|(key, known)| (key.clone(), known.settled));
        let published = inner.published.iter();
        let published = published.map(|(key, published)| (key.clone(), published.last()));
        asked.chain(published).collect()
    }

    /// How many changes of a film were acknowledged to those who asked, and how many there are at
    /// most.
    #[must_use]
    pub fn changes(&self, film: &str) -> (u32, u32) {
        let inner = self.0.lock();
        let settled = inner.changes.get(film).copied().unwrap_or_default();
        let of_film = inner.ratings.iter().filter(|((of, _), _)| of == film);
        let pending = of_film.filter(|(_, known)| known.pending.is_some()).count() as u32;
        // Several that were published may be one change, or none.
        let published = inner.published.iter().filter(|((of, _), _)| of == film);
        let published: usize = published.map(|(_, published)| published.count()).sum();
        (settled, settled + pending + published as u32)
    }

    /// A film's numbers in the end.
    #[must_use]
    pub fn sums(&self, film: &str) -> Sums {
        let ratings = self.final_ratings().into_iter();
        let of_film = ratings.filter(|((of, _), _)| of == film);
        Sums::of(of_film.filter_map(|(_, held)| held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_not_yet_acknowledged_may_have_happened_or_not() {
        let model = Model::new();
        model.ask("heat", "ann", Change::Put(7));
        model.acknowledge("heat", "ann");
        assert_eq!(model.ask("heat", "ann", Change::Delete), Some(7));
        let known = model.ratings()[&("heat".to_owned(), "ann".to_owned())];
        assert!(known.allows(Some(7)) && known.allows(None) && !known.allows(Some(6)));
        assert_eq!(model.changes("heat"), (1, 2));
    }

    #[test]
    fn the_same_rating_again_changes_nothing() {
        let model = Model::new();
        for _ in 0..2 {
            model.ask("heat", "ann", Change::Put(7));
            model.acknowledge("heat", "ann");
        }
        assert_eq!(model.changes("heat"), (1, 1));
        assert_eq!(model.sums("heat"), Sums::of([7]));
    }
}
