//! The contract of movies, for gRPC, REST and direct calls alike.

use crate::controller::Controller;
use async_trait::async_trait;
use backlot::{Context, Error, Streaming};
use movies_api as api;
use movies_api::{
    GetMovieDetailsRequest, GetMovieDetailsResponse, ListMoviesRequest, ListMoviesResponse,
};
use std::sync::Arc;

pub(crate) struct Grpc(pub(crate) Arc<Controller>);

#[async_trait]
impl api::Movie for Grpc {
    async fn get_movie_details(
        &self,
        cx: &Context,
        request: GetMovieDetailsRequest,
    ) -> Result<GetMovieDetailsResponse, Error> {
        let (joined, age) = self.0.details(cx, request.movie_id).await?;
        Ok(GetMovieDetailsResponse {
            movie: Some(joined.answer),
            degraded: joined.degraded,
            metadata_age_ms: i64::try_from(age.as_millis()).unwrap_or(i64::MAX),
        })
    }

    async fn list_movies(
        &self,
        cx: &Context,
        request: ListMoviesRequest,
    ) -> Result<ListMoviesResponse, Error> {
        let joined = self.0.list(cx, request).await?;
        let (movies, next_page_token) = joined.answer;
        Ok(ListMoviesResponse {
            movies,
            next_page_token,
            degraded: joined.degraded,
        })
    }

    async fn search_movies(
        &self,
        cx: &Context,
        request: api::SearchMoviesRequest,
    ) -> Result<api::SearchMoviesResponse, Error> {
        let joined = self.0.search(cx, request).await?;
        let (movies, next_page_token) = joined.answer;
        Ok(api::SearchMoviesResponse {
            movies,
            next_page_token,
            degraded: joined.degraded,
        })
    }

    async fn batch_get_movies(
        &self,
        cx: &Context,
        request: api::BatchGetMoviesRequest,
    ) -> Result<api::BatchGetMoviesResponse, Error> {
        let joined = self.0.batch(cx, request.movie_ids).await?;
        let (movies, missing) = joined.answer;
        Ok(api::BatchGetMoviesResponse {
            movies,
            missing,
            degraded: joined.degraded,
        })
    }

    async fn get_chart(
        &self,
        cx: &Context,
        request: api::GetChartRequest,
    ) -> Result<api::GetChartResponse, Error> {
        self.0.chart(cx, request).await
    }

    async fn list_facets(
        &self,
        cx: &Context,
        _request: api::ListFacetsRequest,
    ) -> Result<api::ListFacetsResponse, Error> {
        self.0.facets(cx).await
    }

    async fn upload_file(
        &self,
        cx: &Context,
        requests: Streaming<api::UploadFileRequest>,
    ) -> Result<api::UploadFileResponse, Error> {
        let file = self.0.upload(cx, requests).await?;
        Ok(api::UploadFileResponse { file: Some(file) })
    }

    async fn get_upload(
        &self,
        cx: &Context,
        request: api::GetUploadRequest,
    ) -> Result<api::GetUploadResponse, Error> {
        let request = api::StartUploadRequest {
            movie_id: request.movie_id,
            size: request.size,
            sha256: request.sha256,
        };
        let received = self.0.received(cx, request).await?;
        Ok(api::GetUploadResponse { received })
    }

    async fn get_poster(
        &self,
        cx: &Context,
        request: api::GetPosterRequest,
    ) -> Result<api::GetPosterResponse, Error> {
        self.0.poster(cx, request).await
    }
}
