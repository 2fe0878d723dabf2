//! The double of the rating service.

use super::House;
use backlot::{Code, Context, Error, Streaming};
use movies_api as api;
use movies_api::*;

#[async_trait::async_trait]
impl api::Rating for House {
    async fn put_rating(
        &self,
        cx: &Context,
        request: PutRatingRequest,
    ) -> Result<PutRatingResponse, Error> {
        self.ratings_here()?;
        self.note(
            cx,
            format!(
                "put {} {} of {}",
                request.record_id, request.half_stars, request.user_id
            ),
        );
        let aggregate = self.change(
            &request.record_id,
            &request.user_id,
            Some(request.half_stars),
        );
        Ok(PutRatingResponse { aggregate })
    }

    async fn delete_rating(
        &self,
        cx: &Context,
        request: DeleteRatingRequest,
    ) -> Result<DeleteRatingResponse, Error> {
        self.ratings_here()?;
        self.note(
            cx,
            format!("delete {} of {}", request.record_id, request.user_id),
        );
        let aggregate = self.change(&request.record_id, &request.user_id, None);
        Ok(DeleteRatingResponse {
            deleted: true,
            aggregate,
        })
    }

    async fn get_rating(
        &self,
        _: &Context,
        request: GetRatingRequest,
    ) -> Result<GetRatingResponse, Error> {
        self.ratings_here()?;
        let own = self.own.lock().unwrap();
        let half_stars = own
            .get(&(request.record_id, request.user_id))
            .map(|(half_stars, _)| *half_stars);
        half_stars
            .map(|half_stars| GetRatingResponse { half_stars })
            .ok_or_else(|| Error::not_found("not rated"))
    }

    async fn get_aggregated_rating(
        &self,
        _: &Context,
        _: GetAggregatedRatingRequest,
    ) -> Result<GetAggregatedRatingResponse, Error> {
        Err(Error::new(
            Code::Unimplemented,
            "the page does not ask for this",
        ))
    }

    async fn batch_get_aggregated_ratings(
        &self,
        _: &Context,
        _: BatchGetAggregatedRatingsRequest,
    ) -> Result<BatchGetAggregatedRatingsResponse, Error> {
        Err(Error::new(
            Code::Unimplemented,
            "the page does not ask for this",
        ))
    }

    async fn watch_ratings(
        &self,
        _: &Context,
        request: WatchRatingsRequest,
    ) -> Result<Streaming<RatingChanged>, Error> {
        self.ratings_here()?;
        let WatchRatingsRequest {
            record_type,
            record_id,
        } = request;
        let mut sums = match self.films.get(&record_id) {
            Some((_, sums)) => sums.subscribe(),
            None => return Err(Error::not_found("no such film")),
        };
        sums.mark_changed();
        Ok(Streaming::new(async_stream::stream! {
            while sums.changed().await.is_ok() {
                let aggregate = sums.borrow_and_update().aggregate();
                let (record_type, record_id) = (record_type.clone(), record_id.clone());
                yield Ok(RatingChanged { record_type, record_id, aggregate: Some(aggregate) });
            }
        }))
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
        cx: &Context,
        request: ListUserRatingsRequest,
    ) -> Result<ListUserRatingsResponse, Error> {
        self.ratings_here()?;
        if cx.principal().subject() != Some(&request.user_id) {
            return Err(Error::permission_denied("only the user may see it"));
        }
        let own = self.own.lock().unwrap();
        let mut ratings: Vec<_> = own
            .iter()
            .filter(|((_, user), _)| *user == request.user_id)
            .map(|((film, _), (half_stars, write))| UserRating {
                record_type: "movie".into(),
                record_id: film.clone(),
                half_stars: *half_stars,
                rated_at: 1_793_577_600_000 + write * 3_600_000,
            })
            .collect();
        ratings.sort_by_key(|rating| -rating.rated_at);
        let from: usize = match request.page_token.as_str() {
            "" => 0,
            token => token
                .parse()
                .map_err(|_| Error::invalid_argument("page_token"))?,
        };
        let to = from + request.page_size as usize;
        let next_page_token = if to < ratings.len() {
            to.to_string()
        } else {
            String::new()
        };
        let ratings = ratings
            .into_iter()
            .skip(from)
            .take(request.page_size as usize)
            .collect();
        Ok(ListUserRatingsResponse {
            ratings,
            next_page_token,
        })
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
        _: &Context,
        request: ListOutsideRatingsRequest,
    ) -> Result<ListOutsideRatingsResponse, Error> {
        self.ratings_here()?;
        let outside = self.outside.lock().unwrap();
        let ratings = outside
            .iter()
            .filter(|(film, ..)| *film == request.record_id);
        let ratings = ratings.map(|(_, source, mean, votes)| OutsideRating {
            source: source.clone(),
            mean: *mean,
            votes: *votes,
        });
        Ok(ListOutsideRatingsResponse {
            ratings: ratings.collect(),
        })
    }
}
