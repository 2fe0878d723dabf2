//! The first films of a set, in the order of the catalogue.
//!
//! Two ways lead there: to look up where each film of the set stands and sort, which costs as much
//! as the set is large; or to walk along the shelves of the catalogue until enough of the set were
//! met, which costs the less the larger the set is, and to look up those alone. The cheaper one is
//! taken. With a hundred thousand films, it looks up two hundred and fifty places for a page of
//! fifty, or reads some seventy shelves of a set that is spread over the catalogue; all shelves, three
//! hundred small rows, of a set that stands at its end.

use crate::page::Place;
use crate::repository::{Films, Stride};
use crate::set::Set;
use backlot::storage::{In, StoreError};

/// To meet a film on a shelf costs about this part of looking it up.
const WALK: usize = 128;

/// Which films are asked for.
pub(crate) struct Asked<'a> {
    /// Those of this set; `None` stands for all.
    pub(crate) of: Option<&'a Set>,
    /// Those whose sort key begins so.
    pub(crate) beginning: &'a str,
    /// Those whose sort key does not begin so.
    pub(crate) but_not: Option<&'a str>,
    /// Those behind this sort key and id.
    pub(crate) after: Option<(&'a str, &'a str)>,
    pub(crate) at_most: usize,
}

impl Asked<'_> {
    /// The places asked for, in order.
    pub(crate) async fn places(&self, films: &mut Films<'_>) -> Result<Vec<Place>, StoreError> {
        let Some(set) = self.of else {
            let end = self.end();
            return films
                .places_after(self.start(), end.as_deref(), self.at_most as i64)
                .await;
        };
        let (found, all) = (set.count(), films.count().await? as usize);
        // A walk meets one of the set in all / found films.
        let walked = self.at_most * all / found.max(1);
        if found <= self.at_most + walked / WALK {
            self.look_up(films, set).await
        } else {
            self.walk(films, set, walked).await
        }
    }

    /// What the films asked for stand behind.
    fn start(&self) -> (&str, &str) {
        self.after.unwrap_or((self.beginning, ""))
    }

    /// What their sort keys are less than.
    fn end(&self) -> Option<String> {
        (!self.beginning.is_empty()).then(|| end_of(self.beginning))
    }

    async fn look_up(&self, films: &mut Films<'_>, set: &Set) -> Result<Vec<Place>, StoreError> {
        let numbers: Vec<u32> = set.numbers().collect();
        let mut places = films.places(&numbers).await?;
        places.retain(|place| {
            let behind = (&*place.sort_key, &*place.id) > self.start();
            behind && place.sort_key.starts_with(self.beginning) && !self.leaves_out(place)
        });
        places.sort_unstable();
        places.truncate(self.at_most);
        Ok(places)
    }

    async fn walk(
        &self,
        films: &mut Films<'_>,
        set: &Set,
        expected: usize,
    ) -> Result<Vec<Place>, StoreError> {
        let mut walk = Walk {
            asked: self,
            end: self.end(),
            found: Vec::new(),
        };
        // Where titles begin alike, nearly all are of the set.
        let expected = match self.beginning {
            "" => expected,
            _ => self.at_most,
        };
        let (key, id) = self.start();
        let mut start = (key.to_owned(), id.to_owned());
        while let Next::From(key) = walk.from(films, set, &start, expected).await? {
            start = (key, String::new());
        }
        Ok(walk.found)
    }

    fn leaves_out(&self, place: &Place) -> bool {
        let but_not = self.but_not;
        but_not.is_some_and(|beginning| place.sort_key.starts_with(beginning))
    }
}

/// What is less than this, and not less than `beginning`, begins so: no sort key holds the greatest
/// character.
fn end_of(beginning: &str) -> String {
    format!("{beginning}\u{10ffff}")
}

/// A walk under way.
struct Walk<'a> {
    asked: &'a Asked<'a>,
    end: Option<String>,
    found: Vec<Place>,
}

/// How a walk goes on.
enum Next {
    /// On the next shelf.
    On,
    /// At this sort key: what stands before it is not asked for.
    From(String),
    /// Not at all.
    End,
}

impl Walk<'_> {
    /// Walks from behind a place to a place from which to go on, or to the end.
    async fn from(
        &mut self,
        films: &mut Films<'_>,
        set: &Set,
        (key, id): &(String, String),
        expected: usize,
    ) -> Result<Next, StoreError> {
        let mut stride = Stride::past(expected);
        let mut shelves = vec![films.shelf_at((key, id)).await?];
        while let Some(last) = shelves.last() {
            let at = (last.sort_key.clone(), last.id.clone());
            shelves.retain(|shelf| self.end.as_ref().is_none_or(|end| shelf.sort_key < *end));
            let met: Vec<u32> = shelves
                .iter()
                .flat_map(|shelf| &shelf.numbers)
                .copied()
                .filter(|number| set.contains(*number))
                .collect();
            // No more are looked up at a time than one statement takes: most are not needed.
            for met in met.chunks(In::SIZE) {
                let mut places = films.places(met).await?;
                places.sort_unstable();
                places.retain(|place| (&*place.sort_key, &*place.id) > (&**key, &**id));
                match self.take(places) {
                    Next::On => {}
                    next => return Ok(next),
                }
            }
            if self.end.as_ref().is_some_and(|end| at.0 >= *end) {
                break;
            }
            shelves = films.shelves_after((&at.0, &at.1), stride).await?;
            stride = Stride::Many;
        }
        Ok(Next::End)
    }

    fn take(&mut self, places: Vec<Place>) -> Next {
        for place in places {
            if self.end.as_ref().is_some_and(|end| place.sort_key >= *end) {
                return Next::End;
            }
            if let Some(but_not) = self.asked.but_not.filter(|_| self.asked.leaves_out(&place)) {
                return Next::From(end_of(but_not));
            }
            self.found.push(place);
            if self.found.len() == self.asked.at_most {
                return Next::End;
            }
        }
        Next::On
    }
}
