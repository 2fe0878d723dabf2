//! The contract of ratings, for gRPC, REST and direct calls alike.

use crate::batch::Gathering;
use crate::controller::Controller;
use crate::model::{Aggregate, Change, HalfStars, OutsideRating, OwnRating, Rating, Record};
use async_trait::async_trait;
use backlot::{Context, Error, Streaming, Timestamp};
use movies_api as api;
use movies_api::{
    BatchGetAggregatedRatingsRequest, BatchGetAggregatedRatingsResponse, DeleteRatingRequest,
    DeleteRatingResponse, GetAggregatedRatingRequest, GetAggregatedRatingResponse,
    GetRatingRequest, GetRatingResponse, PutRatingRequest, PutRatingResponse, RatingChanged,
    WatchRatingsRequest,
};
use std::sync::Arc;

pub(crate) struct Grpc(pub(crate) Arc<Controller>);

#[async_trait]
impl api::Rating for Grpc {
    async fn put_rating(
        &self,
        cx: &Context,
        request: PutRatingRequest,
    ) -> Result<PutRatingResponse, Error> {
        let rating = Rating {
            record: Record {
                kind: request.record_type,
                id: request.record_id,
            },
            user: request.user_id,
            value: half_stars(request.half_stars, || "value".to_owned())?,
            rated_at: None,
        };
        let aggregate = self.0.put(cx, rating).await?;
        Ok(PutRatingResponse {
            aggregate: Some(aggregate.into()),
        })
    }

    async fn delete_rating(
        &self,
        cx: &Context,
        request: DeleteRatingRequest,
    ) -> Result<DeleteRatingResponse, Error> {
        let record = Record {
            kind: request.record_type,
            id: request.record_id,
        };
        let (deleted, aggregate) = self.0.delete(cx, record, request.user_id).await?;
        Ok(DeleteRatingResponse {
            deleted,
            aggregate: Some(aggregate.into()),
        })
    }

    async fn get_rating(
        &self,
        cx: &Context,
        request: GetRatingRequest,
    ) -> Result<GetRatingResponse, Error> {
        let record = Record {
            kind: request.record_type,
            id: request.record_id,
        };
        let value = self.0.get(cx, record, request.user_id).await?;
        Ok(GetRatingResponse {
            half_stars: value.get().into(),
        })
    }

    async fn get_aggregated_rating(
        &self,
        cx: &Context,
        request: GetAggregatedRatingRequest,
    ) -> Result<GetAggregatedRatingResponse, Error> {
        let record = Record {
            kind: request.record_type,
            id: request.record_id,
        };
        let aggregate = self.0.aggregate(cx, record).await?;
        Ok(GetAggregatedRatingResponse {
            aggregate: Some(aggregate.into()),
        })
    }

    async fn batch_get_aggregated_ratings(
        &self,
        cx: &Context,
        request: BatchGetAggregatedRatingsRequest,
    ) -> Result<BatchGetAggregatedRatingsResponse, Error> {
        let kind = request.record_type;
        let records = request
            .record_ids
            .into_iter()
            .map(|id| Record {
                kind: kind.clone(),
                id,
            })
            .collect();
        let aggregates = self.0.aggregates(cx, records).await?;
        Ok(BatchGetAggregatedRatingsResponse {
            aggregates: aggregates.into_iter().map(Into::into).collect(),
        })
    }

    async fn watch_ratings(
        &self,
        cx: &Context,
        request: WatchRatingsRequest,
    ) -> Result<Streaming<RatingChanged>, Error> {
        let record = Record {
            kind: request.record_type,
            id: request.record_id,
        };
        let mut changes = self.0.watch(cx, record.clone()).await?;
        Ok(Streaming::new(async_stream::stream! {
            loop {
                let aggregate = changes.borrow_and_update().clone();
                yield Ok(RatingChanged {
                    record_type: record.kind.clone(),
                    record_id: record.id.clone(),
                    aggregate: Some(aggregate.into()),
                });
                if changes.changed().await.is_err() {
                    break;
                }
            }
        }))
    }

