//! Where batches go: the services, through the calls anyone makes.

use crate::batch::{Batch, Rated};
use crate::film::merged;
use crate::tally::Tally;
use backlot::core::backoff::Backoff;
use backlot::messaging::Bus;
use backlot::{Code, Context, Criticality, Deadline, Dice, Error, Idempotency, Principal};
use futures_util::StreamExt;
use movies_api as api;
use movies_api::events::RatingSubmitted;
use movies_api::metadata::v1::Metadata;
use movies_api::{
    BatchGetMetadataRequest, BatchPutMetadataRequest, BatchPutOutsideRatingsRequest,
    BatchPutRatingsRequest, DeleteRatingRequest, OutsideEntry, RatingEntry,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The record type of films.
pub(crate) const MOVIE: &str = "movie";
/// Who publishes ratings here.
const PROVIDER: &str = "import";
/// Who publishes the averages.
const SOURCE: &str = "imdb";
/// How long one call may take; an import is nobody's wait.
const CALL: Duration = Duration::from_secs(30);
/// How long a service may be away before the import gives up: a fleet that restarts is back sooner.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a token may be refused: services that just started do not know the issuer's keys yet.
const KEYS: Duration = Duration::from_secs(10);
const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(2),
};
/// The most films in one question.
const ASKED: usize = 200;
/// Ratings taken back at once: each is a call of its own.
const DELETES: usize = 32;

/// Who an import acts for.
pub trait Identity: Send + Sync {
    /// Somebody with the roles "importer" and "editor".
    ///
    /// # Errors
    /// When no token can be had.
    fn importer(&self) -> Result<Principal, Error>;

    /// A user, who alone may take ratings back.
    ///
    /// # Errors
    /// When this identity may not speak for users.
    fn user(&self, id: &str) -> Result<Principal, Error>;
}

/// The services an import writes to.
#[derive(Clone)]
pub struct Destination {
    metadata: Arc<dyn api::Metadata>,
    rating: Arc<dyn api::Rating>,
    identity: Arc<dyn Identity>,
    /// Where ratings are published, if they are not written.
    bus: Option<Bus>,
    dice: Dice,
}

