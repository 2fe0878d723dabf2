//! Services that keep all in memory, answer in any order, and fail when told to.

use crate::destination::{Destination, Identity};
use async_trait::async_trait;
use backlot::{BoxFuture, Context, Dice, Error, Principal, Streaming};
use movies_api as api;
use movies_api::metadata::v1::Metadata;
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Unavailable,
    /// The work is done and nobody hears of it.
    AnswerLost,
    Denied,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) films: BTreeMap<String, Metadata>,
    pub(super) ratings: BTreeMap<(String, String, String), i32>,
    pub(super) outside: BTreeMap<String, (f64, u32)>,
    pub(super) calls: u64,
    pub(super) film_writes: u64,
    pub(super) largest_films: usize,
    pub(super) largest_ratings: usize,
    pub(super) most_at_once: usize,
    /// Keys that came again after a lost answer.
    pub(super) reused: usize,
    at_once: usize,
    faults: Vec<Fault>,
    lost: Vec<String>,
    die: Option<u64>,
    hook: Option<(u64, Box<dyn FnOnce() + Send>)>,
}

pub(super) type Contents = (
    BTreeMap<String, Metadata>,
    BTreeMap<(String, String, String), i32>,
);

#[derive(Clone)]
pub(super) struct Services {
    state: Arc<Mutex<State>>,
    dice: Dice,
    died: watch::Sender<bool>,
}

impl Default for Services {
    fn default() -> Self {
        Services::seeded(1)
    }
}

struct Anyone;

impl Identity for Anyone {
    fn importer(&self) -> Result<Principal, Error> {
        Ok(Principal::System("importer"))
    }
    fn user(&self, _id: &str) -> Result<Principal, Error> {
        Ok(Principal::System("user"))
    }
}

impl Services {
    pub(super) fn seeded(seed: u64) -> Self {
        Services {
            state: Arc::default(),
            dice: Dice::seeded(seed),
            died: watch::Sender::new(false),
        }
    }

    pub(super) fn destination(&self) -> Destination {
        let (metadata, rating) = (Arc::new(self.clone()), Arc::new(self.clone()));
        Destination::new(metadata, rating, Arc::new(Anyone), self.dice.branch("keys"))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn contents(&self) -> Contents {
        let state = self.state();
        (state.films.clone(), state.ratings.clone())
    }

    /// The next calls fail.
    pub(super) fn fail(&self, count: usize, fault: Fault) {
        self.state().faults.extend(vec![fault; count]);
    }

    /// After so many calls from now none is ever answered.
    pub(super) fn die_after(&self, calls: u64) {
        let mut state = self.state();
        state.at_once = 0;
        self.died.send_replace(false);
        state.die = Some(state.calls + calls);
    }

    pub(super) async fn died(&self) {
        drop(self.died.subscribe().wait_for(|died| *died).await);
    }

    pub(super) fn when_called(&self, times: u64, hook: impl FnOnce() + Send + 'static) {
        self.state().hook = Some((times, Box::new(hook)));
    }

    /// Runs a call: after a while that is another one each time, and perhaps not to its end.
    async fn call<T>(&self, cx: &Context, work: impl FnOnce(&mut State) -> T) -> Result<T, Error> {
        let (dies, fault) = {
            let mut state = self.state();
            state.calls += 1;
            state.at_once += 1;
            state.most_at_once = state.most_at_once.max(state.at_once);
            let calls = state.calls;
            if let Some((_, hook)) = state.hook.take_if(|(times, _)| *times == calls) {
                hook();
            }
            (
                state.die.is_some_and(|die| calls >= die),
                state.faults.pop(),
            )
        };
        tokio::time::sleep(Duration::from_millis(self.dice.below(20))).await;
        if dies {
            if self.dice.below(2) == 0 {
                work(&mut self.state());
            }
            self.died.send_replace(true);
            return std::future::pending().await;
        }
        let mut state = self.state();
        state.at_once = state.at_once.saturating_sub(1);
        let key = cx
            .idempotency()
            .map(|known| known.key.clone())
            .unwrap_or_default();
        if let Some(at) = state.lost.iter().position(|lost| *lost == key) {
            state.lost.remove(at);
            state.reused += 1;
        }
        match fault {
            Some(Fault::Unavailable) => Err(Error::unavailable("away")),
            Some(Fault::Denied) => Err(Error::permission_denied("not you")),
            Some(Fault::AnswerLost) => {
                work(&mut state);
                state.lost.push(key);
                Err(Error::unavailable("the answer is lost"))
            }
            None => Ok(work(&mut state)),
        }
    }
}

/// Methods that an import has no use for.
macro_rules! unused {
    ($($name:ident: $request:ident -> $response:ty;)*) => {
        $(fn $name<'s, 'c, 'async_trait>(
            &'s self,
            _: &'c Context,
            _: api::$request,
        ) -> BoxFuture<'async_trait, Result<$response, Error>>
        where
            's: 'async_trait,
            'c: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async { Err(Error::unimplemented("not part of this double")) })
        })*
    };
}

