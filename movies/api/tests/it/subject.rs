//! The services under test: they answer what they were asked, so that a test sees what arrived.

use backlot::rpc::{Edge, rest};
use backlot::{Context, Error, Streaming};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use movies_api::*;
use serde_json::Value;
use std::time::Duration;
use tower::ServiceExt;

pub(crate) type Body = backlot::axum::body::Body;

/// Keeps no rating; its aggregate shows the last one.
pub(crate) struct Ratings;

/// `count` is the half stars asked for, so that a test sees them unchanged.
fn aggregate(half_stars: i32) -> Option<Aggregate> {
    Some(Aggregate {
        count: u32::try_from(half_stars).unwrap(),
        mean: (half_stars > 0).then(|| f64::from(half_stars) / 2.0),
        histogram: vec![0; 10],
        version: 1,
    })
}

#[async_trait::async_trait]
impl Rating for Ratings {
    async fn put_rating(
        &self,
        _cx: &Context,
        request: PutRatingRequest,
    ) -> Result<PutRatingResponse, Error> {
        Ok(PutRatingResponse {
            aggregate: aggregate(request.half_stars),
        })
    }

    async fn delete_rating(
        &self,
        _cx: &Context,
        _: DeleteRatingRequest,
    ) -> Result<DeleteRatingResponse, Error> {
        Ok(DeleteRatingResponse {
            deleted: true,
            aggregate: None,
        })
    }

    async fn get_rating(
        &self,
        _cx: &Context,
        request: GetRatingRequest,
    ) -> Result<GetRatingResponse, Error> {
        match request.user_id.as_str() {
            "busy" => Err(Error::unavailable("ratings cannot be read now")
                .with_pushback(Duration::from_millis(1200))
                .with_source("disk I/O error at sector 7")),
            "broken" => {
                Err(Error::internal("the rating is not as it must be").with_source("secret"))
            }
            "nobody" => Err(Error::not_found("no rating by \"nobody\"")),
            "locked" => Err(Error::permission_denied("only the user may see it")),
            _ => Ok(GetRatingResponse { half_stars: 9 }),
        }
    }

    async fn get_aggregated_rating(
        &self,
        _cx: &Context,
        request: GetAggregatedRatingRequest,
    ) -> Result<GetAggregatedRatingResponse, Error> {
        match request.record_id.as_str() {
            "none" => Ok(GetAggregatedRatingResponse {
                aggregate: aggregate(0),
            }),
            id => Err(Error::not_found(format!("{}|{id}", request.record_type))),
        }
    }

    async fn batch_get_aggregated_ratings(
        &self,
        _cx: &Context,
        request: BatchGetAggregatedRatingsRequest,
    ) -> Result<BatchGetAggregatedRatingsResponse, Error> {
        Ok(BatchGetAggregatedRatingsResponse {
            aggregates: request
                .record_ids
                .iter()
                .filter_map(|_| aggregate(0))
                .collect(),
        })
    }

    async fn watch_ratings(
        &self,
        _cx: &Context,
        request: WatchRatingsRequest,
    ) -> Result<Streaming<RatingChanged>, Error> {
        if request.record_id == "gone" {
            return Err(Error::not_found("no such record"));
        }
        let changed = move |half_stars| RatingChanged {
            record_type: request.record_type.clone(),
            record_id: request.record_id.clone(),
            aggregate: aggregate(half_stars),
        };
        Ok(Streaming::new(async_stream::stream! {
            yield Ok(changed(0));
            // Longer than a stream may be silent.
            tokio::time::sleep(Duration::from_secs(20)).await;
            yield Ok(changed(9));
            yield Err(Error::unavailable("this instance is stopping: reconnect"));
        }))
    }

    async fn batch_put_ratings(
        &self,
        _cx: &Context,
        _request: movies_api::BatchPutRatingsRequest,
    ) -> Result<movies_api::BatchPutRatingsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_user_ratings(
        &self,
        _cx: &Context,
        _request: movies_api::ListUserRatingsRequest,
    ) -> Result<movies_api::ListUserRatingsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_aggregate_changes(
        &self,
        _cx: &Context,
        _request: movies_api::ListAggregateChangesRequest,
    ) -> Result<movies_api::ListAggregateChangesResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn batch_put_outside_ratings(
        &self,
        _cx: &Context,
        _request: movies_api::BatchPutOutsideRatingsRequest,
    ) -> Result<movies_api::BatchPutOutsideRatingsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_outside_ratings(
        &self,
        _cx: &Context,
        _request: movies_api::ListOutsideRatingsRequest,
    ) -> Result<movies_api::ListOutsideRatingsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }
}

