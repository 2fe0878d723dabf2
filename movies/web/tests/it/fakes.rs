//! Doubles of the services behind the page, in one small house that tests can switch off.

use backlot::{Clock, Code, Context, Dice, Env, Error, Streaming};
use movies_api as api;
use movies_api::*;
use movies_web::{Config, Page, Ports};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Films, ratings and names.
pub(crate) struct House {
    films: BTreeMap<String, (api::metadata::v1::Metadata, watch::Sender<Sums>)>,
    own: Mutex<BTreeMap<(String, String), i32>>,
    /// No ratings to be had.
    pub(crate) ratings_away: AtomicBool,
    /// No films to be had.
    pub(crate) movies_away: AtomicBool,
    /// Each write: what, who, under which key.
    pub(crate) writes: Mutex<Vec<String>>,
}

#[derive(Clone, Default)]
struct Sums {
    histogram: [u32; 10],
    version: u32,
}

impl Sums {
    fn aggregate(&self) -> Aggregate {
        let count: u32 = self.histogram.iter().sum();
        let sum: f64 = self
            .histogram
            .iter()
            .zip(1..)
            .map(|(cell, half)| f64::from(*cell) * f64::from(half))
            .sum();
        let mean = (count > 0).then(|| sum / f64::from(count) / 2.0);
        Aggregate {
            count,
            mean,
            histogram: self.histogram.to_vec(),
            version: self.version,
        }
    }
}

impl House {
    /// A house with these films; each with how many ratings and a mean to draw them round.
    pub(crate) fn new(
        films: impl IntoIterator<Item = (api::metadata::v1::Metadata, u32, f64)>,
    ) -> Arc<Self> {
        let film = |(film, count, mean): (api::metadata::v1::Metadata, u32, f64)| {
            let dice = Dice::seeded(u64::from(count)).branch(&film.id);
            let mut sums = Sums {
                version: 1,
                ..Sums::default()
            };
            for _ in 0..count {
                // The sum of four dice is bell-shaped enough for a histogram.
                let swing = (0..4).map(|_| dice.unit()).sum::<f64>() - 2.0;
                let half_stars = (mean * 2.0 + swing * 3.2).round().clamp(1.0, 10.0);
                sums.histogram[half_stars as usize - 1] += 1;
            }
            (film.id.clone(), (film, watch::Sender::new(sums)))
        };
        Arc::new(House {
            films: films.into_iter().map(film).collect(),
            own: Mutex::default(),
            ratings_away: AtomicBool::new(false),
            movies_away: AtomicBool::new(false),
            writes: Mutex::default(),
        })
    }

    /// A page over this house.
    pub(crate) fn page(self: &Arc<Self>, env: &Env) -> Page {
        let ports = Ports {
            movies: Arc::<House>::clone(self),
            ratings: Arc::<House>::clone(self),
            auth: Arc::<House>::clone(self),
        };
        Page::new(
            Config {
                films_per_page: 24,
                ..Config::default()
            },
            ports,
            env,
        )
    }

    /// Somebody else's rating.
    pub(crate) fn rate(&self, id: &str, user: &str, half_stars: i32) {
        self.change(id, user, Some(half_stars));
    }

    fn change(&self, id: &str, user: &str, half_stars: Option<i32>) -> Option<Aggregate> {
        let (_, sums) = self.films.get(id)?;
        let key = (id.to_owned(), user.to_owned());
        let mut own = self.own.lock().unwrap();
        let before = match half_stars {
            Some(half_stars) => own.insert(key, half_stars),
            None => own.remove(&key),
        };
        sums.send_modify(|sums| {
            let cell = |half_stars: i32| half_stars as usize - 1;
            if let Some(before) = before {
                sums.histogram[cell(before)] -= 1;
            }
            if let Some(after) = half_stars {
                sums.histogram[cell(after)] += 1;
            }
            sums.version += 1;
        });
        Some(sums.borrow().aggregate())
    }