/// What failed: films or ratings, and why.
pub(crate) type Failed = (&'static str, Error);

impl Destination {
    /// These services, called as `identity`; `dice` make the idempotency keys.
    pub fn new(
        metadata: Arc<dyn api::Metadata>,
        rating: Arc<dyn api::Rating>,
        identity: Arc<dyn Identity>,
        dice: Dice,
    ) -> Self {
        Destination {
            metadata,
            rating,
            identity,
            bus: None,
            dice,
        }
    }

    /// The same, with ratings published to the broker as events instead of written to the rating
    /// service: they are durable when they are acknowledged, and taken in from there.
    #[must_use]
    pub fn publishing(mut self, bus: Bus) -> Self {
        self.bus = Some(bus);
        self
    }

    /// Writes a batch; what that changed.
    pub(crate) async fn write(&self, batch: Content) -> Result<Tally, Failed> {
        let mut tally = Tally::default();
        self.films(batch.films, &mut tally)
            .await
            .map_err(|error| ("films", error))?;
        self.ratings(batch.ratings, &mut tally)
            .await
            .map_err(|error| ("ratings", error))?;
        self.outside(batch.outside, batch.known_only, &mut tally)
            .await
            .map_err(|error| ("averages", error))?;
        Ok(tally)
    }

    async fn films(&self, films: Vec<Metadata>, tally: &mut Tally) -> Result<(), Error> {
        let known = self.known(films.iter().map(|film| &film.id)).await?;
        let (count, mut changed) = (films.len() as u64, Vec::new());
        for film in films {
            match known.get(&film.id) {
                None => changed.push(film),
                Some(before) => {
                    let film = merged(film, before);
                    if film != *before {
                        changed.push(film);
                    }
                }
            }
        }
        tally.films.unchanged += count - changed.len() as u64;
        if changed.is_empty() {
            return Ok(());
        }
        let written = changed.len() as u64;
        let request = BatchPutMetadataRequest { metadata: changed };
        let answer = self
            .as_importer(async |cx| self.metadata.batch_put_metadata(cx, request.clone()).await)
            .await?;
        let new = u64::from(answer.created).min(written);
        tally.films.new += new;
        tally.films.changed += written - new;
        Ok(())
    }

    /// Those of these films that the catalogue has.
    async fn known(
        &self,
        ids: impl Iterator<Item = &String>,
    ) -> Result<BTreeMap<String, Metadata>, Error> {
        let ids: Vec<_> = ids.cloned().collect();
        let mut known = BTreeMap::new();
        for asked in ids.chunks(ASKED) {
            let request = BatchGetMetadataRequest {
                movie_ids: asked.to_vec(),
            };
            let answer = self
                .as_importer(async |cx| self.metadata.batch_get_metadata(cx, request.clone()).await)
                .await?;
            known.extend(
                answer
                    .metadata
                    .into_iter()
                    .map(|film| (film.id.clone(), film)),
            );
        }
        Ok(known)
    }

    async fn ratings(&self, ratings: Vec<Rated>, tally: &mut Tally) -> Result<(), Error> {
        if let Some(bus) = &self.bus {
            return self.publish(bus, ratings, tally).await;
        }
        let (mut puts, mut deletes) = (BTreeMap::<String, Vec<RatingEntry>>::new(), Vec::new());
        for rated in ratings {
            if rated.deleted {
                deletes.push(rated);
            } else if let Some(entries) = puts.get_mut(&rated.record_type) {
                entries.push(rated.entry);
            } else {
                puts.insert(rated.record_type, vec![rated.entry]);
            }
        }
        for (record_type, ratings) in puts {
            let count = ratings.len() as u64;
            let request = BatchPutRatingsRequest {
                record_type,
                ratings,
            };
            let answer = self
                .as_importer(async |cx| self.rating.batch_put_ratings(cx, request.clone()).await)
                .await?;
            let (new, changed) = (u64::from(answer.created), u64::from(answer.changed));
            tally.ratings.new += new;
            tally.ratings.changed += changed;
            tally.ratings.unchanged += count.saturating_sub(new + changed);
        }
        let calls = deletes.into_iter().map(|rated| self.delete(rated));
        let mut calls = futures_util::stream::iter(calls).buffer_unordered(DELETES);
        while let Some(deleted) = calls.next().await {
            if deleted? {
                tally.deleted += 1;
            } else {
                tally.missing += 1;
            }
        }
        Ok(())
    }

    /// Publishes ratings in their order. Published again, after a lost answer, they change nothing:
    /// each says what a rating is to be.
    async fn publish(
        &self,
        bus: &Bus,
        ratings: Vec<Rated>,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        if ratings.is_empty() {
            return Ok(());
        }
        let events: Vec<RatingSubmitted> = ratings.into_iter().map(event).collect();
        let call = async |cx: &Context| Ok(bus.publish_all(cx, &events).await?);
        self.repeated(|| Ok(Principal::System("importer")), call)
            .await?;
        tally.submitted += events.len() as u64;
        Ok(())
    }

    async fn delete(&self, rated: Rated) -> Result<bool, Error> {
        let request = DeleteRatingRequest {
            record_type: rated.record_type,
            record_id: rated.entry.record_id,
            user_id: rated.entry.user_id,
        };
        let call = async |cx: &Context| self.rating.delete_rating(cx, request.clone()).await;
        let answer = self
            .repeated(|| self.identity.user(&request.user_id), call)
            .await?;
        Ok(answer.deleted)
    }

    async fn outside(
        &self,
        mut ratings: Vec<OutsideEntry>,
        known_only: bool,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        if known_only {
            let known = self
                .known(ratings.iter().map(|entry| &entry.record_id))
                .await?;
            let before = ratings.len();
            ratings.retain(|entry| known.contains_key(&entry.record_id));
            tally.left_out += (before - ratings.len()) as u64;
        }
        if ratings.is_empty() {
            return Ok(());
        }
        tally.outside += ratings.len() as u64;
        let request = BatchPutOutsideRatingsRequest {
            record_type: MOVIE.into(),
            source: SOURCE.into(),
            ratings,
        };
        let call = async |cx: &Context| {
            self.rating
                .batch_put_outside_ratings(cx, request.clone())
                .await
        };
        self.as_importer(call).await.map(drop)
    }

    async fn as_importer<T>(
        &self,
        call: impl AsyncFn(&Context) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.repeated(|| self.identity.importer(), call).await
    }

    /// Makes a call, again and again while its service is away. All attempts have one key, so that
    /// an answer that was lost is the same when it comes.
    async fn repeated<T>(
        &self,
        principal: impl Fn() -> Result<Principal, Error>,
        call: impl AsyncFn(&Context) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let key = Arc::new(Idempotency {
            key: self.dice.uuid(),
            method: "",
            fingerprint: 0,
        });
        let (patience, keys) = (Deadline::after(PATIENCE), Deadline::after(KEYS));
        let mut failures = 0;
        loop {
            let cx = Context::background()
                .with_timeout(CALL)
                .with_criticality(Criticality::SheddablePlus)
                .with_principal(principal()?)
                .with_idempotency(Some(Arc::clone(&key)));
            let error = match call(&cx).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let passing = match error.code() {
                Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Aborted
                | Code::ResourceExhausted => !patience.has_passed(),
                Code::Unauthenticated => !keys.has_passed(),
                _ => false,
            };
            if !passing {
                return Err(error);
            }
            failures += 1;
            let wait = BACKOFF.wait(failures, &self.dice);
            tokio::time::sleep(wait.max(error.pushback().unwrap_or_default())).await;
        }
    }
}

fn event(rated: Rated) -> RatingSubmitted {
    let RatingEntry {
        user_id,
        record_id,
        half_stars,
        rated_at,
    } = rated.entry;
    let kind: Cow<'static, str> = match &*rated.record_type {
        MOVIE => MOVIE.into(),
        _ => rated.record_type.into(),
    };
    let event = match u8::try_from(half_stars) {
        Ok(half_stars) if !rated.deleted => {
            RatingSubmitted::put(user_id, kind, record_id, half_stars)
        }
        _ => RatingSubmitted::delete(user_id, kind, record_id),
    };
    RatingSubmitted {
        provider_id: Some(PROVIDER.to_owned()),
        // 0 stands for now.
        rated_at: (rated_at != 0 && !rated.deleted).then_some(rated_at),
        ..event
    }
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Destination")
    }
}

/// What of a batch is sent.
#[derive(Debug, Default)]
pub(crate) struct Content {
    films: Vec<Metadata>,
    ratings: Vec<Rated>,
    outside: Vec<OutsideEntry>,
    known_only: bool,
}

impl Content {
    /// Takes it out of a batch.
    pub(crate) fn of(batch: &mut Batch) -> Self {
        Content {
            films: std::mem::take(&mut batch.films),
            ratings: std::mem::take(&mut batch.ratings),
            outside: std::mem::take(&mut batch.outside),
            known_only: batch.known_only,
        }
    }
}
