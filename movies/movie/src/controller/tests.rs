use super::*;
use async_trait::async_trait;
use backlot::Streaming;
use movies_api::{
    BatchGetAggregatedRatingsResponse, DeleteRatingRequest, DeleteRatingResponse,
    GetAggregatedRatingResponse, GetMetadataResponse, GetRatingRequest, GetRatingResponse,
    ListMetadataResponse, PutMetadataRequest, PutMetadataResponse, PutRatingRequest,
    PutRatingResponse, RatingChanged, WatchRatingsRequest,
};
use std::time::Duration;

struct Films;

#[async_trait]
impl api::Metadata for Films {
    async fn get_metadata(
        &self,
        _: &Context,
        request: GetMetadataRequest,
    ) -> Result<GetMetadataResponse, Error> {
        match request.movie_id.as_str() {
            "unknown" => Err(Error::not_found("no film \"unknown\"")),
            id => Ok(GetMetadataResponse {
                metadata: Some(Metadata {
                    id: id.into(),
                    ..Metadata::default()
                }),
            }),
        }
    }
    async fn put_metadata(
        &self,
        _: &Context,
        _: PutMetadataRequest,
    ) -> Result<PutMetadataResponse, Error> {
        Err(Error::unimplemented("not asked here"))
    }
    async fn list_metadata(
        &self,
        _: &Context,
        _: ListMetadataRequest,
    ) -> Result<ListMetadataResponse, Error> {
        let film = |id: &str| Metadata {
            id: id.into(),
            ..Metadata::default()
        };
        Ok(ListMetadataResponse {
            metadata: vec![film("a"), film("b")],
            next_page_token: "next".into(),
        })
    }

    async fn search_metadata(
        &self,
        _cx: &Context,
        _request: api::SearchMetadataRequest,
    ) -> Result<api::SearchMetadataResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn batch_get_metadata(
        &self,
        _cx: &Context,
        _request: api::BatchGetMetadataRequest,
    ) -> Result<api::BatchGetMetadataResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn batch_put_metadata(
        &self,
        _cx: &Context,
        _request: api::BatchPutMetadataRequest,
    ) -> Result<api::BatchPutMetadataResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_facets(
        &self,
        _cx: &Context,
        _request: api::ListFacetsRequest,
    ) -> Result<api::ListFacetsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_metadata_changes(
        &self,
        _cx: &Context,
        _request: api::ListMetadataChangesRequest,
    ) -> Result<api::ListMetadataChangesResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn start_upload(
        &self,
        _cx: &Context,
        _request: api::StartUploadRequest,
    ) -> Result<api::StartUploadResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn append_upload(
        &self,
        _cx: &Context,
        _request: api::AppendUploadRequest,
    ) -> Result<api::AppendUploadResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn finish_upload(
        &self,
        _cx: &Context,
        _request: api::FinishUploadRequest,
    ) -> Result<api::FinishUploadResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn get_file(
        &self,
        _cx: &Context,
        _request: api::GetFileRequest,
    ) -> Result<Streaming<api::GetFileResponse>, Error> {
        Err(Error::unimplemented("not part of this double"))
    }
}

/// Answers with this code, with ratings (`None`), or never.
struct Ratings {
    fails: Option<Code>,
    count: u32,
    hangs: bool,
}

const GOOD: Ratings = Ratings {
    fails: None,
    count: 3,
    hangs: false,
};

impl Ratings {
    async fn answer(&self, cx: &Context) -> Result<Aggregate, Error> {
        if self.hangs {
            return cx.deadline().run(std::future::pending()).await;
        }
        match self.fails {
            Some(code) => Err(Error::new(code, "as told")),
            None => Ok(Aggregate {
                count: self.count,
                mean: Some(4.0),
                ..Aggregate::default()
            }),
        }
    }
}

