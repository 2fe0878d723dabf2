//! Whether the promises are kept: looks into the database, past all services.

use crate::model::{Model, Sums};
use backlot::storage::{Row, StoreError};
use backlot_sim::{Database, Trace};
use std::collections::BTreeMap;

const RATINGS: &str = "SELECT record_id, user_id, half_stars FROM ratings
     JOIN users ON users.number = ratings.user_number
     JOIN aggregates ON aggregates.number = ratings.record_number
     WHERE record_type = 'movie' ORDER BY record_id, user_id";
const AGGREGATES: &str =
    "SELECT record_id, version, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10
     FROM aggregates WHERE record_type = 'movie' ORDER BY record_id";

/// What the database holds.
#[derive(Debug, Default)]
struct Held {
    /// By film and user.
    ratings: BTreeMap<(String, String), u8>,
    /// By film, with the version.
    aggregates: BTreeMap<String, (u32, Sums)>,
}

/// Knows what was promised and sees what is there.
#[derive(Clone, Debug)]
pub struct Oracle {
    model: Model,
    database: Database,
}

impl Oracle {
    /// An oracle over this database.
    #[must_use]
    pub fn new(model: Model, database: Database) -> Self {
        Oracle { model, database }
    }

    /// Looks while users are at work: what was asked for and not acknowledged may be there or not.
    pub fn look(&self, trace: &Trace) {
        // Before the rating service has made its tables there is nothing to see.
        if let Ok(Some(held)) = self.held() {
            self.judge(&held, trace);
        }
    }

    /// Looks when all is done: nothing is uncertain any more. Answers whether it could look: not
    /// while a transaction is open.
    #[must_use]
    pub fn look_at_end(&self, trace: &Trace) -> bool {
        match self.held() {
            Ok(Some(held)) => {
                self.judge(&held, trace);
                self.judge_end(&held, trace);
                true
            }
            Ok(None) => false,
            Err(error) => {
                trace.violation("oracle", format!("the database cannot be read: {error}"));
                true
            }
        }
    }

    fn judge_end(&self, held: &Held, trace: &Trace) {
        for ((film, user), known) in self.model.ratings() {
            if known.pending.is_some() {
                trace.violation(
                    "oracle",
                    format!("{user}'s rating of {film} was never acknowledged"),
                );
            }
        }
        for (key, published) in self.model.published() {
            let (film, user) = &key;
            if !published.is_acknowledged() {
                let text = format!("{user}'s rating of {film} was never known to be published");
                trace.violation("oracle", text);
            }
            let found = held.ratings.get(&key).copied();
            if found != published.last() {
                let (found, last) = (stars(found), stars(published.last()));
                let text =
                    format!("{user}'s rating of {film} is {found}, and {last} was published last");
                trace.violation("oracle", text);
            }
        }
    }

    fn judge(&self, held: &Held, trace: &Trace) {
        let known = self.model.ratings();
        for ((film, user), known) in &known {
            let found = held.ratings.get(&(film.clone(), user.clone())).copied();
            if !known.allows(found) {
                let text = format!(
                    "{user}'s rating of {film} is {} and should be {}{}",
                    stars(found),
                    stars(known.settled),
                    if known.pending.is_some() {
                        ", or what was asked for since"
                    } else {
                        ""
                    }
                );
                trace.violation("oracle", text);
            }
        }
        let published = self.model.published();
        for (film, user) in published.keys() {
            let found = held.ratings.get(&(film.clone(), user.clone())).copied();
            if !self.model.see(film, user, found) {
                let text = format!(
                    "{user}'s published rating of {film} is {}, which was over before or never said",
                    stars(found)
                );
                trace.violation("oracle", text);
            }
        }
        for (film, user) in held
            .ratings
            .keys()
            .filter(|rating| !known.contains_key(*rating) && !published.contains_key(*rating))
        {
            trace.violation("oracle", format!("{user} rated {film} without knowing"));
        }
        for (film, (version, aggregate)) in &held.aggregates {
            let ratings = held
                .ratings
                .iter()
                .filter(|((of, _), _)| of == film)
                .map(|(_, half_stars)| *half_stars);
            let right = Sums::of(ratings);
            if *aggregate != right {
                trace.violation(
                    "oracle",
                    format!("the aggregate of {film} is {aggregate:?}, its ratings are {right:?}"),
                );
            }
            let (least, most) = self.model.changes(film);
            if *version < least || *version > most {
                let text = format!(
                    "{film} was changed {version} times; users changed it {least} to {most} times"
                );
                trace.violation("oracle", text);
            }
        }
        for (film, _) in held
            .ratings
            .keys()
            .filter(|(film, _)| !held.aggregates.contains_key(film))
        {
            trace.violation("oracle", format!("{film} has ratings and no aggregate"));
        }
    }

    /// What is committed now; nothing while a transaction is open.
    fn held(&self) -> Result<Option<Held>, StoreError> {
        let Some(ratings) = self.database.committed("rating", RATINGS, &[])? else {
            return Ok(None);
        };
        let Some(aggregates) = self.database.committed("rating", AGGREGATES, &[])? else {
            return Ok(None);
        };
        let mut held = Held::default();
        for row in &ratings {
            held.ratings
                .insert((row.get(0)?, row.get(1)?), row.get::<u32>(2)? as u8);
        }
        for row in &aggregates {
            held.aggregates
                .insert(row.get(0)?, (row.get(1)?, sums(row)?));
        }
        Ok(Some(held))
    }
}

fn sums(row: &Row) -> Result<Sums, StoreError> {
    let mut sums = Sums {
        count: row.get(2)?,
        sum: row.get(3)?,
        histogram: [0; 10],
    };
    for (cell, column) in sums.histogram.iter_mut().zip(4..) {
        *cell = row.get(column)?;
    }
    Ok(sums)
}

fn stars(half_stars: Option<u8>) -> String {
    half_stars.map_or_else(
        || "none".to_owned(),
        |half_stars| format!("{half_stars} half stars"),
    )
}
