//! MovieLens: a folder with `movies.csv`, `ratings.csv` and `links.csv`.
//!
//! A film whose IMDb id `links.csv` tells has that as its id (`tt0114709`), so that it is the same
//! film when it comes from IMDb too; any other is `ml-` and its number. User 42 is `ml-42`.

mod columns;
mod value;

use crate::ImportError;
use crate::batch::{Batch, Rated};
use crate::destination::MOVIE;
use crate::file::File;
use crate::film::list;
use crate::layout::{Form, Layout, Pass, add_film, number};
use crate::problem::Wrong;
use crate::rows::{Lines, Rows};
use crate::run::Import;
use crate::title::Title;
use columns::Columns;
use movies_api::RatingEntry;
use movies_api::metadata::v1::Metadata;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What stands for no genres at all.
const NO_GENRES: &str = "(no genres listed)";
/// The last second of the year 9999.
const LATEST: i64 = 253_402_300_799;

const MOVIES: &str = "movieId,title,genres";
const RATINGS: &str = "userId,movieId,rating,timestamp";
const LINKS: &str = "movieId,imdbId,tmdbId";

/// Looks at a folder.
///
/// # Errors
/// When it is not of this layout, saying what was found and what to do; when a file cannot be read.
pub fn open(folder: &Path) -> Result<Import, ImportError> {
    if !folder.is_dir() {
        return Err(ImportError::Layout(no_folder(folder)));
    }
    let find = |name: &str| {
        [name.to_owned(), format!("{name}.gz")]
            .map(|name| folder.join(name))
            .into_iter()
            .find(|path| path.is_file())
    };
    let (Some(movies), Some(ratings)) = (find("movies.csv"), find("ratings.csv")) else {
        return Err(ImportError::Layout(other_layout(folder)));
    };
    let table = |path: PathBuf, header: &str| -> Result<File, ImportError> {
        let file = File::at(&path)?;
        expect_header(&file, header)?;
        Ok(file)
    };
    let pass = |file: &File, role: Role| {
        let pass = Pass {
            file: file.clone(),
            learns: matches!(role, Role::Links | Role::Known),
            form: Form::Table,
        };
        (pass, role)
    };
    let (movies, ratings) = (table(movies, MOVIES)?, table(ratings, RATINGS)?);
    let (mut passes, mut notes) = (Vec::new(), Vec::new());
    match find("links.csv") {
        Some(links) => passes.push(pass(&table(links, LINKS)?, Role::Links)),
        None => notes.push(
            "links.csv is not there: films get ids of MovieLens' own, and are other films than the same ones of IMDb"
                .to_owned(),
        ),
    }
    passes.push(pass(&movies, Role::Known));
    passes.push(pass(&movies, Role::Films));
    passes.push(pass(&ratings, Role::Ratings));
    let (passes, roles): (Vec<_>, Vec<_>) = passes.into_iter().unzip();
    Ok(Import {
        kind: "movielens",
        settings: String::new(),
        passes,
        layout: Box::new(MovieLens {
            roles,
            columns: Columns::default(),
            imdb: HashMap::new(),
            taken: HashSet::new(),
            known: HashSet::new(),
        }),
        notes,
    })
}

fn no_folder(path: &Path) -> String {
    let cure = if path.extension().is_some_and(|end| end == "zip") {
        "unpack it first, and name the folder it makes"
    } else {
        "name the folder that holds movies.csv and ratings.csv"
    };
    format!("{} is no folder: {cure}", path.display())
}

/// What a folder without the files holds instead.
fn other_layout(folder: &Path) -> String {
    let there = |name: &str| folder.join(name).exists();
    let older = if there("ratings.dat") || there("movies.dat") {
        Some("MovieLens 1M or 10M (ratings.dat, fields between ::)")
    } else if there("u.data") || there("u.item") {
        Some("MovieLens 100K (u.data, u.item)")
    } else {
        None
    };
    let folder = folder.display();
    match older {
        Some(older) => format!(
            "{folder} holds the older layout of {older}; expected movies.csv, ratings.csv and links.csv, as in ml-latest-small, ml-25m or ml-32m: take one of those"
        ),
        None => format!(
            "{folder} holds no movies.csv and ratings.csv: name the folder of an unpacked MovieLens data set, such as ml-latest-small"
        ),
    }
}

/// Refuses a file whose first line is another than this.
fn expect_header(file: &File, header: &str) -> Result<(), ImportError> {
    let failed = |source| ImportError::file(&file.path, "read")(source);
    let mut lines = Lines::new(file.open(0).map_err(failed)?, 0, 0);
    let row = lines.next().map_err(failed)?;
    let found = row.map_or_else(String::new, |row| {
        String::from_utf8_lossy(row.bytes).into_owned()
    });
    if found.trim().replace('"', "") == header {
        return Ok(());
    }
    let (path, found) = (file.path.display(), crate::problem::shown(&found));
    Err(ImportError::Layout(format!(
        "{path} begins with {found:?}; expected the columns {header}, as in ml-latest-small, ml-25m or ml-32m"
    )))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Learns the IMDb ids.
    Links,
    /// Learns which films there are.
    Known,
    Films,
    Ratings,
}

