//! Charts as they are drawn: the best films of all, of each genre, each decade, and each genre in
//! each decade, in one pass over the ranking.

use super::projection::{Film, Projection, Rated, fold};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long a chart is: as many films as a request may ask for.
pub(crate) const LENGTH: usize = 200;

/// All charts of one moment.
#[derive(Debug)]
pub(crate) struct Drawn {
    /// The mean of all ratings of films, in stars; 0 without ratings.
    pub(crate) mean: f64,
    /// So many ratings weigh as much as that mean.
    pub(crate) weight: f64,
    genres: BTreeMap<String, u16>,
    /// Of all genres first, then of each by its number; in each, of all years first, then of each
    /// decade by its number. Lists end where there is nothing more.
    lists: Vec<Vec<Vec<Entry>>>,
}

/// A film in a chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: Arc<str>,
    /// In stars.
    pub(crate) score: f64,
    pub(crate) rated: Rated,
}

/// Which chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Of this genre, whatever its case.
    pub(crate) genre: Option<String>,
    /// Of this decade, by its first year.
    pub(crate) decade: Option<i32>,
}

impl Drawn {
    /// Draws all charts.
    pub(crate) fn of(projection: &Projection, weight: f64) -> Self {
        let rated = || projection.films().filter(|(_, film)| is_charted(film));
        let (count, sum) = rated().fold((0_u64, 0_u64), |(count, sum), (_, film)| {
            (count + u64::from(film.rated.count), sum + film.rated.sum)
        });
        let mean = if count == 0 {
            0.0
        } else {
            sum as f64 / count as f64 / 2.0
        };
        let mut ranking: Vec<Ranked<'_>> = rated()
            .map(|(id, film)| Ranked {
                score: score(&film.rated, mean, weight),
                id,
                film,
            })
            .collect();
        ranking.sort_unstable_by(Ranked::order);
        let mut drawn = Drawn {
            mean,
            weight,
            genres: projection.genres().clone(),
            lists: Vec::new(),
        };
        for ranked in &ranking {
            drawn.add(ranked);
        }
        drawn
    }

    /// A chart, the best first; empty when no rated film is in it.
    pub(crate) fn chart(&self, selection: &Selection) -> &[Entry] {
        let genre = match &selection.genre {
            None => Some(0),
            Some(genre) => self.genres.get(&fold(genre)).map(|number| place(*number)),
        };
        let decade = match selection.decade {
            None => Some(0),
            Some(year) => usize::try_from(year / 10).ok().map(|decade| decade + 1),
        };
        let list = genre
            .zip(decade)
            .and_then(|(genre, decade)| self.lists.get(genre)?.get(decade));
        list.map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, ranked: &Ranked<'_>) {
        let Some(sorted) = &ranked.film.sorted else {
            return;
        };
        let decade = sorted.decade.map(place);
        let genres = sorted.genres.iter().map(|number| place(*number));
        for genre in std::iter::once(0).chain(genres) {
            let of_genre = reach(&mut self.lists, genre);
            for decade in std::iter::once(0).chain(decade) {
                let list = reach(of_genre, decade);
                if list.len() < LENGTH {
                    list.push(ranked.entry());
                }
            }
        }
    }
}

/// The place of a number behind the one for all.
fn place(number: impl Into<usize>) -> usize {
    number.into() + 1
}

fn reach<T: Default>(all: &mut Vec<T>, place: usize) -> &mut T {
    if all.len() <= place {
        all.resize_with(place + 1, T::default);
    }
    &mut all[place]
}

fn is_charted(film: &Film) -> bool {
    film.sorted.is_some() && film.rated.count > 0
}

/// The Bayesian average in stars.
fn score(rated: &Rated, mean: f64, weight: f64) -> f64 {
    let count = f64::from(rated.count);
    (count * rated.mean() + weight * mean) / (count + weight)
}

struct Ranked<'a> {
    score: f64,
    id: &'a Arc<str>,
    film: &'a Film,
}

impl Ranked<'_> {
    /// The better one first; of equals the one more have rated, then the smaller id.
    fn order(&self, other: &Self) -> Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then_with(|| other.film.rated.count.cmp(&self.film.rated.count))
            .then_with(|| self.id.cmp(other.id))
    }

    fn entry(&self) -> Entry {
        Entry {
            id: Arc::clone(self.id),
            score: self.score,
            rated: self.film.rated,
        }
    }
}
