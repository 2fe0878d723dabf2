//! Joins metadata and ratings, in parallel. A film without its rating is still an answer; a
//! rating without its film is not.

use backlot::{Code, Context, Deadline, Error};
use movies_api as api;
use movies_api::metadata::v1::Metadata;
use movies_api::{
    Aggregate, BatchGetAggregatedRatingsRequest, GetAggregatedRatingRequest, GetMetadataRequest,
    ListMetadataRequest, MovieDetails,
};
use std::sync::Arc;

/// The record type of films.
const MOVIE: &str = "movie";
/// The part of an answer that can be missing.
const RATING: &str = "rating";

pub(crate) struct Controller {
    metadata: Arc<dyn api::Metadata>,
    rating: Arc<dyn api::Rating>,
}

/// An answer, and which parts of it could not be had.
pub(crate) struct Joined<T> {
    pub(crate) answer: T,
    pub(crate) degraded: Vec<String>,
}

impl Controller {
    pub(crate) fn new(metadata: Arc<dyn api::Metadata>, rating: Arc<dyn api::Rating>) -> Self {
        Controller { metadata, rating }
    }

    pub(crate) async fn details(
        &self,
        cx: &Context,
        movie_id: String,
    ) -> Result<Joined<MovieDetails>, Error> {
        let of_film = GetMetadataRequest {
            movie_id: movie_id.clone(),
        };
        let of_rating = GetAggregatedRatingRequest {
            record_type: MOVIE.into(),
            record_id: movie_id,
        };
        let optional = optional(cx);
        let (film, rating) = tokio::join!(
            self.metadata.get_metadata(cx, of_film),
            self.rating.get_aggregated_rating(&optional, of_rating),
        );
        let metadata = film?.metadata;
        let (rating, degraded) = match rating {
            Ok(response) => (response.aggregate.filter(is_rated), Vec::new()),
            Err(error) => (None, without_rating(&error)),
        };
        Ok(Joined {
            answer: MovieDetails { metadata, rating },
            degraded,
        })
    }

    /// A page of films with their ratings, and the token of the next one.
    pub(crate) async fn list(
        &self,
        cx: &Context,
        page_size: i32,
        page_token: String,
    ) -> Result<Joined<(Vec<MovieDetails>, String)>, Error> {
        let page = self
            .metadata
            .list_metadata(
                cx,
                ListMetadataRequest {
                    page_size,
                    page_token,
                    ..Default::default()
                },
            )
            .await?;
        let (ratings, degraded) = self.ratings(cx, &page.metadata).await;
        let movies = page
            .metadata
            .into_iter()
            .zip(ratings)
            .map(|(metadata, rating)| MovieDetails {
                metadata: Some(metadata),
                rating,
            })
            .collect();
        Ok(Joined {
            answer: (movies, page.next_page_token),
            degraded,
        })
    }

    async fn ratings(
        &self,
        cx: &Context,
        films: &[Metadata],
    ) -> (Vec<Option<Aggregate>>, Vec<String>) {
        if films.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let request = BatchGetAggregatedRatingsRequest {
            record_type: MOVIE.into(),
            record_ids: films.iter().map(|film| film.id.clone()).collect(),
        };
        match self
            .rating
            .batch_get_aggregated_ratings(&optional(cx), request)
            .await
        {
            Ok(response) if response.aggregates.len() == films.len() => (
                response
                    .aggregates
                    .into_iter()
                    .map(|aggregate| Some(aggregate).filter(is_rated))
                    .collect(),
                Vec::new(),
            ),
            Ok(_) => (
                vec![None; films.len()],
                without_rating(&Error::internal("ratings of other films came back")),
            ),
            Err(error) => (vec![None; films.len()], without_rating(&error)),
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