    fn details(&self, id: &str) -> Option<MovieDetails> {
        let (film, sums) = self.films.get(id)?;
        let rating = sums.borrow().aggregate();
        let rating =
            (rating.count > 0 && !self.ratings_away.load(Ordering::SeqCst)).then_some(rating);
        Some(MovieDetails {
            metadata: Some(film.clone()),
            rating,
        })
    }

    fn degraded(&self) -> Vec<String> {
        if self.ratings_away.load(Ordering::SeqCst) {
            vec!["rating".to_owned()]
        } else {
            Vec::new()
        }
    }

    fn films_here(&self) -> Result<(), Error> {
        if self.movies_away.load(Ordering::SeqCst) {
            Err(Error::unavailable("metadata is away"))
        } else {
            Ok(())
        }
    }

    fn ratings_here(&self) -> Result<(), Error> {
        if self.ratings_away.load(Ordering::SeqCst) {
            Err(Error::unavailable("rating is away"))
        } else {
            Ok(())
        }
    }

    fn note(&self, cx: &Context, what: String) {
        let who = cx.principal().subject().unwrap_or("nobody").to_owned();
        let key = cx
            .idempotency()
            .map_or("none", |idempotency| &idempotency.key);
        self.writes
            .lock()
            .unwrap()
            .push(format!("{what} by {who} under {key}"));
    }
}

#[async_trait::async_trait]
impl api::Movie for House {
    async fn get_movie_details(
        &self,
        _: &Context,
        request: GetMovieDetailsRequest,
    ) -> Result<GetMovieDetailsResponse, Error> {
        self.films_here()?;
        let movie = self
            .details(&request.movie_id)
            .ok_or_else(|| Error::not_found("no such film"))?;
        Ok(GetMovieDetailsResponse {
            movie: Some(movie),
            degraded: self.degraded(),
        })
    }

    async fn list_movies(
        &self,
        _: &Context,
        request: ListMoviesRequest,
    ) -> Result<ListMoviesResponse, Error> {
        self.films_here()?;
        let from: usize = match request.page_token.as_str() {
            "" => 0,
            token => token
                .parse()
                .map_err(|_| Error::invalid_argument("page_token"))?,
        };
        let mut ids: Vec<_> = self
            .films
            .values()
            .map(|(film, _)| (film.title.clone(), film.id.clone()))
            .collect();
        ids.sort();
        let size = request.page_size as usize;
        let movies = ids
            .iter()
            .skip(from)
            .take(size)
            .filter_map(|(_, id)| self.details(id))
            .collect();
        let next_page_token = if from + size < ids.len() {
            (from + size).to_string()
        } else {
            String::new()
        };
        Ok(ListMoviesResponse {
            movies,
            next_page_token,
            degraded: self.degraded(),
        })
    }

    async fn search_movies(
        &self,
        _cx: &Context,
        _request: api::SearchMoviesRequest,
    ) -> Result<api::SearchMoviesResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn batch_get_movies(
        &self,
        _cx: &Context,
        _request: api::BatchGetMoviesRequest,
    ) -> Result<api::BatchGetMoviesResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn get_chart(
        &self,
        _cx: &Context,
        _request: api::GetChartRequest,
    ) -> Result<api::GetChartResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_facets(
        &self,
        _cx: &Context,
        _request: api::ListFacetsRequest,
    ) -> Result<api::ListFacetsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }
}

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
        let half_stars = own.get(&(request.record_id, request.user_id)).copied();
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

#[async_trait::async_trait]
impl api::Auth for House {
    async fn pick_name(
        &self,
        _: &Context,
        request: PickNameRequest,
    ) -> Result<PickNameResponse, Error> {
        if request.name == "taken" {
            return Err(Error::invalid_argument("somebody else has this name")
                .with_violation("name", "is taken"));
        }
        let expires_at = Clock::real().wall().seconds() + 900;
        Ok(PickNameResponse {
            token: format!("token of {}", request.name),
            expires_at,
        })
    }
}
