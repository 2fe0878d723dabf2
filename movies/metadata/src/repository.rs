//! All SQL of the metadata service: films here, the rest in the modules below.
//!
//! | module | what it holds |
//! |---|---|
//! | [`postings`] | which films a name leads to |
//! | [`shelves`] | the order of the catalogue |
//! | [`facets`] | how many films genres and decades have |
//! | [`uploads`] | files, and what is on its way to be one |
//! | [`posters`] | which files films are shown by |

mod facets;
mod posters;
mod postings;
mod shelves;
mod uploads;

pub(crate) use posters::Posters;
pub(crate) use shelves::{Shelf, Stride};
pub(crate) use uploads::Uploads;

use crate::model::{Change, Facets, Film};
use crate::names;
use crate::page::Place;
use crate::set::Set;
use backlot::Timestamp;
use backlot::storage::{
    In, Migration, Migrations, Param, Row, Rows, Sql, StoreError, Tx, in_list, params, rows, sql,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

pub(crate) const MIGRATIONS: Migrations = &[
    Migration::new(1, "movies", include_str!("../migrations/1_movies.sql"))
        .mysql(include_str!("../migrations/1_movies.mysql.sql"))
        .postgres(include_str!("../migrations/1_movies.postgres.sql")),
    Migration::new(2, "names", include_str!("../migrations/2_names.sql"))
        .mysql(include_str!("../migrations/2_names.mysql.sql"))
        .postgres(include_str!("../migrations/2_names.postgres.sql")),
    Migration::new(3, "uploads", include_str!("../migrations/3_uploads.sql"))
        .mysql(include_str!("../migrations/3_uploads.mysql.sql"))
        .postgres(include_str!("../migrations/3_uploads.postgres.sql")),
    Migration::new(4, "shelves", include_str!("../migrations/4_shelves.sql"))
        .mysql(include_str!("../migrations/4_shelves.mysql.sql"))
        .postgres(include_str!("../migrations/4_shelves.postgres.sql")),
    Migration::new(5, "posters", include_str!("../migrations/5_posters.sql"))
        .mysql(include_str!("../migrations/5_posters.mysql.sql"))
        .postgres(include_str!("../migrations/5_posters.postgres.sql")),
];

const SELECT: Sql = sql!(
    "SELECT id, title, description, director, year, cast_names, genres, imdb_id, poster, pictures,
            number
     FROM movies WHERE id = ?"
);
const SELECT_MANY: In = in_list!(
    "SELECT id, title, description, director, year, cast_names, genres, imdb_id, poster, pictures,
            number
     FROM movies WHERE id IN (",
    ")"
);
/// Of films that were there before there were names.
const SELECT_UNENTERED: Sql = sql!(
    "SELECT id, title, description, director, year, cast_names, genres, imdb_id, poster, pictures,
            number
     FROM movies WHERE number = 0 LIMIT ?"
);
const UNENTERED: Sql = sql!("SELECT id FROM movies WHERE number = 0 LIMIT 1");
const UPSERT: Rows = rows! {
    default: [
        "INSERT INTO movies (id, sort_key, title, description, director, year, cast_names, genres,
        imdb_id, poster, pictures, number, changed_at) VALUES ",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        " ON CONFLICT (id) DO UPDATE SET sort_key = excluded.sort_key, title = excluded.title,
        description = excluded.description, director = excluded.director, year = excluded.year,
        cast_names = excluded.cast_names, genres = excluded.genres, imdb_id = excluded.imdb_id,
        poster = excluded.poster, pictures = excluded.pictures,
        number = excluded.number,
        changed_at = excluded.changed_at"
    ],
    mysql: [
        "INSERT INTO movies (id, sort_key, title, description, director, year, cast_names, genres,
        imdb_id, poster, pictures, number, changed_at) VALUES ",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        " ON DUPLICATE KEY UPDATE sort_key = VALUES(sort_key), title = VALUES(title),
        description = VALUES(description), director = VALUES(director), year = VALUES(year),
        cast_names = VALUES(cast_names), genres = VALUES(genres), imdb_id = VALUES(imdb_id),
        poster = VALUES(poster), pictures = VALUES(pictures), number = VALUES(number),
        changed_at = VALUES(changed_at)"
    ],
};
const PLACES_OF_NUMBERS: In = in_list!(
    "SELECT sort_key, id, number FROM movies WHERE number IN (",
    ")"
);
const PLACES_AFTER: Sql = sql!(
    "SELECT sort_key, id, number FROM movies WHERE sort_key >= ? AND (sort_key > ? OR id > ?)
     ORDER BY sort_key, id LIMIT ?"
);
const PLACES_AFTER_BELOW: Sql = sql!(
    "SELECT sort_key, id, number FROM movies
     WHERE sort_key >= ? AND (sort_key > ? OR id > ?) AND sort_key < ?
     ORDER BY sort_key, id LIMIT ?"
);
const CHANGES: Sql = sql!(
    "SELECT id, year, genres, changed_at FROM movies
     WHERE changed_at >= ? AND (changed_at > ? OR id > ?) ORDER BY changed_at, id LIMIT ?"
);
/// A change is later than the one before, even if the clock is not. The row is held to the end of
/// the transaction.
const BEGIN_CHANGE: Sql = sql!(
    "UPDATE catalogue SET changed_at = CASE WHEN changed_at < ? THEN ? ELSE changed_at + 1 END
     WHERE id = 1"
);
const CATALOGUE: Sql = sql!("SELECT films, last_number, changed_at FROM catalogue WHERE id = 1");
const COUNT_FILMS: Sql = sql!("UPDATE catalogue SET films = ?, last_number = ? WHERE id = 1");

