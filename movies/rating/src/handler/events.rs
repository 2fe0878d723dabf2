//! Ratings that others submit as events, and changes as they are told to watchers.

use crate::batch::Gathering;
use crate::controller::Controller;
use crate::model::HalfStars;
use async_trait::async_trait;
use backlot::messaging::consume::{Consume, Failing, Failure};
use backlot::messaging::follow::Follow;
use backlot::storage::Tx;
use backlot::{Context, Error};
use movies_api::events::{RatingSubmitted, RatingsChanged};
use std::sync::Arc;

/// Takes ratings in.
pub(crate) struct Events(pub(crate) Arc<Controller>);

#[async_trait]
impl Consume<RatingSubmitted> for Events {
    async fn consume(
        &self,
        _cx: &Context,
        tx: &mut Tx,
        event: RatingSubmitted,
    ) -> Result<(), Failure> {
        let mut changes = Gathering::default();
        gather(&mut changes, &event).map_err(Failing::permanent)?;
        Ok(self.0.ingest(tx, &changes.finish()).await?)
    }

    async fn consume_batch(
        &self,
        _cx: &Context,
        tx: &mut Tx,
        events: &[RatingSubmitted],
    ) -> Result<(), Failure> {
        let (mut changes, mut wrong) = (Gathering::default(), Vec::new());
        for (place, event) in events.iter().enumerate() {
            if let Err(error) = gather(&mut changes, event) {
                wrong.push((place, error.permanent()));
            }
        }
        if !wrong.is_empty() {
            return Err(Failure::among(wrong));
        }
        Ok(self.0.ingest(tx, &changes.finish()).await?)
    }
}

fn gather(changes: &mut Gathering, event: &RatingSubmitted) -> Result<(), Error> {
    let said = event.submitted()?;
    let record = (said.record_type, said.record_id);
    match said.half_stars {
        None => changes.delete(said.user_id, record),
        Some(half_stars) => {
            // The event has checked it; this type says so once more.
            let value = HalfStars::new(half_stars.into())
                .ok_or_else(|| Error::invalid_argument("value: must be 0.5 to 5 stars"))?;
            changes.put(said.user_id, record, value, said.rated_at);
        }
    }
    Ok(())
}

/// Tells watchers.
pub(crate) struct Watchers(pub(crate) Arc<Controller>);

#[async_trait]
impl Follow<RatingsChanged> for Watchers {
    async fn begin(&self) {
        self.0.look_again();
    }

    fn tell(&self, event: RatingsChanged) {
        self.0.tell(event);
    }
}
