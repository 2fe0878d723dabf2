//! The contract of ratings, for gRPC, REST and direct calls alike.

use crate::controller::Controller;
use crate::model::{Aggregate, HalfStars, Rating, Record};
use async_trait::async_trait;
use backlot::{Context, Error, Streaming};
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
            value: HalfStars::new(request.half_stars).ok_or_else(|| {
                Error::invalid_argument("value: must be 0.5 to 5 stars")
                    .with_violation("value", "must be 0.5 to 5 stars")
            })?,
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
        _cx: &Context,
        _request: api::BatchPutRatingsRequest,
    ) -> Result<api::BatchPutRatingsResponse, Error> {
        Err(Error::unimplemented("BatchPutRatings is not there yet"))
    }

    async fn list_user_ratings(
        &self,
        _cx: &Context,
        _request: api::ListUserRatingsRequest,
    ) -> Result<api::ListUserRatingsResponse, Error> {
        Err(Error::unimplemented("ListUserRatings is not there yet"))
    }

    async fn list_aggregate_changes(
        &self,
        _cx: &Context,
        _request: api::ListAggregateChangesRequest,
    ) -> Result<api::ListAggregateChangesResponse, Error> {
        Err(Error::unimplemented(
            "ListAggregateChanges is not there yet",
        ))
    }

    async fn batch_put_outside_ratings(
        &self,
        _cx: &Context,
        _request: api::BatchPutOutsideRatingsRequest,
    ) -> Result<api::BatchPutOutsideRatingsResponse, Error> {
        Err(Error::unimplemented(
            "BatchPutOutsideRatings is not there yet",
        ))
    }

    async fn list_outside_ratings(
        &self,
        _cx: &Context,
        _request: api::ListOutsideRatingsRequest,
    ) -> Result<api::ListOutsideRatingsResponse, Error> {
        Err(Error::unimplemented("ListOutsideRatings is not there yet"))
    }
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
