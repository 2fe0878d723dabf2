//! The films and users that the prepared data holds, by number.

use movies_api::metadata::v1::Metadata;
use movies_api::{Aggregate, GetAggregatedRatingRequest, GetMovieDetailsRequest, PutRatingRequest};

/// The record type of films.
pub const MOVIE: &str = "movie";
/// How many films there are.
pub const FILMS: u32 = 1_000;
/// How many ratings each of them has.
pub const RATINGS: u32 = 10;
/// How many users rate.
pub const USERS: u32 = 500;

/// The id of a film.
#[must_use]
pub fn film_id(number: u64) -> String {
    format!("film-{:04}", number % u64::from(FILMS))
}

/// The name of a user.
#[must_use]
pub fn user_id(number: u64) -> String {
    format!("user-{:04}", number % u64::from(USERS))
}

/// A film as long as real ones are.
#[must_use]
pub fn film(number: u64) -> Metadata {
    let text = |strings: &[&str]| strings.iter().map(|string| (*string).to_owned()).collect();
    Metadata {
        id: film_id(number),
        title: format!("The Film Number {number}"),
        description: "A clerk finds a ledger that names everyone who will rate this film, and \
                      sets out to change a single entry before the night is over."
            .to_owned(),
        director: "Ada Example".to_owned(),
        year: 1900 + i32::try_from(number % 120).unwrap_or_default(),
        cast: text(&["Grace Sample", "Alan Specimen", "Edsger Instance"]),
        genres: text(&["Drama", "Mystery"]),
        ..Default::default()
    }
}

/// What the constant services answer about ratings.
#[must_use]
pub fn aggregate() -> Aggregate {
    Aggregate {
        count: 10,
        mean: Some(3.5),
        histogram: vec![0, 0, 1, 1, 1, 2, 2, 1, 1, 1],
        version: 10,
    }
}

/// Asks for a film with its rating.
#[must_use]
pub fn details_of(number: u64) -> GetMovieDetailsRequest {
    GetMovieDetailsRequest {
        movie_id: film_id(number),
    }
}

/// Asks for the ratings of a film in numbers.
#[must_use]
pub fn rating_of(record_id: String) -> GetAggregatedRatingRequest {
    GetAggregatedRatingRequest {
        record_type: MOVIE.to_owned(),
        record_id,
    }
}

/// A rating: neighbouring numbers are other users', and each time the value is another one.
#[must_use]
pub fn rating(number: u64) -> PutRatingRequest {
    PutRatingRequest {
        record_type: MOVIE.to_owned(),
        record_id: film_id(number / u64::from(USERS)),
        user_id: user_id(number),
        half_stars: 1 + i32::try_from((number / 7) % 10).unwrap_or_default(),
    }
}
