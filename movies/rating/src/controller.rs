//! The rules of ratings, and what is one commit.

mod lists;
mod looking;
mod many;

use crate::changes;
use crate::live::Live;
use crate::model::{Aggregate, HalfStars, Rating, Record};
use crate::repository::Ratings;
use backlot::storage::{Dialect, Store};
use backlot::{Clock, Context, Error, Permission, Rule};
use movies_api::events::RatingsChanged;
use tokio::sync::{Semaphore, watch};

/// What users do here.
#[derive(Clone, Copy, Debug)]
enum Action {
    Rate,
    SeeOwn,
    Import,
}

impl Permission for Action {
    fn name(&self) -> &'static str {
        match self {
            Action::Rate => "rate on behalf of this user",
            Action::SeeOwn => "see this user's rating",
            Action::Import => "import ratings",
        }
    }

    fn rule(&self) -> Rule {
        match self {
            Action::Rate | Action::SeeOwn => Rule::Owner,
            Action::Import => Rule::Role("importer"),
        }
    }
}

pub(crate) struct Controller {
    store: Store,
    live: Live,
    clock: Clock,
    /// How many batches may be written at once.
    batches: Semaphore,
    /// How often changes may have been missed.
    missed: watch::Sender<u64>,
}

impl Controller {
    /// Ratings in `store`, dated by `clock`.
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        // An embedded store puts writes into a queue and into common commits. Others would run
        // batches side by side, which share their popular records: each but one would begin again.
        let batches = match store.dialect() {
            Dialect::Sqlite => Semaphore::MAX_PERMITS,
            _ => 1,
        };
        Controller {
            store,
            live: Live::default(),
            clock,
            batches: Semaphore::new(batches),
            missed: watch::Sender::new(0),
        }
    }

    /// Rates, or replaces a rating. Repeating it under the same key gives the same answer.
    pub(crate) async fn put(&self, cx: &Context, rating: Rating) -> Result<Aggregate, Error> {
        cx.allow(Action::Rate, &rating.user)?;
        let clock = self.clock.clone();
        self.store
            .write_once(cx, cx.idempotency(), move |tx| {
                let (rating, now) = (rating.clone(), clock.wall());
                Box::pin(async move {
                    let (changed, after) = Ratings::in_tx(tx).put(&rating, now).await?;
                    if changed {
                        let by = (&*rating.user, Some(rating.value));
                        changes::publish_one(tx, by, &rating.record, &after, now)?;
                    }
                    Ok::<_, Error>(after)
                })
            })
            .await
    }

    /// Takes a rating back; whether there was one.
    pub(crate) async fn delete(
        &self,
        cx: &Context,
        record: Record,
        user: String,
    ) -> Result<(bool, Aggregate), Error> {
        cx.allow(Action::Rate, &user)?;
        let clock = self.clock.clone();
        self.store
            .write_once(cx, cx.idempotency(), move |tx| {
                let (record, user, now) = (record.clone(), user.clone(), clock.wall());
                Box::pin(async move {
                    let (deleted, after) = Ratings::in_tx(tx).delete(&record, &user, now).await?;
                    if deleted {
                        changes::publish_one(tx, (&*user, None), &record, &after, now)?;
                    }
                    Ok::<_, Error>((deleted, after))
                })
            })
            .await
    }

    pub(crate) async fn get(
        &self,
        cx: &Context,
        record: Record,
        user: String,
    ) -> Result<HalfStars, Error> {
        cx.allow(Action::SeeOwn, &user)?;
        let found = {
            let (record, user) = (record.clone(), user.clone());
            self.store
                .read(cx, move |tx| {
                    let (record, user) = (record.clone(), user.clone());
                    Box::pin(async move {
                        Ok::<_, Error>(Ratings::in_tx(tx).get(&record, &user).await?)
                    })
                })
                .await?
        };
        found.ok_or_else(|| {
            Error::not_found(format!(
                "{user:?} has not rated {} {:?}",
                record.kind, record.id
            ))
        })
    }

    pub(crate) async fn aggregate(&self, cx: &Context, record: Record) -> Result<Aggregate, Error> {
        self.store
            .read(cx, move |tx| {
                let record = record.clone();
                Box::pin(async move { Ok(Ratings::in_tx(tx).aggregate(&record).await?) })
            })
            .await
    }

    /// In the order asked.
    pub(crate) async fn aggregates(
        &self,
        cx: &Context,
        records: Vec<Record>,
    ) -> Result<Vec<Aggregate>, Error> {
        self.store
            .read(cx, move |tx| {
                let records = records.clone();
                Box::pin(async move {
                    let mut aggregates = Vec::with_capacity(records.len());
                    let mut ratings = Ratings::in_tx(tx);
                    for record in &records {
                        aggregates.push(ratings.aggregate(record).await?);
                    }
                    Ok(aggregates)
                })
            })
            .await
    }

    /// The aggregate now and after each change.
    pub(crate) async fn watch(
        &self,
        cx: &Context,
        record: Record,
    ) -> Result<watch::Receiver<Aggregate>, Error> {
        // Subscribed before it is read: a change in between is seen, whichever comes first.
        let receiver = self.live.subscribe(&record);
        let now = self.aggregate(cx, record.clone()).await?;
        self.live.publish(&record, &now);
        Ok(receiver)
    }

    /// Tells watchers in this process what an event says.
    pub(crate) fn tell(&self, event: RatingsChanged) {
        let RatingsChanged {
            record_type: kind,
            changes,
            ..
        } = event;
        self.live
            .publish_many(kind, changes.into_iter().map(changes::told));
    }
}

#[cfg(test)]
mod batch_tests;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod tests;
