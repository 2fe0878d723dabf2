//! The reads of the services, word for word, over the same reader threads.

use super::proto::movies::metadata::v1::Metadata;
use super::proto::movies::rating::v1::Aggregate;
use backlot::Context;
use backlot::storage::{Row, Sql, Store, StoreError, params, sql};

const SELECT_FILM: Sql = sql!(
    "SELECT id, title, description, director, year, cast_names, genres FROM movies WHERE id = ?"
);
const SELECT_AGGREGATE: Sql = sql!(
    "SELECT count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version
     FROM aggregates WHERE record_type = ? AND record_id = ?"
);

/// A film by its id.
pub(super) async fn film(store: &Store, id: String) -> Result<Option<Metadata>, StoreError> {
    let read = store.read(&Context::background(), move |tx| {
        let id = id.clone();
        Box::pin(async move {
            tx.query_opt(SELECT_FILM, params![&id])
                .await?
                .as_ref()
                .map(read_film)
                .transpose()
        })
    });
    read.await
}

/// The ratings of a record in numbers; nothing when nobody rated it.
pub(super) async fn aggregate(
    store: &Store,
    kind: String,
    id: String,
) -> Result<Option<Aggregate>, StoreError> {
    let read = store.read(&Context::background(), move |tx| {
        let (kind, id) = (kind.clone(), id.clone());
        Box::pin(async move {
            let row = tx.query_opt(SELECT_AGGREGATE, params![&kind, &id]).await?;
            row.as_ref().map(read_aggregate).transpose()
        })
    });
    read.await
}

fn read_film(row: &Row) -> Result<Metadata, StoreError> {
    Ok(Metadata {
        id: row.get(0)?,
        title: row.get(1)?,
        description: row.get(2)?,
        director: row.get(3)?,
        year: row.get(4)?,
        cast: names(row, 5)?,
        genres: names(row, 6)?,
        ..Default::default()
    })
}

fn names(row: &Row, column: usize) -> Result<Vec<String>, StoreError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| StoreError::Column {
        column,
        expected: "a JSON array of strings".to_owned(),
        found: error.to_string(),
    })
}

fn read_aggregate(row: &Row) -> Result<Aggregate, StoreError> {
    let (count, sum): (u32, u64) = (row.get(0)?, row.get(1)?);
    let mut histogram = vec![0; 10];
    for (cell, column) in histogram.iter_mut().zip(2..) {
        *cell = row.get(column)?;
    }
    let mean = (count > 0).then(|| sum as f64 / f64::from(count) / 2.0);
    Ok(Aggregate {
        count,
        mean,
        histogram,
        version: row.get(12)?,
    })
}
