//! Brings what others have into Movies: films and ratings of MovieLens, IMDb's data sets, and
//! rating events; and makes such files, to try it with.
//!
//! ```
//! use movies_import::{generate, movielens};
//!
//! # fn main() -> Result<(), movies_import::ImportError> {
//! # let folder = tempfile::tempdir().expect("a temporary folder can be made");
//! let plan = generate::Plan { films: 20, ratings: 100, users: 7, ..generate::Plan::default() };
//! let made = generate::movielens(folder.path(), &plan)?;
//! assert_eq!(made.ratings, 100);
//! let import = movielens::open(folder.path())?;
//! // import.run(&destination, &settings, &env.shutdown, Progress::shown()).await
//! # drop(import);
//! # Ok(())
//! # }
//! ```
//!
//! Memory does not grow with the number of ratings: files are read as streams, and of what later
//! passes need only a few bytes a film are kept.
//!
//! | module | what it holds |
//! |---|---|
//! | [`movielens`], [`imdb`], [`events`] | the kinds of files |
//! | [`title`] | titles as people write them |
//! | [`destination`] | the services that batches go to |
//! | [`run`] | reading, sending, and going on after an end |
//! | [`problem`], [`tally`] | what is wrong with lines, and what was done |
//! | [`progress`] | how far it is |
//! | [`generate`] | files of these kinds, of any size |

pub mod destination;
pub mod error;
pub mod events;
pub mod generate;
pub mod imdb;
pub mod movielens;
pub mod problem;
pub mod progress;
pub mod run;
pub mod tally;
pub mod title;

mod batch;
mod file;
mod film;
mod layout;
mod position;
mod reader;
mod report;
mod rows;

pub use destination::{Destination, Identity};
pub use error::ImportError;
pub use problem::Problem;
pub use progress::Progress;
pub use run::{Import, Settings, Summary};
pub use tally::Tally;
