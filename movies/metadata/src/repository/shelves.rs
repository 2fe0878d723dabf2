//! The order of the catalogue, as numbers of films: a walk reads hundreds of films with one row.
//!
//! A shelf has a place, and holds the films from there to the place of the next one. It holds what
//! the index of the catalogue's order says, and is read from there anew whenever a film comes to it
//! or leaves it. One that overflows is divided; one that is empty takes in what comes.

use super::{PLACES_OF_NUMBERS, read_place};
use crate::model::Film;
use backlot::storage::{Param, Row, Rows, Sql, StoreError, Tx, params, rows, sql};
use std::collections::BTreeSet;

/// How many films a shelf holds. Few in tests, so that few films fill several.
const FULL: usize = if cfg!(test) { 4 } else { 448 };
/// How full the parts are that one is divided into, at most.
const DIVIDED: usize = FULL * 3 / 4;

const AT: Sql = sql!(
    "SELECT sort_key, id, numbers FROM shelves WHERE sort_key <= ? AND (sort_key < ? OR id <= ?)
     ORDER BY sort_key DESC, id DESC LIMIT 1"
);
/// Shelves after a place. How many is said in the text, for SQLite plans a statement anew each time
/// when a parameter says it.
macro_rules! after {
    ($limit:literal) => {
        sql!(concat!(
            "SELECT sort_key, id, numbers FROM shelves
             WHERE sort_key >= ? AND (sort_key > ? OR id > ?)
             ORDER BY sort_key, id LIMIT ",
            $limit
        ))
    };
}
const NEXT: Sql = after!("1");
const FEW: Sql = after!("4");
const MANY: Sql = after!("32");
const FILMS_BETWEEN: Sql = sql!(
    "SELECT number FROM movies
     WHERE sort_key >= ? AND (sort_key > ? OR id >= ?)
       AND sort_key <= ? AND (sort_key < ? OR id < ?)
     ORDER BY sort_key, id"
);
const PUT: Rows = rows! {
    default: [
        "INSERT INTO shelves (sort_key, id, numbers) VALUES ",
        "(?, ?, ?)",
        " ON CONFLICT (sort_key, id) DO UPDATE SET numbers = excluded.numbers"
    ],
    mysql: [
        "INSERT INTO shelves (sort_key, id, numbers) VALUES ",
        "(?, ?, ?)",
        " ON DUPLICATE KEY UPDATE numbers = VALUES(numbers)"
    ],
};

/// Films that stand side by side.
#[derive(Debug)]
pub(crate) struct Shelf {
    /// Where it begins.
    pub(crate) sort_key: String,
    pub(crate) id: String,
    /// In the order of the catalogue.
    pub(crate) numbers: Vec<u32>,
}

/// The shelf that a place is on.
pub(super) async fn at(tx: &mut Tx, (sort_key, id): (&str, &str)) -> Result<Shelf, StoreError> {
    let row = tx.query_one(AT, params![sort_key, sort_key, id]).await?;
    read(&row)
}

/// How many shelves are read at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stride {
    /// 4.
    Few,
    /// 32.
    Many,
}

impl Stride {
    /// One for a walk that is expected to pass so many films.
    pub(crate) fn past(films: usize) -> Self {
        // Most are half full at least.
        if films > 4 * FULL / 2 {
            Stride::Many
        } else {
            Stride::Few
        }
    }
}

/// The next shelves that begin after a place, in order.
pub(super) async fn after(
    tx: &mut Tx,
    place: (&str, &str),
    stride: Stride,
) -> Result<Vec<Shelf>, StoreError> {
    let sql = match stride {
        Stride::Few => FEW,
        Stride::Many => MANY,
    };
    read_after(tx, sql, place).await
}

async fn read_after(
    tx: &mut Tx,
    sql: Sql,
    (sort_key, id): (&str, &str),
) -> Result<Vec<Shelf>, StoreError> {
    let params = params![sort_key, sort_key, id];
    tx.query(sql, params).await?.iter().map(read).collect()
}

/// Places that films came to or left, gathered so that each shelf is written once.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeSet<(String, String)>);

impl Changes {
    /// A film comes, or stands elsewhere than before.
    pub(super) fn film(&mut self, before: Option<&Film>, sort_key: &str, id: &str) {
        let left = before.map(Film::sort_key);
        if left.as_deref() == Some(sort_key) {
            return;
        }
        let places = left.into_iter().chain([sort_key.to_owned()]);
        self.0.extend(places.map(|key| (key, id.to_owned())));
    }

    /// To be called when the films are written.
    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), StoreError> {
        let mut places = self.0.into_iter().peekable();
        let mut written = Vec::new();
        while let Some((sort_key, id)) = places.next() {
            let Shelf { sort_key, id, .. } = at(tx, (&sort_key, &id)).await?;
            let next = read_after(tx, NEXT, (&sort_key, &id)).await?;
            // No sort key holds the greatest character.
            let end = next.into_iter().next().map_or_else(
                || ("\u{10ffff}".to_owned(), String::new()),
                |next| (next.sort_key, next.id),
            );
            while places.next_if(|place| *place < end).is_some() {}
            let films = films_between(tx, (&sort_key, &id), (&end.0, &end.1)).await?;
            divide(tx, (sort_key, id), &films, &mut written).await?;
        }
        let rows: Vec<Param<'_>> = written
            .iter()
            .flat_map(|(sort_key, id, numbers)| params![sort_key, id, numbers])
            .collect();
        PUT.execute(tx, 3, &rows).await.map(drop)
    }
}

/// In the order of the catalogue.
async fn films_between(
    tx: &mut Tx,
    (sort_key, id): (&str, &str),
    (end_key, end_id): (&str, &str),
) -> Result<Vec<u32>, StoreError> {
    let params = params![sort_key, sort_key, id, end_key, end_key, end_id];
    let mut films = Vec::new();
    for row in tx.query(FILMS_BETWEEN, params).await? {
        let number = row.get(0)?;
        // Those that are not entered yet have no number.
        if number != 0 {
            films.push(number);
        }
    }
    Ok(films)
}

/// Adds the rows of shelves for these films, the first of which begins at this place; the others
/// begin at their first film.
async fn divide(
    tx: &mut Tx,
    (sort_key, id): (String, String),
    films: &[u32],
    rows: &mut Vec<(String, String, Vec<u8>)>,
) -> Result<(), StoreError> {
    if films.len() <= FULL {
        rows.push((sort_key, id, encode(films)));
        return Ok(());
    }
    let parts = films.len().div_ceil(DIVIDED);
    let mut parts = films.chunks(films.len().div_ceil(parts));
    let first = parts.next().unwrap_or_default();
    rows.push((sort_key, id, encode(first)));
    for part in parts {
        for row in PLACES_OF_NUMBERS.query(tx, &part[..1], &[]).await? {
            let place = read_place(&row)?;
            rows.push((place.sort_key, place.id, encode(part)));
        }
    }
    Ok(())
}

fn encode(numbers: &[u32]) -> Vec<u8> {
    let bytes = numbers.iter().copied().map(u32::to_be_bytes);
    bytes.flatten().collect()
}

fn read(row: &Row) -> Result<Shelf, StoreError> {
    let bytes: &[u8] = row.get(2)?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(StoreError::Column {
            column: 2,
            expected: "film numbers of four bytes".to_owned(),
            found: format!("{} bytes", bytes.len()),
        });
    }
    Ok(Shelf {
        sort_key: row.get(0)?,
        id: row.get(1)?,
        numbers: numbers.iter().copied().map(u32::from_be_bytes).collect(),
    })
}