#[async_trait]
impl api::Metadata for Services {
    async fn get_poster(
        &self,
        _: &Context,
        _: api::GetPosterRequest,
    ) -> Result<api::GetPosterResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn batch_get_metadata(
        &self,
        cx: &Context,
        request: api::BatchGetMetadataRequest,
    ) -> Result<api::BatchGetMetadataResponse, Error> {
        assert!(request.movie_ids.len() <= 200);
        self.call(cx, |state| {
            let (mut metadata, mut missing) = (Vec::new(), Vec::new());
            for id in request.movie_ids {
                match state.films.get(&id) {
                    Some(film) => metadata.push(film.clone()),
                    None => missing.push(id),
                }
            }
            api::BatchGetMetadataResponse { metadata, missing }
        })
        .await
    }

    async fn batch_put_metadata(
        &self,
        cx: &Context,
        request: api::BatchPutMetadataRequest,
    ) -> Result<api::BatchPutMetadataResponse, Error> {
        self.call(cx, |state| {
            state.film_writes += 1;
            state.largest_films = state.largest_films.max(request.metadata.len());
            let new = request
                .metadata
                .into_iter()
                .filter(|film| state.films.insert(film.id.clone(), film.clone()).is_none());
            api::BatchPutMetadataResponse {
                created: new.count() as u32,
            }
        })
        .await
    }

    async fn get_file(
        &self,
        _: &Context,
        _: api::GetFileRequest,
    ) -> Result<Streaming<api::GetFileResponse>, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    unused! {
        get_metadata: GetMetadataRequest -> api::GetMetadataResponse;
        put_metadata: PutMetadataRequest -> api::PutMetadataResponse;
        list_metadata: ListMetadataRequest -> api::ListMetadataResponse;
        search_metadata: SearchMetadataRequest -> api::SearchMetadataResponse;
        list_facets: ListFacetsRequest -> api::ListFacetsResponse;
        list_metadata_changes: ListMetadataChangesRequest -> api::ListMetadataChangesResponse;
        start_upload: StartUploadRequest -> api::StartUploadResponse;
        append_upload: AppendUploadRequest -> api::AppendUploadResponse;
        finish_upload: FinishUploadRequest -> api::FinishUploadResponse;
    }
}

#[async_trait]
impl api::Rating for Services {
    async fn batch_put_ratings(
        &self,
        cx: &Context,
        request: api::BatchPutRatingsRequest,
    ) -> Result<api::BatchPutRatingsResponse, Error> {
        self.call(cx, |state| {
            state.largest_ratings = state.largest_ratings.max(request.ratings.len());
            let mut answer = api::BatchPutRatingsResponse::default();
            for entry in request.ratings {
                let key = (request.record_type.clone(), entry.record_id, entry.user_id);
                match state.ratings.insert(key, entry.half_stars) {
                    None => answer.created += 1,
                    Some(before) if before != entry.half_stars => answer.changed += 1,
                    Some(_) => {}
                }
            }
            answer
        })
        .await
    }

    async fn delete_rating(
        &self,
        cx: &Context,
        request: api::DeleteRatingRequest,
    ) -> Result<api::DeleteRatingResponse, Error> {
        self.call(cx, |state| {
            let key = (request.record_type, request.record_id, request.user_id);
            api::DeleteRatingResponse {
                deleted: state.ratings.remove(&key).is_some(),
                aggregate: None,
            }
        })
        .await
    }

    async fn batch_put_outside_ratings(
        &self,
        cx: &Context,
        request: api::BatchPutOutsideRatingsRequest,
    ) -> Result<api::BatchPutOutsideRatingsResponse, Error> {
        assert_eq!(
            (request.source.as_str(), request.record_type.as_str()),
            ("imdb", "movie")
        );
        self.call(cx, |state| {
            let entries = request.ratings.into_iter();
            state
                .outside
                .extend(entries.map(|entry| (entry.record_id, (entry.mean, entry.votes))));
            api::BatchPutOutsideRatingsResponse {}
        })
        .await
    }

    async fn watch_ratings(
        &self,
        _: &Context,
        _: api::WatchRatingsRequest,
    ) -> Result<Streaming<api::RatingChanged>, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    unused! {
        put_rating: PutRatingRequest -> api::PutRatingResponse;
        get_rating: GetRatingRequest -> api::GetRatingResponse;
        get_aggregated_rating: GetAggregatedRatingRequest -> api::GetAggregatedRatingResponse;
        batch_get_aggregated_ratings: BatchGetAggregatedRatingsRequest -> api::BatchGetAggregatedRatingsResponse;
        list_user_ratings: ListUserRatingsRequest -> api::ListUserRatingsResponse;
        list_aggregate_changes: ListAggregateChangesRequest -> api::ListAggregateChangesResponse;
        list_outside_ratings: ListOutsideRatingsRequest -> api::ListOutsideRatingsResponse;
    }
}
