//! Records with very many ratings, put past the service in its own tables: a million calls would
//! take minutes. Aggregates are counted from the rows, as the service would have kept them.

use anyhow::{Result, ensure};
use backlot::Context;
use backlot::storage::{Sql, StoreError, params, sql};
use movies_bench::{names, stores};
use std::path::Path;
use std::time::Duration;

const RATINGS: Sql = sql!(
    "WITH RECURSIVE numbers (number) AS (
        SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < ?
     )
     INSERT INTO ratings (record_type, record_id, user_id, half_stars)
     SELECT ?, ?, printf('bulk-%07d', number), 1 + number * 7 % 10 FROM numbers"
);
const AGGREGATE: Sql = sql!(
    "INSERT INTO aggregates
        (record_type, record_id, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, version)
     SELECT record_type, record_id, COUNT(*), SUM(half_stars),
        SUM(half_stars = 1), SUM(half_stars = 2), SUM(half_stars = 3), SUM(half_stars = 4),
        SUM(half_stars = 5), SUM(half_stars = 6), SUM(half_stars = 7), SUM(half_stars = 8),
        SUM(half_stars = 9), SUM(half_stars = 10), COUNT(*)
     FROM ratings WHERE record_type = ? AND record_id = ? GROUP BY record_type, record_id"
);
const COUNT: Sql = sql!("SELECT count FROM aggregates WHERE record_type = ? AND record_id = ?");

/// Gives a record so many ratings, each of another user. Nobody else may have the folder open.
pub(crate) async fn rate(data: &Path, record: String, ratings: u32) -> Result<()> {
    let store = stores::rating(data)?;
    let cx = Context::background().with_timeout(Duration::from_secs(300));
    let written = store.write(&cx, move |tx| {
        let record = record.clone();
        Box::pin(async move {
            tx.execute(RATINGS, params![i64::from(ratings), names::MOVIE, &record])
                .await?;
            tx.execute(AGGREGATE, params![names::MOVIE, &record])
                .await?;
            tx.query_one(COUNT, params![names::MOVIE, &record])
                .await?
                .get::<u32>(0)
        })
    });
    let counted: Result<u32, StoreError> = written.await;
    ensure!(counted? == ratings, "the ratings were not all counted");
    store.close().await?;
    Ok(())
}
