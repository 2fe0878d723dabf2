//! The events of Movies: what is published on which topic, as JSON in the form of the books.
//!
//! | event | topic | says |
//! |---|---|---|
//! | [`RatingSubmitted`] | `ratings` | somebody rates a record, or takes the rating back |
//! | [`RatingsChanged`] | `rating-changes` | what ratings of records come to now |
//! | [`MoviesChanged`] | `movie-changes` | what is known of films changed |
//! | [`PosterUploaded`] | `posters` | a file shall be a film's poster |
//! | [`PosterChecked`] | `poster-checks` | what came of that file |
//! | [`MailWished`] | `mail-wishes` | a user wants mail, or none |
//! | [`MailAnswered`] | `mail-answers` | somebody followed a link in a message |
//! | [`MailDue`] | `mail` | a message is to be sent |
//!
//! What was released of a version never changes: `tests/golden` holds bodies of every version, and
//! each must still be read.

mod changed;
mod mail;
mod movie;
mod poster;
mod stars;
mod submitted;

pub use changed::{MAX_CHANGES, RatingsChanged, RecordChange};
pub use mail::{MailAnswered, MailDue, MailWished, address};
pub use movie::MoviesChanged;
pub use poster::{MAX_PICTURE_BYTES, MAX_PICTURES, Picture, PosterChecked, PosterUploaded};
pub use submitted::{EventType, RatingSubmitted, Submitted};
