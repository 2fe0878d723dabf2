//! What the file says, read without any of the code that wrote it.

use super::shadow::{Shadow, Totals};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;

/// Compares the stored ratings and aggregates, and these with one another.
pub(super) fn equals(shadow: &Shadow, file: &Path) {
    let store = Connection::open(file).unwrap();
    let sound: String = store
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
    assert_eq!(ratings(&store), shadow.ratings, "stored, and acknowledged");
    assert_eq!(
        aggregates(&store),
        shadow.totals(),
        "stored, and what the acknowledged ratings come to"
    );
}

fn ratings(store: &Connection) -> BTreeMap<(String, String), i32> {
    let mut all = store
        .prepare("SELECT record_id, user_id, half_stars FROM ratings JOIN users ON users.number = ratings.user_number JOIN aggregates ON aggregates.number = ratings.record_number")
        .unwrap();
    let rows = all
        .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))
        .unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn aggregates(store: &Connection) -> BTreeMap<String, Totals> {
    let mut all = store
        .prepare("SELECT record_id, count, sum, version, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10 FROM aggregates")
        .unwrap();
    let number =
        |row: &rusqlite::Row<'_>, column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let rows = all.query_map([], |row| {
        let mut histogram = [0; 10];
        for (index, cell) in histogram.iter_mut().enumerate() {
            *cell = number(row, 4 + index)?;
        }
        let totals = Totals {
            count: number(row, 1)?,
            sum: number(row, 2)?,
            version: number(row, 3)?,
            histogram,
        };
        Ok((row.get(0)?, totals))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}
