//! Files of the kinds that are imported, of any size: the same seed gives the same files. A few
//! films have most of the ratings and a few users give most of them, as in life.

mod awkward;
mod film;
mod imdb;
mod movielens;
mod skew;

use crate::ImportError;
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Films.
    pub films: u32,
    /// Ratings; of IMDb, votes in all.
    pub ratings: u64,
    /// Users who rate; IMDb knows none.
    pub users: u32,
    /// The same seed gives the same files.
    pub seed: u64,
    /// Whether what is awkward or wrong in real files is there too.
    pub awkward: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            films: 1_000,
            ratings: 100_000,
            users: 1_000,
            seed: 1,
            awkward: false,
        }
    }
}

/// What was made: what an import of it must find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Films.
    pub films: u64,
    /// Ratings, each of another user and film.
    pub ratings: u64,
    /// All ratings added up, in half stars.
    pub half_stars: u64,
    /// Averages that IMDb publishes.
    pub averages: u64,
    /// Lines that cannot be taken.
    pub bad: u64,
}

/// Writes `movies.csv`, `links.csv` and `ratings.csv` into a folder.
///
/// # Errors
/// When there are more ratings than users and films, or a file cannot be written.
pub fn movielens(folder: &Path, plan: &Plan) -> Result<Made, ImportError> {
    let most = u64::from(plan.films) * u64::from(plan.users);
    if plan.ratings > most {
        return Err(ImportError::Layout(format!(
            "{} ratings are more than {} users can give {} films: at most {most}",
            plan.ratings, plan.users, plan.films
        )));
    }
    std::fs::create_dir_all(folder).map_err(ImportError::file(folder, "made"))?;
    movielens::make(folder, plan)
}

/// Writes `title.basics.tsv.gz`, `title.ratings.tsv.gz`, `title.crew.tsv.gz`,
/// `title.principals.tsv.gz` and `name.basics.tsv.gz` into a folder.
///
/// # Errors
/// When a file cannot be written.
pub fn imdb(folder: &Path, plan: &Plan) -> Result<Made, ImportError> {
    std::fs::create_dir_all(folder).map_err(ImportError::file(folder, "made"))?;
    imdb::make(folder, plan)
}

/// Writes one file through `work`.
fn write(
    folder: &Path,
    name: &str,
    work: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), ImportError> {
    let path = folder.join(name);
    let make = || {
        let file = io::BufWriter::with_capacity(256 * 1024, std::fs::File::create(&path)?);
        if name.ends_with(".gz") {
            let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            work(&mut packed)?;
            packed.finish()?.flush()
        } else {
            let mut file = file;
            work(&mut file)?;
            file.flush()
        }
    };
    make().map_err(ImportError::file(&path, "written"))
}

#[cfg(test)]
mod tests;
