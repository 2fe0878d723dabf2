//! Doubles of the services that movie calls.

use async_trait::async_trait;
use backlot::{Code, Context, Error, Streaming};
use movies_api as api;
use movies_api::metadata::v1::Metadata;
use movies_api::{
    Aggregate, AggregateChange, BatchGetAggregatedRatingsRequest,
    BatchGetAggregatedRatingsResponse, DeleteRatingRequest, DeleteRatingResponse,
    GetAggregatedRatingRequest, GetAggregatedRatingResponse, GetMetadataRequest,
    GetMetadataResponse, GetRatingRequest, GetRatingResponse, ListMetadataRequest,
    ListMetadataResponse, MetadataChange, PutMetadataRequest, PutMetadataResponse,
    PutRatingRequest, PutRatingResponse, RatingChanged, WatchRatingsRequest,
};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

fn present(away: &AtomicBool) -> Result<(), Error> {
    if away.load(Ordering::Relaxed) {
        return Err(Error::unavailable("away, as told"));
    }
    Ok(())
}

/// A short page of what changed since a time, and the token of the next one.
fn page<T>(mut all: Vec<T>, since: i64, token: &str, at: impl Fn(&T) -> i64) -> (Vec<T>, String) {
    all.retain(|change| at(change) >= since);
    all.sort_by_key(at);
    let start = token.parse().unwrap_or(0);
    let rest: Vec<T> = all.into_iter().skip(start).collect();
    let next = if rest.len() > 2 {
        (start + 2).to_string()
    } else {
        String::new()
    };
    (rest.into_iter().take(2).collect(), next)
}

/// A catalogue of any film but "unknown".
#[derive(Default)]
pub(crate) struct Films {
    pub(crate) changes: Mutex<Vec<MetadataChange>>,
    /// Whether it is away.
    pub(crate) away: AtomicBool,
    /// How many milliseconds it takes to answer what changed, and how often it was asked that.
    pub(crate) slow: AtomicU64,
    pub(crate) asked: AtomicU64,
}

fn film(id: &str) -> Metadata {
    Metadata {
        id: id.into(),
        ..Metadata::default()
    }
}

#[async_trait]
impl api::Metadata for Films {
    async fn get_poster(
        &self,
        _cx: &Context,
        request: api::GetPosterRequest,
    ) -> Result<api::GetPosterResponse, Error> {
        present(&self.away)?;
        Ok(api::GetPosterResponse {
            uploaded: request.movie_id,
            ..api::GetPosterResponse::default()
        })
    }

    async fn get_metadata(
        &self,
        _: &Context,
        request: GetMetadataRequest,
    ) -> Result<GetMetadataResponse, Error> {
        present(&self.away)?;
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
        request: ListMetadataRequest,
    ) -> Result<ListMetadataResponse, Error> {
        let asked = format!("{} {} {}", request.genre, request.decade, request.person);
        Ok(ListMetadataResponse {
            metadata: vec![film("a"), film(&asked)],
            next_page_token: "next".into(),
        })
    }

    async fn search_metadata(
        &self,
        _cx: &Context,
        request: api::SearchMetadataRequest,
    ) -> Result<api::SearchMetadataResponse, Error> {
        Ok(api::SearchMetadataResponse {
            metadata: vec![film(&request.query)],
            next_page_token: format!("after {}", request.page_token),
        })
    }

    async fn batch_get_metadata(
        &self,
        _cx: &Context,
        request: api::BatchGetMetadataRequest,
    ) -> Result<api::BatchGetMetadataResponse, Error> {
        present(&self.away)?;
        let (missing, known): (Vec<_>, Vec<_>) = request
            .movie_ids
            .into_iter()
            .partition(|id| id == "unknown");
        Ok(api::BatchGetMetadataResponse {
            metadata: known.iter().map(|id| film(id)).collect(),
            missing,
        })
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
        request: api::ListMetadataChangesRequest,
    ) -> Result<api::ListMetadataChangesResponse, Error> {
        present(&self.away)?;
        self.asked.fetch_add(1, Ordering::Relaxed);
        let slow = Duration::from_millis(self.slow.load(Ordering::Relaxed));
        tokio::time::sleep(slow).await;
        let all = self.changes.lock().unwrap().clone();
        let (changes, next_page_token) = page(all, request.since, &request.page_token, |change| {
            change.changed_at
        });
        Ok(api::ListMetadataChangesResponse {
            changes,
            next_page_token,
        })
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
pub(crate) struct Ratings {
    pub(crate) fails: Option<Code>,
    pub(crate) count: u32,
    pub(crate) hangs: bool,
    pub(crate) changes: Mutex<Vec<AggregateChange>>,
    /// Whether it is away.
    pub(crate) away: AtomicBool,
}

impl Default for Ratings {
    fn default() -> Self {
        Ratings {
            fails: None,
            count: 3,
            hangs: false,
            changes: Mutex::default(),
            away: AtomicBool::default(),
        }
    }
}

impl Ratings {
    async fn answer(&self, cx: &Context) -> Result<Aggregate, Error> {
        present(&self.away)?;
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
        request: api::ListAggregateChangesRequest,
    ) -> Result<api::ListAggregateChangesResponse, Error> {
        present(&self.away)?;
        let all = self.changes.lock().unwrap().clone();
        let (changes, next_page_token) = page(all, request.since, &request.page_token, |change| {
            change.changed_at
        });
        Ok(api::ListAggregateChangesResponse {
            changes,
            next_page_token,
        })
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
