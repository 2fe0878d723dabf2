//! The three services, as one writes them with tonic and nothing else.

use super::proto::movies::metadata::v1 as metadata;
use super::proto::movies::movie::v1 as movie;
use super::proto::movies::rating::v1 as rating;
use super::reads;
use backlot::storage::Store;
use metadata::metadata_service_client::MetadataServiceClient;
use metadata::metadata_service_server::MetadataService;
use movie::movie_service_server::MovieService;
use movies_bench::names;
use rating::rating_service_client::RatingServiceClient;
use rating::rating_service_server::RatingService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

fn internal(error: backlot::storage::StoreError) -> Status {
    Status::internal(error.to_string())
}

pub(super) struct Metadata {
    pub(super) store: Option<Store>,
}

#[tonic::async_trait]
impl MetadataService for Metadata {
    async fn get_metadata(
        &self,
        request: Request<metadata::GetMetadataRequest>,
    ) -> Result<Response<metadata::GetMetadataResponse>, Status> {
        let id = request.into_inner().movie_id;
        let film = match &self.store {
            Some(store) => reads::film(store, id).await.map_err(internal)?,
            None => Some(constant_film()),
        };
        let film = film.ok_or_else(|| Status::not_found("no such film"))?;
        Ok(Response::new(metadata::GetMetadataResponse {
            metadata: Some(film),
        }))
    }
}

fn constant_film() -> metadata::Metadata {
    let film = names::film(0);
    metadata::Metadata {
        id: film.id,
        title: film.title,
        description: film.description,
        director: film.director,
        year: film.year,
        cast: film.cast,
        genres: film.genres,
        ..Default::default()
    }
}

pub(super) struct Rating {
    pub(super) store: Option<Store>,
}

#[tonic::async_trait]
impl RatingService for Rating {
    async fn get_aggregated_rating(
        &self,
        request: Request<rating::GetAggregatedRatingRequest>,
    ) -> Result<Response<rating::GetAggregatedRatingResponse>, Status> {
        let rating::GetAggregatedRatingRequest {
            record_type,
            record_id,
        } = request.into_inner();
        let aggregate = match &self.store {
            Some(store) => reads::aggregate(store, record_type, record_id)
                .await
                .map_err(internal)?,
            None => Some(constant_aggregate()),
        };
        let aggregate = Some(aggregate.unwrap_or_default());
        Ok(Response::new(rating::GetAggregatedRatingResponse {
            aggregate,
        }))
    }
}

fn constant_aggregate() -> rating::Aggregate {
    let constant = names::aggregate();
    rating::Aggregate {
        count: constant.count,
        mean: constant.mean,
        histogram: constant.histogram,
        version: constant.version,
    }
}

pub(super) struct Movie {
    pub(super) metadata: MetadataServiceClient<Channel>,
    pub(super) rating: RatingServiceClient<Channel>,
}

#[tonic::async_trait]
impl MovieService for Movie {
    async fn get_movie_details(
        &self,
        request: Request<movie::GetMovieDetailsRequest>,
    ) -> Result<Response<movie::GetMovieDetailsResponse>, Status> {
        let id = request.into_inner().movie_id;
        let (mut metadata, mut rating) = (self.metadata.clone(), self.rating.clone());
        let of_film = metadata::GetMetadataRequest {
            movie_id: id.clone(),
        };
        let of_rating = rating::GetAggregatedRatingRequest {
            record_type: names::MOVIE.to_owned(),
            record_id: id,
        };
        let (film, aggregate) = tokio::join!(
            metadata.get_metadata(of_film),
            rating.get_aggregated_rating(of_rating)
        );
        let details = movie::MovieDetails {
            metadata: film?.into_inner().metadata,
            rating: aggregate?.into_inner().aggregate,
        };
        Ok(Response::new(movie::GetMovieDetailsResponse {
            movie: Some(details),
            degraded: Vec::new(),
            metadata_age_ms: 0,
        }))
    }
}
