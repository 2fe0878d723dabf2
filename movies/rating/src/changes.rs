//! What others are told of changes: events, published in the commit that makes them.

use crate::batch::Batch;
use crate::model::{Aggregate, HalfStars, Record};
use backlot::Timestamp;
use backlot::messaging::outbox::Publishing;
use backlot::storage::{StoreError, Tx};
use movies_api::events::{RatingsChanged, RecordChange};

/// Tells what one user's write left: a rating, or none.
pub(crate) fn publish_one(
    tx: &mut Tx,
    (user, value): (&str, Option<HalfStars>),
    record: &Record,
    aggregate: &Aggregate,
    now: Timestamp,
) -> Result<(), StoreError> {
    let change = change(&record.id, aggregate, now);
    let value = value.map(HalfStars::get);
    let event = RatingsChanged::by(user, value, &record.kind, change);
    tx.publish(&event).into_inner()
}

/// Tells what a batch did: the aggregates that changed, by the places of their records in it, which
/// rise.
pub(crate) fn publish_many(
    tx: &mut Tx,
    batch: &Batch,
    aggregates: &[(usize, Aggregate)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let record = |place: &usize| &batch.records()[*place];
    // Records are in order of kind.
    let of_one_kind =
        aggregates.chunk_by(|(one, _), (other, _)| record(one).kind == record(other).kind);
    for aggregates in of_one_kind {
        let Some((first, _)) = aggregates.first() else {
            continue;
        };
        let changes = aggregates
            .iter()
            .map(|(place, aggregate)| change(&record(place).id, aggregate, now));
        for event in RatingsChanged::of_many(&record(first).kind, changes) {
            tx.publish(&event).into_inner()?;
        }
    }
    Ok(())
}

fn change(record_id: &str, aggregate: &Aggregate, now: Timestamp) -> RecordChange {
    RecordChange {
        record_id: record_id.to_owned(),
        count: aggregate.count,
        sum: aggregate.sum,
        histogram: aggregate.histogram,
        version: aggregate.version,
        changed_at: now.0,
    }
}

/// What an event says of a record.
pub(crate) fn told(change: RecordChange) -> (String, Aggregate) {
    let aggregate = Aggregate {
        count: change.count,
        sum: change.sum,
        histogram: change.histogram,
        version: change.version,
    };
    (change.record_id, aggregate)
}