/// Films within one transaction.
pub(crate) struct Films<'t> {
    tx: &'t mut Tx,
}

/// A film as it is kept.
struct Kept {
    film: Film,
    /// 0 until it is entered under its names.
    number: u32,
}

/// What is known of all films together.
struct Catalogue {
    films: u32,
    last_number: u32,
    changed_at: i64,
}

/// What a write did.
#[derive(Debug)]
pub(crate) struct Written {
    /// How many films are new.
    pub(crate) created: u32,
    /// The films that are new, or other than before.
    pub(crate) changed: Vec<String>,
    /// When it was, in the order of changes.
    pub(crate) at: i64,
}

impl<'t> Films<'t> {
    pub(crate) fn in_tx(tx: &'t mut Tx) -> Self {
        Films { tx }
    }

    pub(crate) async fn get(&mut self, id: &str) -> Result<Option<Film>, StoreError> {
        let row = self.tx.query_opt(SELECT, params![id]).await?;
        row.as_ref().map(read_film).transpose()
    }

    /// Those that exist, by id.
    pub(crate) async fn get_many(
        &mut self,
        ids: &[String],
    ) -> Result<BTreeMap<String, Film>, StoreError> {
        let kept = self.kept(ids).await?;
        let films = kept.into_iter().map(|(id, kept)| (id, kept.film));
        Ok(films.collect())
    }

    /// Writes films, no id twice, with their names, facets and place in the order of changes. A film
    /// keeps its poster, and one that stays as it is does not change.
    pub(crate) async fn put(
        &mut self,
        films: &[Film],
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let current = begin_change(self.tx, now).await?;
        let ids: Vec<String> = films.iter().map(|film| film.id.clone()).collect();
        let mut known = self.kept(&ids).await?;
        let mut changed = Vec::new();
        let mut created = 0;
        for film in films {
            let before = known.remove(&film.id);
            created += u32::from(before.is_none());
            let mut film = film.clone();
            film.poster = String::new();
            film.pictures = Vec::new();
            if let Some(before) = &before {
                film.poster.clone_from(&before.film.poster);
                film.pictures.clone_from(&before.film.pictures);
                if before.film == film && before.number != 0 {
                    continue;
                }
            }
            changed.push((before, film));
        }
        let written = Written {
            created,
            changed: changed.iter().map(|(_, film)| film.id.clone()).collect(),
            at: current.changed_at,
        };
        self.write(current, changed).await?;
        Ok(written)
    }