#[async_trait]
impl api::Rating for Ratings {
    async fn get_aggregated_rating(
        &self,
        cx: &Context,
        _: GetAggregatedRatingRequest,
    ) -> Result<GetAggregatedRatingResponse, Error> {
        Ok(GetAggregatedRatingResponse {
            aggregate: Some(self.answer(cx).await?),
        })
    }
    async fn batch_get_aggregated_ratings(
        &self,
        cx: &Context,
        request: BatchGetAggregatedRatingsRequest,
    ) -> Result<BatchGetAggregatedRatingsResponse, Error> {
        let one = self.answer(cx).await?;
        Ok(BatchGetAggregatedRatingsResponse {
            aggregates: vec![one; request.record_ids.len()],
        })
    }
    async fn put_rating(
        &self,
        _: &Context,
        _: PutRatingRequest,
    ) -> Result<PutRatingResponse, Error> {
        Err(Error::unimplemented("not asked here"))
    }
    async fn delete_rating(
        &self,
        _: &Context,
        _: DeleteRatingRequest,
    ) -> Result<DeleteRatingResponse, Error> {
        Err(Error::unimplemented("not asked here"))
    }
    async fn get_rating(
        &self,
        _: &Context,
        _: GetRatingRequest,
    ) -> Result<GetRatingResponse, Error> {
        Err(Error::unimplemented("not asked here"))
    }
    async fn watch_ratings(
        &self,
        _: &Context,
        _: WatchRatingsRequest,
    ) -> Result<Streaming<RatingChanged>, Error> {
        Err(Error::unimplemented("not asked here"))
    }

    async fn batch_put_ratings(
        &self,
        _cx: &Context,
        _request: api::BatchPutRatingsRequest,
    ) -> Result<api::BatchPutRatingsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_user_ratings(
        &self,
        _cx: &Context,
        _request: api::ListUserRatingsRequest,
    ) -> Result<api::ListUserRatingsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_aggregate_changes(
        &self,
        _cx: &Context,
        _request: api::ListAggregateChangesRequest,
    ) -> Result<api::ListAggregateChangesResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn batch_put_outside_ratings(
        &self,
        _cx: &Context,
        _request: api::BatchPutOutsideRatingsRequest,
    ) -> Result<api::BatchPutOutsideRatingsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_outside_ratings(
        &self,
        _cx: &Context,
        _request: api::ListOutsideRatingsRequest,
    ) -> Result<api::ListOutsideRatingsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }
}

fn movies(ratings: Ratings) -> Controller {
    Controller::new(Arc::new(Films), Arc::new(ratings))
}

#[tokio::test]
async fn a_film_comes_with_its_rating() {
    let joined = movies(GOOD)
        .details(&Context::background(), "a".into())
        .await
        .unwrap();
    assert_eq!(joined.answer.rating.unwrap().count, 3);
    assert!(joined.degraded.is_empty());
}

#[tokio::test]
async fn whatever_ails_rating_the_film_still_comes_marked() {
    for code in Code::ALL {
        let ratings = Ratings {
            fails: Some(code),
            ..GOOD
        };
        let joined = movies(ratings)
            .details(&Context::background(), "a".into())
            .await
            .unwrap();
        assert_eq!(joined.answer.metadata.unwrap().id, "a");
        assert_eq!(joined.answer.rating, None);
        assert_eq!(joined.degraded, ["rating"], "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_rating_service_leaves_time_to_answer_without_it() {
    let cx = Context::background().with_timeout(Duration::from_secs(1));
    let ratings = Ratings {
        hangs: true,
        ..GOOD
    };
    let joined = cx
        .deadline()
        .run(movies(ratings).details(&cx, "a".into()))
        .await
        .unwrap();
    assert_eq!(joined.degraded, ["rating"]);
    assert!(cx.deadline().remaining() >= Duration::from_millis(400));
}

#[tokio::test]
async fn an_unknown_film_is_not_found_whatever_its_ratings() {
    let error = movies(GOOD)
        .details(&Context::background(), "unknown".into())
        .await
        .err()
        .unwrap();
    assert_eq!(error.code(), Code::NotFound);
}

#[tokio::test]
async fn nobody_rated_it_is_not_degraded() {
    let joined = movies(Ratings { count: 0, ..GOOD })
        .details(&Context::background(), "a".into())
        .await
        .unwrap();
    assert_eq!(joined.answer.rating, None);
    assert!(joined.degraded.is_empty());
}

#[tokio::test]
async fn a_page_of_films_without_ratings_is_marked_too() {
    let joined = movies(GOOD)
        .list(&Context::background(), 2, String::new())
        .await
        .unwrap();
    assert_eq!(joined.answer.0.len(), 2);
    assert!(joined.degraded.is_empty());
    let ratings = Ratings {
        fails: Some(Code::Unavailable),
        ..GOOD
    };
    let joined = movies(ratings)
        .list(&Context::background(), 2, String::new())
        .await
        .unwrap();
    assert_eq!(joined.answer.0.len(), 2);
    assert_eq!(joined.degraded, ["rating"]);
}