/// Keeps no film; answers with what it was asked.
pub(crate) struct Films;

#[async_trait::async_trait]
impl Metadata for Films {
    async fn get_poster(
        &self,
        _: &Context,
        _: GetPosterRequest,
    ) -> Result<GetPosterResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn get_metadata(
        &self,
        _cx: &Context,
        request: GetMetadataRequest,
    ) -> Result<GetMetadataResponse, Error> {
        let metadata = metadata::v1::Metadata {
            id: request.movie_id,
            title: "?".to_owned(),
            ..Default::default()
        };
        Ok(GetMetadataResponse {
            metadata: Some(metadata),
        })
    }

    async fn put_metadata(
        &self,
        _cx: &Context,
        request: PutMetadataRequest,
    ) -> Result<PutMetadataResponse, Error> {
        let metadata = request.metadata.unwrap_or_default();
        Ok(PutMetadataResponse {
            created: metadata.id == "tt1" && metadata.title == "Heat" && metadata.year == 1995,
        })
    }

    async fn list_metadata(
        &self,
        _cx: &Context,
        request: ListMetadataRequest,
    ) -> Result<ListMetadataResponse, Error> {
        let next_page_token = format!("{}|{}", request.page_size, request.page_token);
        Ok(ListMetadataResponse {
            metadata: Vec::new(),
            next_page_token,
        })
    }

    async fn search_metadata(
        &self,
        _cx: &Context,
        _request: movies_api::SearchMetadataRequest,
    ) -> Result<movies_api::SearchMetadataResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn batch_get_metadata(
        &self,
        _cx: &Context,
        _request: movies_api::BatchGetMetadataRequest,
    ) -> Result<movies_api::BatchGetMetadataResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn batch_put_metadata(
        &self,
        _cx: &Context,
        _request: movies_api::BatchPutMetadataRequest,
    ) -> Result<movies_api::BatchPutMetadataResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_facets(
        &self,
        _cx: &Context,
        _request: movies_api::ListFacetsRequest,
    ) -> Result<movies_api::ListFacetsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_metadata_changes(
        &self,
        _cx: &Context,
        _request: movies_api::ListMetadataChangesRequest,
    ) -> Result<movies_api::ListMetadataChangesResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn start_upload(
        &self,
        _cx: &Context,
        _request: movies_api::StartUploadRequest,
    ) -> Result<movies_api::StartUploadResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn append_upload(
        &self,
        _cx: &Context,
        _request: movies_api::AppendUploadRequest,
    ) -> Result<movies_api::AppendUploadResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn finish_upload(
        &self,
        _cx: &Context,
        _request: movies_api::FinishUploadRequest,
    ) -> Result<movies_api::FinishUploadResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn get_file(
        &self,
        _cx: &Context,
        _request: movies_api::GetFileRequest,
    ) -> Result<Streaming<movies_api::GetFileResponse>, Error> {
        Err(Error::unimplemented("not part of this double"))
    }
}

pub(crate) fn app() -> backlot::axum::Router {
    rest::routes(&[rating(Ratings), metadata(Films)], &Edge::anonymous()).unwrap()
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn violation(&self) -> (String, String) {
        let json = self.json();
        let text = |name: &str| {
            json["violations"][0][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        (text("field"), text("description"))
    }
}

pub(crate) async fn send(request: Request<Body>) -> Answer {
    let response = app().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

pub(crate) fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path)
}

pub(crate) async fn get(path: &str) -> Answer {
    send(request(Method::GET, path).body(Body::empty()).unwrap()).await
}

pub(crate) async fn with_json(method: Method, path: &str, body: impl Into<Body>) -> Answer {
    send(
        request(method, path)
            .header("content-type", "application/json; charset=utf-8")
            .body(body.into())
            .unwrap(),
    )
    .await
}