    /// Whether no film is left from before there were names.
    pub(crate) async fn all_are_entered(&mut self) -> Result<bool, StoreError> {
        Ok(self.tx.query_opt(UNENTERED, params![]).await?.is_none())
    }

    /// Enters some of the films that were there before there were names; how many.
    pub(crate) async fn enter(&mut self, limit: i64, now: Timestamp) -> Result<usize, StoreError> {
        let current = begin_change(self.tx, now).await?;
        let rows = self.tx.query(SELECT_UNENTERED, params![limit]).await?;
        let films = rows.iter().map(|row| Ok((None, read_film(row)?)));
        let films = films.collect::<Result<Vec<_>, StoreError>>()?;
        let entered = films.len();
        self.write(current, films).await?;
        Ok(entered)
    }

    async fn write(
        &mut self,
        mut catalogue: Catalogue,
        films: Vec<(Option<Kept>, Film)>,
    ) -> Result<(), StoreError> {
        if films.is_empty() {
            return Ok(());
        }
        let mut postings = postings::Changes::default();
        let mut shelves = shelves::Changes::default();
        let mut facets = facets::Changes::default();
        let mut rows = Vec::with_capacity(films.len());
        for (before, film) in &films {
            let entered = before.as_ref().filter(|before| before.number != 0);
            let number = entered.map_or(catalogue.last_number + 1, |before| before.number);
            let names_before = match entered {
                Some(before) => {
                    facets.leave(&before.film);
                    names::of(&before.film)
                }
                None => {
                    catalogue.last_number = number;
                    catalogue.films += 1;
                    Default::default()
                }
            };
            facets.enter(film);
            postings.film(number, &names_before, &names::of(film));
            let sort_key = film.sort_key();
            shelves.film(entered.map(|before| &before.film), &sort_key, &film.id);
            rows.push((
                film,
                sort_key,
                list(&film.cast)?,
                list(&film.genres)?,
                list(&film.pictures)?,
                number,
            ));
        }
        let params: Vec<Param<'_>> = rows
            .iter()
            .flat_map(|(film, sort_key, cast, genres, pictures, number)| {
                params![
                    &film.id,
                    sort_key,
                    &film.title,
                    &film.description,
                    &film.director,
                    film.year,
                    cast,
                    genres,
                    &film.imdb_id,
                    &film.poster,
                    pictures,
                    number,
                    catalogue.changed_at
                ]
            })
            .collect();
        UPSERT.execute(self.tx, 13, &params).await?;
        postings.write(self.tx).await?;
        shelves.write(self.tx).await?;
        facets.write(self.tx).await?;
        let counts = params![catalogue.films, catalogue.last_number];
        self.tx.execute(COUNT_FILMS, counts).await.map(drop)
    }

    async fn kept(&mut self, ids: &[String]) -> Result<BTreeMap<String, Kept>, StoreError> {
        let mut kept = BTreeMap::new();
        for row in SELECT_MANY.query(self.tx, ids, &[]).await? {
            let film = read_film(&row)?;
            let number = row.get(10)?;
            kept.insert(film.id.clone(), Kept { film, number });
        }
        Ok(kept)
    }

    /// How many films can be found.
    pub(crate) async fn count(&mut self) -> Result<u32, StoreError> {
        Ok(catalogue(self.tx).await?.films)
    }

    /// Genres, decades, and how many films there are.
    pub(crate) async fn facets(&mut self) -> Result<Facets, StoreError> {
        Ok(Facets {
            genres: facets::genres(self.tx).await?,
            decades: facets::decades(self.tx).await?,
            films: self.count().await?,
        })
    }

