//! How many films genres and decades have, kept by those who change films.

use crate::model::{Decade, Film, Genre};
use crate::names;
use backlot::storage::{In, Param, Rows, Sql, StoreError, Tx, in_list, params, rows, sql};
use std::collections::BTreeMap;

/// The most that are listed of each kind: those with the most films.
const LISTED: i64 = 1000;
const GENRE: &str = "g";
const DECADE: &str = "d";

const OF: In = in_list!(
    "SELECT facet, name, films FROM facets WHERE facet IN (",
    ")"
);
const DELETE: In = in_list!("DELETE FROM facets WHERE facet IN (", ")");
const PUT: Rows = rows! {
    default: [
        "INSERT INTO facets (facet, kind, name, films) VALUES ",
        "(?, ?, ?, ?)",
        " ON CONFLICT (facet) DO UPDATE SET films = excluded.films"
    ],
    mysql: [
        "INSERT INTO facets (facet, kind, name, films) VALUES ",
        "(?, ?, ?, ?)",
        " ON DUPLICATE KEY UPDATE films = VALUES(films)"
    ],
};
const LIST: Sql = sql!(
    "SELECT name, films, facet FROM facets WHERE kind = ? ORDER BY films DESC, facet DESC LIMIT ?"
);

/// What films gained and lost: for each facet its name, and how many films more.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<String, (String, i64)>);

impl Changes {
    /// A film is counted from now on.
    pub(super) fn enter(&mut self, film: &Film) {
        self.count(film, 1);
    }

    /// A film is no longer counted as it was.
    pub(super) fn leave(&mut self, film: &Film) {
        self.count(film, -1);
    }

    fn count(&mut self, film: &Film, films: i64) {
        let genres = names::genres(film)
            .into_iter()
            .map(|(key, name)| (format!("{GENRE}{key}"), name.to_owned()));
        let decade = film
            .decade()
            .map(|decade| (format!("{DECADE}{decade}"), decade.to_string()));
        for (facet, name) in genres.chain(decade) {
            self.0.entry(facet).or_insert((name, 0)).1 += films;
        }
    }

    pub(super) async fn write(mut self, tx: &mut Tx) -> Result<(), StoreError> {
        self.0.retain(|_, (_, films)| *films != 0);
        let facets: Vec<String> = self.0.keys().cloned().collect();
        for row in OF.query(tx, &facets, &[]).await? {
            if let Some((name, films)) = self.0.get_mut(row.get::<&str>(0)?) {
                // It keeps the name it came with.
                *name = row.get(1)?;
                *films += row.get::<i64>(2)?;
            }
        }
        let (kept, empty): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.0.into_iter().partition(|(_, (_, films))| *films > 0);
        let rows: Vec<Param<'_>> = kept
            .iter()
            .flat_map(|(facet, (name, films))| {
                let kind = if facet.starts_with(GENRE) {
                    GENRE
                } else {
                    DECADE
                };
                params![facet, kind, name, films]
            })
            .collect();
        PUT.execute(tx, 4, &rows).await?;
        let empty: Vec<String> = empty.into_keys().collect();
        DELETE.execute(tx, &empty, &[]).await.map(drop)
    }
}

/// In order of name.
pub(super) async fn genres(tx: &mut Tx) -> Result<Vec<Genre>, StoreError> {
    let mut genres = Vec::new();
    for row in tx.query(LIST, params![GENRE, LISTED]).await? {
        let genre = Genre {
            name: row.get(0)?,
            films: row.get(1)?,
        };
        genres.push((row.get::<String>(2)?, genre));
    }
    genres.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(genres.into_iter().map(|(_, genre)| genre).collect())
}

/// In order of time.
pub(super) async fn decades(tx: &mut Tx) -> Result<Vec<Decade>, StoreError> {
    let mut decades = Vec::new();
    for row in tx.query(LIST, params![DECADE, LISTED]).await? {
        // The name is the year in digits, as it was written above.
        let decade = row.get::<&str>(0)?.parse().unwrap_or_default();
        decades.push(Decade {
            decade,
            films: row.get(1)?,
        });
    }
    decades.sort_by_key(|decade| decade.decade);
    Ok(decades)
}
