//! Search as people type: which films match, and in which order.
//!
//! Every word of the query has to be in the film, whole or as a beginning: in its title, its
//! people, its genres or its year. The order is that of these [parts](Ranked), each in the order
//! of the catalogue:
//!
//! 0. the title begins with the query, all of it first of all;
//! 1. every word is whole in the title, 2. or begins one there;
//! 3. every word is whole in title or people, 4. or begins one there;
//! 5. every word is whole anywhere, 6. or begins one there.
//!
//! Sets of film numbers are read for each word and joined here, so that no database has a say in
//! the order. docs/decisions/0009 has the reasons.

use crate::model::title_key;
use crate::names::{BEGINNING, Field};
use crate::order::Asked;
use crate::page::{After, Place};
use crate::repository::Films;
use crate::set::Set;
use crate::words::Words;
use backlot::Error;
use backlot::storage::StoreError;
use std::collections::BTreeSet;

/// What was typed.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// Each once. Empty when it holds neither letters nor digits.
    words: Vec<String>,
    /// What the sort key of a title that begins so begins with.
    title: String,
}

/// Which films match, by what of them does: each part without those before it.
#[derive(Debug)]
struct Ranked {
    /// Of these, those whose title begins with the query come first.
    in_title: Set,
    /// By rank, from 1.
    parts: Vec<Set>,
}

/// A film found: the part it is in, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) part: u8,
    pub(crate) place: Place,
}

impl Query {
    /// # Errors
    /// `InvalidArgument` when nothing is asked for.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let words: BTreeSet<String> = Words::of(text).written.into_iter().collect();
        let title = title_key(text);
        if words.is_empty() && title.is_empty() {
            let cure = "is blank: write a word, or a part of one";
            let error = Error::invalid_argument(format!("query: {cure}"));
            return Err(error.with_violation("query", cure));
        }
        // Long words are rare ones: if one is in no film, the others need not be read.
        let mut words: Vec<String> = words.into_iter().collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        Ok(Query { words, title })
    }

    /// What tells it from others.
    pub(crate) fn words(&self) -> String {
        let mut words = self.words.clone();
        words.push(self.title.clone());
        words.join(" ")
    }

    /// At most `limit` films behind `after`, the best first.
    pub(crate) async fn hits(
        &self,
        films: &mut Films<'_>,
        after: Option<&After>,
        limit: usize,
    ) -> Result<Vec<Hit>, StoreError> {
        let ranked = if self.words.is_empty() {
            None
        } else {
            Some(self.ranked(films).await?)
        };
        let first = after.map_or(0, |after| after.part);
        let mut hits = Vec::new();
        if first == 0 {
            let places = Asked {
                of: ranked.as_ref().map(|ranked| &ranked.in_title),
                beginning: &self.title,
                but_not: None,
                after: after.map(|after| (&*after.key, &*after.id)),
                at_most: limit,
            };
            let places = places.places(films).await?;
            hits.extend(places.into_iter().map(|place| Hit { part: 0, place }));
        }
        let Some(Ranked { parts, .. }) = ranked else {
            return Ok(hits);
        };
        for (part, set) in (1_u8..).zip(&parts).filter(|(part, _)| *part >= first) {
            if hits.len() >= limit {
                break;
            }
            if set.is_empty() {
                continue;
            }
            let after = after.filter(|after| after.part == part);
            let places = Asked {
                of: Some(set),
                beginning: "",
                // All of these two are in the title, so that those that begin so came first.
                but_not: (part <= 2).then_some(&*self.title),
                after: after.map(|after| (&*after.key, &*after.id)),
                at_most: limit - hits.len(),
            };
            let places = places.places(films).await?;
            hits.extend(places.into_iter().map(|place| Hit { part, place }));
        }
        Ok(hits)
    }

    async fn ranked(&self, films: &mut Films<'_>) -> Result<Ranked, StoreError> {
        let mut sets = films.of_names(&self.names()).await?;
        let mut all: Option<Fields> = None;
        for word in &self.words {
            let mut of_word = Fields::default();
            for (found, field) in of_word.0.iter_mut().zip(Field::ALL) {
                found.whole = sets.remove(&field.word(word)).unwrap_or_default();
                found.begun = if is_short(word) {
                    sets.remove(&field.beginning(word)).unwrap_or_default()
                } else {
                    films.of_beginning(&field.word(word)).await?
                };
            }
            let of_word = of_word.widened();
            all = Some(match all {
                None => of_word,
                Some(mut all) => {
                    all.intersect(&of_word);
                    all
                }
            });
            if all.as_ref().is_some_and(|all| all.0[2].begun.is_empty()) {
                break;
            }
        }
        let all = all.unwrap_or_default();
        let in_title = all.0[0].begun.clone();
        let mut parts = Vec::with_capacity(6);
        let mut before = Set::default();
        for mut part in all
            .0
            .into_iter()
            .flat_map(|found| [found.whole, found.begun])
        {
            part.subtract(&before);
            before.join(&part);
            parts.push(part);
        }
        Ok(Ranked { in_title, parts })
    }

    /// Whole words, and beginnings that are short enough to have a set: read in one go.
    fn names(&self) -> Vec<String> {
        let names = self.words.iter().flat_map(|word| {
            Field::ALL.into_iter().flat_map(|field| {
                let beginning = is_short(word).then(|| field.beginning(word));
                [Some(field.word(word)), beginning]
            })
        });
        names.flatten().collect()
    }
}

fn is_short(word: &str) -> bool {
    word.chars().nth(BEGINNING).is_none()
}

/// Where films have a word: whole, or (these included) as a beginning.
#[derive(Clone, Debug, Default)]
struct Found {
    whole: Set,
    begun: Set,
}

impl Found {
    fn join(&mut self, other: &Found) {
        self.whole.join(&other.whole);
        self.begun.join(&other.begun);
    }
}

/// The same for title, people and the rest.
#[derive(Clone, Debug, Default)]
struct Fields([Found; 3]);

impl Fields {
    /// The same for title, title or people, and anywhere.
    fn widened(mut self) -> Self {
        let [title, people, other] = &mut self.0;
        people.join(title);
        other.join(people);
        self
    }

    fn intersect(&mut self, other: &Fields) {
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            ours.whole.intersect(&theirs.whole);
            ours.begun.intersect(&theirs.begun);
        }
    }
}
