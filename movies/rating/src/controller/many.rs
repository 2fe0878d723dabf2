//! Many ratings in one commit, for importers.

use super::{Action, Controller};
use crate::batch::Batch;
use crate::changes;
use crate::model::OutsideRating;
use crate::repository::{Ratings, Written};
use backlot::storage::{StoreError, Tx};
use backlot::{Context, Error, Timestamp};
use std::sync::Arc;

/// How many ratings a batch added, and how many it gave another value.
pub(crate) type Counted = (u32, u32);

/// Makes changes, and publishes what they come to, in one transaction.
async fn apply(tx: &mut Tx, batch: &Batch, now: Timestamp) -> Result<Written, StoreError> {
    let written = Ratings::in_tx(tx).apply(batch, now).await?;
    changes::publish_many(tx, batch, &written.aggregates, now)?;
    Ok(written)
}

impl Controller {
    /// Changes ratings of anybody. Repeating it under the same key gives the same answer; repeating
    /// it otherwise changes nothing.
    pub(crate) async fn put_batch(&self, cx: &Context, batch: Batch) -> Result<Counted, Error> {
        cx.allow(Action::Import, "")?;
        let _turn = cx.deadline().run(self.turn()).await?;
        let (batch, clock) = (Arc::new(batch), self.clock.clone());
        self.store
            .write_once(cx, cx.idempotency(), move |tx| {
                let (batch, now) = (Arc::clone(&batch), clock.wall());
                Box::pin(async move {
                    let written = apply(tx, &batch, now).await?;
                    Ok::<_, Error>((written.created, written.changed))
                })
            })
            .await
    }

    /// Makes changes that came as events, in the transaction that says so.
    pub(crate) async fn ingest(&self, tx: &mut Tx, batch: &Batch) -> Result<(), StoreError> {
        apply(tx, batch, self.clock.wall()).await.map(drop)
    }

    /// Writes averages of one source; of those of the same record the last one stays.
    pub(crate) async fn put_outside(
        &self,
        cx: &Context,
        kind: String,
        mut ratings: Vec<OutsideRating>,
    ) -> Result<(), Error> {
        cx.allow(Action::Import, "")?;
        let _turn = cx.deadline().run(self.turn()).await?;
        // The sort is stable: equals stay in the order they came.
        ratings.sort_by(|one, other| one.record_id.cmp(&other.record_id));
        ratings.dedup_by(|later, kept| {
            let same = later.record_id == kept.record_id;
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        let work = Arc::new((kind, ratings));
        self.store
            .write_once(cx, cx.idempotency(), move |tx| {
                let work = Arc::clone(&work);
                Box::pin(async move {
                    let (kind, ratings) = &*work;
                    Ok::<_, Error>(Ratings::in_tx(tx).put_outside(kind, ratings).await?)
                })
            })
            .await
    }

    /// The leave to write a batch now.
    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Error> {
        self.batches
            .acquire()
            .await
            .map_err(|closed| Error::unavailable("batches are refused").with_source(closed))
    }
}
