//! Joins metadata and ratings, in parallel. A film without its rating is still an answer; a
//! rating without its film is not.

mod chart;
mod upload;

use crate::chart::Charts;
use crate::films::Catalogue;
use backlot::cache::{Cache, Old};
use backlot::{Code, Context, Deadline, Error};
use movies_api as api;
use movies_api::metadata::v1::Metadata;
use movies_api::{
    Aggregate, BatchGetAggregatedRatingsRequest, BatchGetMetadataRequest,
    GetAggregatedRatingRequest, ListFacetsRequest, ListFacetsResponse, ListMetadataRequest,
    ListMoviesRequest, MovieDetails, SearchMetadataRequest, SearchMoviesRequest,
};
use std::sync::Arc;
use std::time::Duration;

/// The record type of films.
pub(crate) const MOVIE: &str = "movie";
/// The part of an answer that can be missing.
const RATING: &str = "rating";
/// The part that can be older than it should be.
const METADATA: &str = "metadata";

/// How old what is said of a film is, where the catalogue could not be asked; nothing otherwise.
pub(crate) type Age = Duration;

pub(crate) struct Controller {
    metadata: Arc<dyn api::Metadata>,
    films: Cache<Catalogue>,
    rating: Arc<dyn api::Rating>,
    charts: Charts,
}

/// Films with their ratings, and what the list they come from says of itself: the token of the
/// next page, or the ids that are unknown.
pub(crate) type Films<T> = Joined<(Vec<MovieDetails>, T)>;

/// An answer, and which parts of it could not be had.
pub(crate) struct Joined<T> {
    pub(crate) answer: T,
    pub(crate) degraded: Vec<String>,
}

impl Controller {
    pub(crate) fn new(
        metadata: Arc<dyn api::Metadata>,
        films: Cache<Catalogue>,
        rating: Arc<dyn api::Rating>,
        charts: Charts,
    ) -> Self {
        Controller {
            metadata,
            films,
            rating,
            charts,
        }
    }

    pub(crate) async fn details(
        &self,
        cx: &Context,
        movie_id: String,
    ) -> Result<(Joined<MovieDetails>, Age), Error> {
        let of_rating = GetAggregatedRatingRequest {
            record_type: MOVIE.into(),
            record_id: movie_id.clone(),
        };
        let optional = optional(cx);
        let (film, rating) = tokio::join!(
            self.films.get(cx, &movie_id),
            self.rating.get_aggregated_rating(&optional, of_rating),
        );
        let film = film?;
        let (rating, mut degraded) = match rating {
            Ok(response) => (response.aggregate.filter(is_rated), Vec::new()),
            Err(error) => (None, without_rating(&error)),
        };
        let mut age = Age::default();
        if matches!(film.old, Some(Old::Failing(_) | Old::Slow)) {
            degraded.push(METADATA.to_owned());
            age = film.age;
        }
        let metadata = Some(Metadata::clone(&film.value));
        let joined = Joined {
            answer: MovieDetails { metadata, rating },
            degraded,
        };
        Ok((joined, age))
    }

    /// A page of films with their ratings, and the token of the next one.
    pub(crate) async fn list(
        &self,
        cx: &Context,
        request: ListMoviesRequest,
    ) -> Result<Films<String>, Error> {
        let request = ListMetadataRequest {
            page_size: request.page_size,
            page_token: request.page_token,
            genre: request.genre,
            decade: request.decade,
            person: request.person,
        };
        let page = self.metadata.list_metadata(cx, request).await?;
        Ok(self.rated(cx, page.metadata, page.next_page_token).await)
    }

    /// A page of the films that match with their ratings, and the token of the next one.
    pub(crate) async fn search(
        &self,
        cx: &Context,
        request: SearchMoviesRequest,
    ) -> Result<Films<String>, Error> {
        let request = SearchMetadataRequest {
            query: request.query,
            page_size: request.page_size,
            page_token: request.page_token,
        };
        let page = self.metadata.search_metadata(cx, request).await?;
        Ok(self.rated(cx, page.metadata, page.next_page_token).await)
    }

    /// The films of these ids with their ratings, and the ids that are unknown.
    pub(crate) async fn batch(
        &self,
        cx: &Context,
        movie_ids: Vec<String>,
    ) -> Result<Films<Vec<String>>, Error> {
        let request = BatchGetMetadataRequest { movie_ids };
        let found = self.metadata.batch_get_metadata(cx, request).await?;
        Ok(self.rated(cx, found.metadata, found.missing).await)
    }

    /// What films can be sorted by.
    pub(crate) async fn facets(&self, cx: &Context) -> Result<ListFacetsResponse, Error> {
        self.metadata.list_facets(cx, ListFacetsRequest {}).await
    }

    /// Films joined with their ratings.
    async fn rated<T>(&self, cx: &Context, films: Vec<Metadata>, about: T) -> Films<T> {
        let ids = films.iter().map(|film| film.id.clone()).collect();
        let (ratings, degraded) = self.ratings(cx, ids).await;
        let movies = films
            .into_iter()
            .zip(ratings)
            .map(|(metadata, rating)| MovieDetails {
                metadata: Some(metadata),
                rating,
            })
            .collect();
        Joined {
            answer: (movies, about),
            degraded,
        }
    }

    /// The ratings of these films in their order, as many as there are films.
    async fn ratings(
        &self,
        cx: &Context,
        record_ids: Vec<String>,
    ) -> (Vec<Option<Aggregate>>, Vec<String>) {
        let films = record_ids.len();
        if films == 0 {
            return (Vec::new(), Vec::new());
        }
        let request = BatchGetAggregatedRatingsRequest {
            record_type: MOVIE.into(),
            record_ids,
        };
        match self
            .rating
            .batch_get_aggregated_ratings(&optional(cx), request)
            .await
        {
            Ok(response) if response.aggregates.len() == films => (
                response
                    .aggregates
                    .into_iter()
                    .map(|aggregate| Some(aggregate).filter(is_rated))
                    .collect(),
                Vec::new(),
            ),
            Ok(_) => (
                vec![None; films],
                without_rating(&Error::internal("ratings of other films came back")),
            ),
            Err(error) => (vec![None; films], without_rating(&error)),
        }
    }
}

fn is_rated(aggregate: &Aggregate) -> bool {
    aggregate.count > 0
}

/// What an optional part gets: half of the time left, so that its silence leaves time to answer
/// without it.
fn optional(cx: &Context) -> Context {
    cx.clone()
        .with_deadline(Deadline::after(cx.deadline().remaining() / 2))
}

fn without_rating(error: &Error) -> Vec<String> {
    // Away is normal in a fleet and counted by the client's metrics; anything else is a defect.
    if !matches!(
        error.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted
    ) {
        tracing::warn!(error = %error.chain(), "ratings left out of an answer");
    }
    vec![RATING.to_owned()]
}

#[cfg(test)]
mod tests;
