//! The list of films.

use super::{Frame, film_path};
use crate::poster::{Poster, Subject};
use crate::tally::Tally;
use askama::Template;
use movies_api::MovieDetails;

/// The list.
#[derive(Template)]
#[template(path = "list.html")]
pub(crate) struct List<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) cards: Vec<Card>,
    /// The address of the next page; empty on the last.
    pub(crate) next: String,
    /// Whether this is a later page.
    pub(crate) later: bool,
    /// Whether ratings could not be had.
    pub(crate) away: bool,
}

/// A film in the list.
pub(crate) struct Card {
    pub(crate) path: String,
    pub(crate) title: String,
    /// Year and director, as far as known.
    pub(crate) byline: String,
    pub(crate) poster: Poster,
    pub(crate) tally: Tally,
}

impl Card {
    pub(crate) fn of(movie: MovieDetails) -> Option<Self> {
        let film = movie.metadata?;
        let poster = Poster::of(Subject {
            id: &film.id,
            title: &film.title,
            year: film.year,
            director: &film.director,
            genres: &film.genres,
        });
        let byline = match (film.year, film.director.as_str()) {
            (0, director) => director.to_owned(),
            (year, "") => year.to_string(),
            (year, director) => format!("{year} · {director}"),
        };
        let tally = Tally::of(movie.rating.as_ref());
        Some(Card {
            path: film_path(&film.id),
            title: film.title,
            byline,
            poster,
            tally,
        })
    }
}
