//! Averages that others publish.

use super::Ratings;
use crate::model::{OutsideRating, Record};
use backlot::storage::{Row, Rows, Sql, StoreError, params, rows, sql};

const UPSERT: Rows = rows! {
    default: [
        "INSERT INTO outside_ratings (record_type, record_id, source, mean, votes) VALUES ",
        "(?, ?, ?, ?, ?)",
        " ON CONFLICT (record_type, record_id, source)
          DO UPDATE SET mean = excluded.mean, votes = excluded.votes"
    ],
    mysql: [
        "INSERT INTO outside_ratings (record_type, record_id, source, mean, votes) VALUES ",
        "(?, ?, ?, ?, ?)",
        " ON DUPLICATE KEY UPDATE mean = VALUES(mean), votes = VALUES(votes)"
    ],
};
const SELECT: Sql = sql!(
    "SELECT record_id, source, mean, votes FROM outside_ratings
     WHERE record_type = ? AND record_id = ? ORDER BY source LIMIT ?"
);

impl Ratings<'_> {
    /// Writes averages over earlier ones of the same records and sources, no two of which may be
    /// the same.
    pub(crate) async fn put_outside(
        &mut self,
        kind: &str,
        ratings: &[OutsideRating],
    ) -> Result<(), StoreError> {
        for (sql, ratings) in UPSERT.over(ratings) {
            let mut values = Vec::with_capacity(5 * ratings.len());
            for rating in ratings {
                let OutsideRating {
                    record_id,
                    source,
                    mean,
                    votes,
                } = rating;
                values.extend(params![kind, record_id, source, *mean, *votes]);
            }
            self.tx.execute(sql, &values).await?;
        }
        Ok(())
    }

    /// At most `limit` averages of a record, in order of source.
    pub(crate) async fn outside(
        &mut self,
        record: &Record,
        limit: i64,
    ) -> Result<Vec<OutsideRating>, StoreError> {
        let rows = self
            .tx
            .query(SELECT, params![&record.kind, &record.id, limit])
            .await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<OutsideRating, StoreError> {
    Ok(OutsideRating {
        record_id: row.get(0)?,
        source: row.get(1)?,
        mean: row.get(2)?,
        votes: row.get(3)?,
    })
}
