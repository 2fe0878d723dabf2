//! Many ratings in one commit, for importers.

use super::{Action, Controller};
use crate::batch::Batch;
use crate::model::{Aggregate, OutsideRating};
use crate::repository::Ratings;
use backlot::{Context, Error};
use std::sync::{Arc, Mutex, PoisonError};

/// How many ratings a batch added, and how many it gave another value.
pub(crate) type Counted = (u32, u32);

/// The aggregates a batch changed, by the places of their records in it.
type Changed = Vec<(usize, Aggregate)>;

impl Controller {
    /// Changes ratings of anybody. Repeating it under the same key gives the same answer; repeating
    /// it otherwise changes nothing.
    pub(crate) async fn put_batch(&self, cx: &Context, batch: Batch) -> Result<Counted, Error> {
        cx.allow(Action::Import, "")?;
        let _turn = cx.deadline().run(self.turn()).await?;
        let batch = Arc::new(batch);
        // Beside the answer, not in it: the answer is kept under the key, this is for whoever
        // watches now. It holds what the last attempt left, which is the one that was committed.
        let changed: Arc<Mutex<Changed>> = Arc::default();
        let counted = {
            let (batch, changed) = (Arc::clone(&batch), Arc::clone(&changed));
            let clock = self.clock.clone();
            self.store.write_once(cx, cx.idempotency(), move |tx| {
                let (batch, changed) = (Arc::clone(&batch), Arc::clone(&changed));
                let now = clock.wall();
                Box::pin(async move {
                    let written = Ratings::in_tx(tx).apply(&batch, now).await?;
                    // Nothing in here panics while it holds the lock.
                    *changed.lock().unwrap_or_else(PoisonError::into_inner) = written.aggregates;
                    Ok::<_, Error>((written.created, written.changed))
                })
            })
        };
        let counted: Counted = counted.await?;
        let changed = std::mem::take(&mut *changed.lock().unwrap_or_else(PoisonError::into_inner));
        self.live.publish_batch(&batch, &changed);
        Ok(counted)
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
