//! Where one starts.

use super::Frame;
use super::card::Card;
use super::facets::Chip;
use crate::address;
use crate::filter::Filter;
use crate::poster::{Glow, Subject, Tile};
use crate::tally::grouped;
use crate::view::facets::Facets;
use askama::Template;
use movies_api::MovieDetails;
use movies_api::metadata::v1::ListFacetsResponse;

/// The page.
#[derive(Template)]
#[template(path = "home.html")]
pub(crate) struct Home<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) hero: Option<Hero>,
    /// The chart behind the first.
    pub(crate) top: Vec<Card>,
    /// What the visitor rated last.
    pub(crate) yours: Vec<Card>,
    pub(crate) genres: Vec<GenreTile>,
    pub(crate) decades: Vec<DecadeBar>,
    pub(crate) shelves: Vec<Shelf>,
    /// How many films there are; 0 when that is not known.
    pub(crate) films: u32,
    /// Whether ratings could not be had.
    pub(crate) away: bool,
}

/// The first of the chart.
pub(crate) struct Hero {
    pub(crate) card: Card,
    pub(crate) description: String,
    pub(crate) glow: Glow,
}

impl Hero {
    pub(crate) fn of(movie: MovieDetails) -> Option<Self> {
        let film = movie.metadata.as_ref()?;
        let (glow, description) = (Glow::of(Subject::of(film)), film.description.clone());
        let card = Card::of(movie, "h")?;
        Some(Hero {
            card,
            description,
            glow,
        })
    }
}

/// A genre, in its colours.
pub(crate) struct GenreTile {
    pub(crate) chip: Chip,
    pub(crate) drawing: Tile,
}

/// A decade, as tall as it has films.
pub(crate) struct DecadeBar {
    pub(crate) chip: Chip,
    /// Of 100.
    pub(crate) height: u32,
}

impl DecadeBar {
    fn top(&self) -> u32 {
        100 - self.height
    }
}

/// Some films in a row, and where there are more of them.
pub(crate) struct Shelf {
    pub(crate) title: String,
    pub(crate) href: String,
    pub(crate) cards: Vec<Card>,
}

impl Shelf {
    pub(crate) fn of_decade(decade: i32, cards: Vec<Card>) -> Self {
        Shelf {
            title: format!("From the {decade}s"),
            href: address::with_query("/browse", &[("decade", &decade.to_string())]),
            cards,
        }
    }
}

/// Genres and decades, to be shown large.
pub(crate) fn shelves(facets: &ListFacetsResponse) -> (Vec<GenreTile>, Vec<DecadeBar>) {
    let Facets { genres, decades } = Facets::of(Some(facets), &Filter::default(), "/browse");
    let most = decades
        .iter()
        .filter_map(|chip| chip.films)
        .max()
        .unwrap_or(0)
        .max(1);
    let tile = |chip: Chip| GenreTile {
        drawing: Tile::of(&chip.words),
        chip,
    };
    let bar = |chip: Chip| DecadeBar {
        // Few are still seen.
        height: (100 * chip.films.unwrap_or(0) / most).max(4),
        chip,
    };
    (
        genres.into_iter().map(tile).collect(),
        decades.into_iter().map(bar).collect(),
    )
}

impl Home<'_> {
    fn films_words(&self) -> String {
        grouped(self.films)
    }
}