    async fn batch_put_ratings(
        &self,
        cx: &Context,
        request: api::BatchPutRatingsRequest,
    ) -> Result<api::BatchPutRatingsResponse, Error> {
        let mut changes = Gathering::default();
        for (index, entry) in request.ratings.iter().enumerate() {
            let value = half_stars(entry.half_stars, || format!("ratings[{index}].value"))?;
            // 0 stands for now.
            let rated_at = (entry.rated_at != 0).then_some(Timestamp(entry.rated_at));
            let record = (&*request.record_type, &*entry.record_id);
            changes.put(&entry.user_id, record, value, rated_at);
        }
        let batch = changes.finish();
        let (created, changed) = self.0.put_batch(cx, batch).await?;
        Ok(api::BatchPutRatingsResponse { created, changed })
    }

    async fn list_user_ratings(
        &self,
        cx: &Context,
        request: api::ListUserRatingsRequest,
    ) -> Result<api::ListUserRatingsResponse, Error> {
        let size = page_size(request.page_size);
        let (ratings, next_page_token) = self
            .0
            .of_user(cx, request.user_id, size, &request.page_token)
            .await?;
        Ok(api::ListUserRatingsResponse {
            ratings: ratings.into_iter().map(Into::into).collect(),
            next_page_token,
        })
    }

    async fn list_aggregate_changes(
        &self,
        cx: &Context,
        request: api::ListAggregateChangesRequest,
    ) -> Result<api::ListAggregateChangesResponse, Error> {
        let size = page_size(request.page_size);
        let since = Timestamp(request.since);
        let (changes, next_page_token) = self
            .0
            .changes(cx, request.record_type, since, size, &request.page_token)
            .await?;
        Ok(api::ListAggregateChangesResponse {
            changes: changes.into_iter().map(Into::into).collect(),
            next_page_token,
        })
    }

    async fn batch_put_outside_ratings(
        &self,
        cx: &Context,
        request: api::BatchPutOutsideRatingsRequest,
    ) -> Result<api::BatchPutOutsideRatingsResponse, Error> {
        let source = request.source;
        let entries = request.ratings.into_iter();
        let ratings = entries
            .map(|entry| OutsideRating {
                record_id: entry.record_id,
                source: source.clone(),
                mean: entry.mean,
                votes: entry.votes,
            })
            .collect();
        self.0.put_outside(cx, request.record_type, ratings).await?;
        Ok(api::BatchPutOutsideRatingsResponse {})
    }

    async fn list_outside_ratings(
        &self,
        cx: &Context,
        request: api::ListOutsideRatingsRequest,
    ) -> Result<api::ListOutsideRatingsResponse, Error> {
        let record = Record {
            kind: request.record_type,
            id: request.record_id,
        };
        let ratings = self.0.outside(cx, record).await?;
        Ok(api::ListOutsideRatingsResponse {
            ratings: ratings.into_iter().map(Into::into).collect(),
        })
    }
}

/// A value of a request; `field` names it. The contract has checked it already.
fn half_stars(value: i32, field: impl FnOnce() -> String) -> Result<HalfStars, Error> {
    HalfStars::new(value).ok_or_else(|| {
        let field = field();
        Error::invalid_argument(format!("{field}: must be 0.5 to 5 stars"))
            .with_violation(field, "must be 0.5 to 5 stars")
    })
}

/// A size of a page that the contract has checked; 0 stands for the usual.
fn page_size(size: i32) -> usize {
    usize::try_from(size).unwrap_or(0)
}

impl From<Aggregate> for api::Aggregate {
    fn from(aggregate: Aggregate) -> Self {
        api::Aggregate {
            mean: aggregate.mean(),
            count: aggregate.count,
            histogram: aggregate.histogram.into(),
            version: aggregate.version,
        }
    }
}

impl From<OwnRating> for api::UserRating {
    fn from(rating: OwnRating) -> Self {
        api::UserRating {
            record_type: rating.record.kind,
            record_id: rating.record.id,
            half_stars: rating.value.get().into(),
            rated_at: rating.rated_at.0,
        }
    }
}

impl From<Change> for api::AggregateChange {
    fn from(change: Change) -> Self {
        api::AggregateChange {
            record_id: change.record_id,
            count: change.count,
            // Of a count of 32 bits, each at most 10.
            sum: change.sum.cast_signed(),
            version: change.version,
            changed_at: change.changed_at.0,
        }
    }
}

impl From<OutsideRating> for api::OutsideRating {
    fn from(rating: OutsideRating) -> Self {
        api::OutsideRating {
            source: rating.source,
            mean: rating.mean,
            votes: rating.votes,
        }
    }
}
