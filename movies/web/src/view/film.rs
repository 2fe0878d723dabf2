//! A film's page.

use super::Frame;
use super::picker::Picker;
use crate::address;
use crate::name;
use crate::poster::{Glow, Picture, Subject};
use crate::stars::HalfStars;
use crate::tally::{Tally, grouped};
use askama::Template;
use movies_api::OutsideRating;
use movies_api::metadata::v1::Metadata;

/// The page of one film.
#[derive(Template)]
#[template(path = "film.html")]
pub(crate) struct Film<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) path: String,
    pub(crate) facts: &'a Metadata,
    pub(crate) picture: Picture,
    pub(crate) glow: Glow,
    pub(crate) tally: Tally,
    /// Whether ratings could not be had.
    pub(crate) away: bool,
    /// When what is said of the film was known last, in words, if the catalogue could not be had.
    pub(crate) as_of: Option<String>,
    pub(crate) yours: Yours,
    /// Used for the one write that this form makes.
    pub(crate) key: String,
    pub(crate) note: Option<Note>,
    /// Its place in the chart, if it has one there.
    pub(crate) rank: Option<u32>,
    /// What others publish of it.
    pub(crate) outside: Vec<Outside>,
}

/// An average that others publish.
pub(crate) struct Outside {
    pub(crate) source: String,
    /// In stars, with one decimal.
    pub(crate) mean: String,
    pub(crate) votes: String,
}

impl Outside {
    pub(crate) fn of(rating: &OutsideRating) -> Self {
        let source = match rating.source.as_str() {
            "imdb" => "IMDb",
            "movielens" => "MovieLens",
            other => other,
        };
        Outside {
            source: source.to_owned(),
            mean: format!("{:.1}", rating.mean),
            votes: grouped(rating.votes),
        }
    }

    fn percent(&self) -> String {
        let stars: f64 = self.mean.parse().unwrap_or(0.0);
        format!("{:.0}", stars * 20.0)
    }
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
        let subject = Subject::of(facts);
        Film {
            frame,
            path: address::film(&facts.id),
            picture: Picture::of(subject, ""),
            glow: Glow::of(subject),
            facts,
            tally,
            away,
            as_of: None,
            yours: Yours::Nothing,
            key: String::new(),
            note: None,
            rank: None,
            outside: Vec::new(),
        }
    }

    fn picker(&self) -> Picker {
        let noted = self.note.as_ref().and_then(|note| note.chosen);
        let chosen = noted.or(match self.yours {
            Yours::Rated(stars) => Some(stars),
            Yours::Nothing | Yours::Unknown => None,
        });
        Picker { chosen }
    }

    /// Those who directed, each with the address of what else they made.
    fn directors(&self) -> Vec<(&str, String)> {
        let names = self.facts.director.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        names.map(|name| (name, address::person(name))).collect()
    }

    /// The same of those who act.
    fn cast(&self) -> Vec<(&str, String)> {
        let names = self.facts.cast.iter().map(String::as_str);
        names.map(|name| (name, address::person(name))).collect()
    }

    fn genres(&self) -> Vec<(&str, String)> {
        let genre = |genre: &'a String| {
            let href = address::with_query("/browse", &[("genre", genre)]);
            (genre.as_str(), href)
        };
        self.facts.genres.iter().map(genre).collect()
    }

    /// Films of the same ten years.
    fn decade(&self) -> String {
        let decade = (self.facts.year / 10 * 10).to_string();
        address::with_query("/browse", &[("decade", &decade)])
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