    /// At most `limit` films that changed after `after`, in order of change.
    pub(crate) async fn changes(
        &mut self,
        (at, id): (i64, &str),
        limit: i64,
    ) -> Result<Vec<Change>, StoreError> {
        let rows = self.tx.query(CHANGES, params![at, at, id, limit]).await?;
        let changes = rows.iter().map(|row| {
            Ok(Change {
                id: row.get(0)?,
                year: row.get(1)?,
                genres: list_in(row, 2)?,
                at: row.get(3)?,
            })
        });
        changes.collect()
    }

    /// The films of each of these names that leads to any.
    pub(crate) async fn of_names(
        &mut self,
        names: &[String],
    ) -> Result<BTreeMap<String, Set>, StoreError> {
        postings::of_names(self.tx, names).await
    }

    /// The films of all names that begin so.
    pub(crate) async fn of_beginning(&mut self, name: &str) -> Result<Set, StoreError> {
        postings::of_beginning(self.tx, name).await
    }

    /// Where films stand, in no order.
    pub(crate) async fn places(&mut self, numbers: &[u32]) -> Result<Vec<Place>, StoreError> {
        let rows = PLACES_OF_NUMBERS.query(self.tx, numbers, &[]).await?;
        rows.iter().map(read_place).collect()
    }

    /// The shelf that a sort key and id are on.
    pub(crate) async fn shelf_at(&mut self, place: (&str, &str)) -> Result<Shelf, StoreError> {
        shelves::at(self.tx, place).await
    }

    /// The next shelves that begin after a sort key and id, in order; none behind the last.
    pub(crate) async fn shelves_after(
        &mut self,
        place: (&str, &str),
        stride: Stride,
    ) -> Result<Vec<Shelf>, StoreError> {
        shelves::after(self.tx, place, stride).await
    }

    /// At most `limit` films that stand after this sort key and id, in order; with `below`, those
    /// alone whose sort key is less.
    pub(crate) async fn places_after(
        &mut self,
        (sort_key, id): (&str, &str),
        below: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Place>, StoreError> {
        let rows = match below {
            None => {
                let params = params![sort_key, sort_key, id, limit];
                self.tx.query(PLACES_AFTER, params).await?
            }
            Some(below) => {
                let params = params![sort_key, sort_key, id, below, limit];
                self.tx.query(PLACES_AFTER_BELOW, params).await?
            }
        };
        rows.iter().map(read_place).collect()
    }
}

/// To be called before anything is read that a change depends on.
async fn begin_change(tx: &mut Tx, now: Timestamp) -> Result<Catalogue, StoreError> {
    tx.execute(BEGIN_CHANGE, params![now, now]).await?;
    catalogue(tx).await
}

async fn catalogue(tx: &mut Tx) -> Result<Catalogue, StoreError> {
    let row = tx.query_one(CATALOGUE, params![]).await?;
    Ok(Catalogue {
        films: row.get(0)?,
        last_number: row.get(1)?,
        changed_at: row.get(2)?,
    })
}

fn read_place(row: &Row) -> Result<Place, StoreError> {
    Ok(Place {
        sort_key: row.get(0)?,
        id: row.get(1)?,
        number: row.get(2)?,
    })
}

fn read_film(row: &Row) -> Result<Film, StoreError> {
    Ok(Film {
        id: row.get(0)?,
        title: row.get(1)?,
        description: row.get(2)?,
        director: row.get(3)?,
        year: row.get(4)?,
        cast: list_in(row, 5)?,
        genres: list_in(row, 6)?,
        imdb_id: row.get(7)?,
        poster: row.get(8)?,
        pictures: list_in(row, 9)?,
    })
}

fn list(items: &[impl Serialize]) -> Result<String, StoreError> {
    serde_json::to_string(items).map_err(|error| StoreError::sql(error.to_string()))
}

fn list_in<T: DeserializeOwned>(row: &Row, column: usize) -> Result<Vec<T>, StoreError> {
    let text: &str = row.get(column)?;
    serde_json::from_str(text).map_err(|error| StoreError::Column {
        column,
        expected: "a JSON array".to_owned(),
        found: error.to_string(),
    })
}
