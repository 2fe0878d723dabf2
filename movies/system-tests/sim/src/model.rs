//! What the system must remember: a shadow of the ratings, kept by what users were told.

use parking_lot::Mutex;
use std::collections::BTreeMap;
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

/// The shadow. Clones share it. A user changes one rating at a time.
#[derive(Clone, Debug, Default)]
pub struct Model(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// By film and user.
    ratings: BTreeMap<(String, String), Known>,
    /// How many acknowledged changes each film saw.
    changes: BTreeMap<String, u32>,
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

    /// All that is known, by film and user.
    #[must_use]
    pub fn ratings(&self) -> BTreeMap<(String, String), Known> {
        self.0.lock().ratings.clone()
    }

    /// How many changes of a film were acknowledged, and how many more there may be.
    #[must_use]
    pub fn changes(&self, film: &str) -> (u32, u32) {
        let inner = self.0.lock();
        let settled = inner.changes.get(film).copied().unwrap_or_default();
        let of_film = inner.ratings.iter().filter(|((of, _), _)| of == film);
        (
            settled,
            settled + of_film.filter(|(_, known)| known.pending.is_some()).count() as u32,
        )
    }

    /// A film's numbers by what is settled.
    #[must_use]
    pub fn sums(&self, film: &str) -> Sums {
        let inner = self.0.lock();
        Sums::of(
            inner
                .ratings
                .iter()
                .filter(|((of, _), _)| of == film)
                .filter_map(|(_, known)| known.settled),
        )
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
