//! A film in a list.

use crate::address;
use crate::poster::{Picture, Subject};
use crate::stars::HalfStars;
use crate::tally::Tally;
use movies_api::MovieDetails;
use movies_api::metadata::v1::Metadata;

/// A film in a list.
pub(crate) struct Card {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) title: String,
    /// Year and director, as far as known.
    pub(crate) byline: String,
    pub(crate) picture: Picture,
    pub(crate) tally: Tally,
    /// Its place in the chart, where that is shown.
    pub(crate) rank: Option<u32>,
    /// What the visitor gave it, where that is shown.
    pub(crate) yours: Option<HalfStars>,
}

impl Card {
    /// A card with the film's poster; `place` sets this place's drawings apart from others of the
    /// same film on one page.
    pub(crate) fn of(movie: MovieDetails, place: &str) -> Option<Self> {
        Card::with(movie, |subject| Picture::of(subject, place))
    }

    /// The same with a drawing small enough for a row of a table.
    pub(crate) fn small(movie: MovieDetails, place: &str) -> Option<Self> {
        Card::with(movie, |subject| Picture::small(subject, place))
    }

    fn with(movie: MovieDetails, picture: impl Fn(Subject<'_>) -> Picture) -> Option<Self> {
        let film = movie.metadata?;
        let picture = picture(Subject::of(&film));
        let tally = Tally::of(movie.rating.as_ref());
        Some(Card {
            path: address::film(&film.id),
            byline: byline(&film),
            picture,
            tally,
            id: film.id,
            title: film.title,
            rank: None,
            yours: None,
        })
    }
}

/// `1979 · Ridley Scott`, as far as known.
fn byline(film: &Metadata) -> String {
    match (film.year, film.director.as_str()) {
        (0, director) => director.to_owned(),
        (year, "") => year.to_string(),
        (year, director) => format!("{year} · {director}"),
    }
}
