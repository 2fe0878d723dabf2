//! The first films of a set, in the order of the catalogue.
//!
//! Two ways lead there: to look up where each film of the set stands and sort, which costs as much
//! as the set is large; or to walk through the catalogue in order until enough of the set were
//! met, which costs the less the larger the set is. The cheaper one is taken. At its worst, with a
//! hundred thousand films, it reads about two thousand places for a page of fifty.

use crate::page::Place;
use crate::repository::Films;
use crate::set::Set;
use backlot::storage::StoreError;

/// How many places are read at a time on a walk, at least and at most.
const STRIDE: (usize, usize) = (64, 4096);
/// A place met on a walk costs about this part of one that is looked up.
const WALK: usize = 2;

/// Which films are asked for.
pub(crate) struct Asked<'a> {
    /// Those of this set; `None` stands for all.
    pub(crate) of: Option<&'a Set>,
    /// Those whose sort key begins so.
    pub(crate) beginning: &'a str,
    /// Those behind this sort key and id.
    pub(crate) after: Option<(&'a str, &'a str)>,
    pub(crate) at_most: usize,
}

impl Asked<'_> {
    /// The places asked for, in order, but for those that `leave_out` names.
    pub(crate) async fn places(
        &self,
        films: &mut Films<'_>,
        leave_out: impl Fn(&Place) -> bool,
    ) -> Result<Vec<Place>, StoreError> {
        let Some(set) = self.of else {
            return self.walk(films, self.at_most, leave_out).await;
        };
        let (found, all) = (set.count(), films.count().await? as usize);
        // A walk meets one of the set in all / found places; and nearly nothing else where titles
        // begin alike, for there the walk is short.
        let walked = self.at_most * all / found.max(1);
        if found <= walked / WALK {
            self.look_up(films, set, leave_out).await
        } else {
            let expected = match self.beginning {
                "" => walked + walked / 4,
                _ => self.at_most,
            };
            self.walk(films, expected, leave_out).await
        }
    }

    async fn look_up(
        &self,
        films: &mut Films<'_>,
        set: &Set,
        leave_out: impl Fn(&Place) -> bool,
    ) -> Result<Vec<Place>, StoreError> {
        let mut places = films.places(set).await?;
        places.retain(|place| {
            let behind = self
                .after
                .is_none_or(|after| (&*place.sort_key, &*place.id) > after);
            behind && place.sort_key.starts_with(self.beginning) && !leave_out(place)
        });
        places.sort_unstable();
        places.truncate(self.at_most);
        Ok(places)
    }

    async fn walk(
        &self,
        films: &mut Films<'_>,
        expected: usize,
        leave_out: impl Fn(&Place) -> bool,
    ) -> Result<Vec<Place>, StoreError> {
        // No sort key holds the greatest character.
        let below = (!self.beginning.is_empty()).then(|| format!("{}\u{10ffff}", self.beginning));
        let start = self.after.unwrap_or((self.beginning, ""));
        let mut at = (start.0.to_owned(), start.1.to_owned());
        let mut found: Vec<Place> = Vec::new();
        let mut stride = expected.clamp(STRIDE.0, STRIDE.1);
        loop {
            let here = (at.0.as_str(), at.1.as_str());
            let places = films
                .places_after(here, below.as_deref(), stride as i64)
                .await?;
            let end = places.len() < stride;
            if let Some(last) = places.last() {
                at = (last.sort_key.clone(), last.id.clone());
            }
            for place in places {
                let asked = self.of.is_none_or(|set| set.contains(place.number));
                if asked && !leave_out(&place) {
                    found.push(place);
                    if found.len() == self.at_most {
                        return Ok(found);
                    }
                }
            }
            if end {
                return Ok(found);
            }
            stride = (stride * 2).min(STRIDE.1);
        }
    }
}
