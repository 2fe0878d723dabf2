//! All SQL of the metadata service.

use crate::model::Film;
use crate::page::After;
use backlot::storage::{Migration, Migrations, Row, Sql, StoreError, Tx, params, sql};

pub(crate) const MIGRATIONS: Migrations =
    &[
        Migration::new(1, "movies", include_str!("../migrations/1_movies.sql"))
            .mysql(include_str!("../migrations/1_movies.mysql.sql"))
            .postgres(include_str!("../migrations/1_movies.postgres.sql")),
    ];

const SELECT: Sql = sql!(
    "SELECT id, title, description, director, year, cast_names, genres FROM movies WHERE id = ?"
);
const EXISTS: Sql = sql!("SELECT 1 FROM movies WHERE id = ?");
const UPSERT: Sql = sql! {
    default: "INSERT INTO movies (id, sort_key, title, description, director, year, cast_names, genres)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET sort_key = excluded.sort_key, title = excluded.title,
        description = excluded.description, director = excluded.director, year = excluded.year,
        cast_names = excluded.cast_names, genres = excluded.genres",
    mysql: "INSERT INTO movies (id, sort_key, title, description, director, year, cast_names, genres)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE sort_key = VALUES(sort_key), title = VALUES(title),
        description = VALUES(description), director = VALUES(director), year = VALUES(year),
        cast_names = VALUES(cast_names), genres = VALUES(genres)",
};
const FIRST_PAGE: Sql = sql!(
    "SELECT id, title, description, director, year, cast_names, genres FROM movies
     ORDER BY sort_key, id LIMIT ?"
);
const NEXT_PAGE: Sql = sql!(
    "SELECT id, title, description, director, year, cast_names, genres FROM movies
     WHERE sort_key > ? OR (sort_key = ? AND id > ?) ORDER BY sort_key, id LIMIT ?"
);

/// Films within one transaction.
pub(crate) struct Films<'t> {
    tx: &'t mut Tx,
}

impl<'t> Films<'t> {
    pub(crate) fn in_tx(tx: &'t mut Tx) -> Self {
        Films { tx }
    }

    pub(crate) async fn get(&mut self, id: &str) -> Result<Option<Film>, StoreError> {
        self.tx
            .query_opt(SELECT, params![id])
            .await?
            .as_ref()
            .map(read_film)
            .transpose()
    }

    /// Writes a film; whether it is new.
    pub(crate) async fn put(&mut self, film: &Film) -> Result<bool, StoreError> {
        let known = self
            .tx
            .query_opt(EXISTS, params![&film.id])
            .await?
            .is_some();
        let (cast, genres) = (list(&film.cast)?, list(&film.genres)?);
        let sort_key = film.sort_key();
        let Film {
            id,
            title,
            description,
            director,
            year,
            ..
        } = film;
        self.tx
            .execute(
                UPSERT,
                params![
                    id,
                    &sort_key,
                    title,
                    description,
                    director,
                    *year,
                    &cast,
                    &genres
                ],
            )
            .await?;
        Ok(!known)
    }

    /// At most `limit` films after `after`, in order.
    pub(crate) async fn page(
        &mut self,
        after: Option<&After>,
        limit: i64,
    ) -> Result<Vec<Film>, StoreError> {
        let rows = match after {
            None => self.tx.query(FIRST_PAGE, params![limit]).await?,
            Some(After { sort_key, id }) => {
                self.tx
                    .query(NEXT_PAGE, params![sort_key, sort_key, id, limit])
                    .await?
            }
        };
        rows.iter().map(read_film).collect()
    }
}

fn read_film(row: &Row) -> Result<Film, StoreError> {
    Ok(Film {
        id: row.get(0)?,
        title: row.get(1)?,
        description: row.get(2)?,
        director: row.get(3)?,
        year: row.get(4)?,
        cast: names(row, 5)?,
        genres: names(row, 6)?,
    })
}

fn list(names: &[String]) -> Result<String, StoreError> {
    serde_json::to_string(names).map_err(|error| StoreError::sql(error.to_string()))
}

fn names(row: &Row, column: usize) -> Result<Vec<String>, StoreError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| StoreError::Column {
        column,
        expected: "a JSON array of strings".to_owned(),
        found: error.to_string(),
    })
}
