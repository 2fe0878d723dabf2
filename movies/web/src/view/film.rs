//! A film's page.

use super::{Frame, film_path};
use crate::name;
use crate::poster::{Glow, Poster, Subject};
use crate::stars::HalfStars;
use crate::tally::Tally;
use askama::Template;
use movies_api::metadata::v1::Metadata;

/// The page of one film.
#[derive(Template)]
#[template(path = "film.html")]
pub(crate) struct Film<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) path: String,
    pub(crate) facts: &'a Metadata,
    pub(crate) poster: Poster,
    pub(crate) glow: Glow,
    pub(crate) tally: Tally,
    /// Whether ratings could not be had.
    pub(crate) away: bool,
    pub(crate) yours: Yours,
    /// Used for the one write that this form makes.
    pub(crate) key: String,
    pub(crate) note: Option<Note>,
}

/// What the visitor made of the film.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yours {
    /// It could not be had.
    Unknown,
    /// No rating, or no name.
    Nothing,
    /// A rating.
    Rated(HalfStars),
}

/// Something to say near the rating control.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) text: String,
    pub(crate) field: Field,
    /// What was chosen or typed, so that nobody has to do it twice.
    pub(crate) chosen: Option<HalfStars>,
    pub(crate) typed: String,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// The stars.
    Value,
    /// The name.
    Name,
}

impl Field {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Field::Value => "value",
            Field::Name => "name",
        }
    }
}

impl<'a> Film<'a> {
    pub(crate) fn new(frame: Frame<'a>, facts: &'a Metadata, tally: Tally, away: bool) -> Self {
        let subject = Subject {
            id: &facts.id,
            title: &facts.title,
            year: facts.year,
            director: &facts.director,
            genres: &facts.genres,
        };
        Film {
            frame,
            path: film_path(&facts.id),
            poster: Poster::of(subject),
            glow: Glow::of(subject),
            facts,
            tally,
            away,
            yours: Yours::Nothing,
            key: String::new(),
            note: None,
        }
    }

    fn choices(&self) -> Vec<HalfStars> {
        HalfStars::all().collect()
    }

    fn is_chosen(&self, stars: &HalfStars) -> bool {
        match (&self.note, self.yours) {
            (
                Some(Note {
                    chosen: Some(chosen),
                    ..
                }),
                _,
            ) => chosen == stars,
            (_, Yours::Rated(yours)) => yours == *stars,
            _ => false,
        }
    }

    fn is_yours(&self, stars: &HalfStars) -> bool {
        self.yours == Yours::Rated(*stars)
    }

    fn has_rated(&self) -> bool {
        matches!(self.yours, Yours::Rated(_))
    }

    /// What stands beside the visitor's stars.
    fn yours_words(&self) -> String {
        match self.yours {
            Yours::Rated(stars) => stars.words(),
            Yours::Nothing | Yours::Unknown => self.nothing_words().to_owned(),
        }
    }

    /// The same for a visitor who gave none.
    fn nothing_words(&self) -> &'static str {
        "Not rated yet"
    }

    fn typed(&self) -> &str {
        self.note.as_ref().map_or("", |note| &note.typed)
    }

    fn is_about_name(&self) -> bool {
        self.note
            .as_ref()
            .is_some_and(|note| note.field == Field::Name)
    }

    fn is_about_value(&self) -> bool {
        self.note
            .as_ref()
            .is_some_and(|note| note.field == Field::Value)
    }

    fn name_rule(&self) -> &'static str {
        name::RULE
    }
}
