//! The contract of movies, for gRPC, REST and direct calls alike.

use crate::controller::Controller;
use async_trait::async_trait;
use backlot::{Context, Error};
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
        let joined = self.0.details(cx, request.movie_id).await?;
        Ok(GetMovieDetailsResponse {
            movie: Some(joined.answer),
            degraded: joined.degraded,
        })
    }

    async fn list_movies(
        &self,
        cx: &Context,
        request: ListMoviesRequest,
    ) -> Result<ListMoviesResponse, Error> {
        let joined = self
            .0
            .list(cx, request.page_size, request.page_token)
            .await?;
        let (movies, next_page_token) = joined.answer;
        Ok(ListMoviesResponse {
            movies,
            next_page_token,
            degraded: joined.degraded,
        })
    }
}