struct MovieLens {
    roles: Vec<Role>,
    columns: Columns,
    /// The number in the IMDb id of a film.
    imdb: HashMap<u32, u32>,
    /// Those that belong to a film already.
    taken: HashSet<u32>,
    known: HashSet<u32>,
}

impl MovieLens {
    fn film_id(&self, film: u32) -> String {
        match self.imdb.get(&film) {
            Some(imdb) => format!("tt{imdb:07}"),
            None => format!("ml-{film}"),
        }
    }

    fn link(&mut self, row: &str) -> Result<(), Wrong> {
        let [film, imdb, _tmdb] = self.columns.of(row)?;
        let id = movie_id(film)?;
        if imdb.is_empty() {
            return Ok(());
        }
        let reason = "the digits of an IMDb id, such as 0114709";
        let imdb_id: u32 = number("imdbId", imdb, reason)?;
        if imdb_id == 0 || imdb.len() > 9 {
            return Err(Wrong::field("imdbId", imdb, format!("must be {reason}")));
        }
        if self.imdb.get(&id) == Some(&imdb_id) {
            return Ok(());
        }
        if !self.taken.insert(imdb_id) {
            let reason =
                format!("belongs to another film already: film {id} has the id ml-{id} here");
            return Err(Wrong::field("imdbId", imdb, reason));
        }
        self.imdb.insert(id, imdb_id);
        Ok(())
    }

    fn film(&mut self, row: &str) -> Result<Metadata, Wrong> {
        let [film, text, genres] = self.columns.of(row)?;
        let id = movie_id(film)?;
        let title = Title::read(text);
        if title.name.is_empty() {
            return Err(Wrong::field("title", text, "must not be empty"));
        }
        let genres = match genres.trim() {
            NO_GENRES => Vec::new(),
            genres => list(genres, '|'),
        };
        let description = if title.also.is_empty() {
            String::new()
        } else {
            format!("Also known as {}.", title.also.join(", "))
        };
        let id = self.film_id(id);
        Ok(Metadata {
            imdb_id: if id.starts_with("tt") {
                id.clone()
            } else {
                String::new()
            },
            id,
            title: title.name,
            description,
            year: title.year.unwrap_or_default(),
            genres,
            ..Metadata::default()
        })
    }

    fn rating(&mut self, row: &str) -> Result<Rated, Wrong> {
        let [user, film, rating, timestamp] = self.columns.of(row)?;
        let _: u64 = number("userId", user, "a user's number, such as 42")?;
        let user_id = format!("ml-{user}");
        let id = movie_id(film)?;
        let half_stars = value::half_stars(rating)
            .ok_or_else(|| Wrong::field("rating", rating, "must be 0.5 to 5 in steps of 0.5"))?;
        let seconds = "seconds since 1970, such as 964982703";
        let at: i64 = number("timestamp", timestamp, seconds)?;
        if at > LATEST {
            let reason = format!("must be {seconds}");
            return Err(Wrong::field("timestamp", timestamp, reason));
        }
        if !self.known.contains(&id) {
            return Err(Wrong::field("movieId", film, "is no film of movies.csv"));
        }
        Ok(Rated {
            record_type: MOVIE.into(),
            entry: RatingEntry {
                record_id: self.film_id(id),
                user_id,
                half_stars,
                rated_at: at * 1000,
            },
            deleted: false,
        })
    }
}

fn movie_id(text: &str) -> Result<u32, Wrong> {
    number("movieId", text, "a film's number, such as 1")
}

impl Layout for MovieLens {
    fn row(&mut self, pass: usize, row: &str, batch: &mut Batch) -> Result<Vec<Wrong>, Wrong> {
        match self.roles.get(pass) {
            Some(Role::Links) => self.link(row)?,
            Some(Role::Known) => {
                let [film, _, _] = self.columns.of(row)?;
                self.known.insert(movie_id(film)?);
            }
            Some(Role::Films) => {
                let film = self.film(row)?;
                return Ok(add_film(film, batch));
            }
            Some(Role::Ratings) => {
                let rated = self.rating(row)?;
                batch.ratings.push(rated);
            }
            None => {}
        }
        Ok(Vec::new())
    }

    fn not_utf8(&self) -> &'static str {
        "is not UTF-8; the older MovieLens layouts (100K, 1M, 10M) are in Latin-1: expected movies.csv, ratings.csv and links.csv as in ml-latest-small, ml-25m or ml-32m, which are UTF-8"
    }
}

#[cfg(test)]
mod tests;
