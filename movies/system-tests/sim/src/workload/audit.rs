//! Before users come the catalogue is written; when they are gone everything is read once more,
//! through the services and from the log.

use super::user::is_absent;
use super::watcher::sums;
use super::{FILMS, PROVIDERS, Party, Person, USERS, may_pass};
use crate::oracle::Oracle;
use backlot::messaging::Engine;
use backlot::{Context, Error};
use backlot_sim::Host;
use movies_api::metadata::v1::Metadata as Film;
use movies_api::{
    GetMovieDetailsRequest, GetRatingRequest, MetadataClient, MovieClient, PutMetadataRequest,
    RatingClient,
};
use std::sync::Arc;
use std::time::Duration;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How often a look into the database is tried, between transactions that last moments.
const LOOKS: u32 = 1000;

/// Writes the catalogue, waits until `healed` and until all users and providers are done, and
/// compares what the services say, the log and the database with what users were told.
pub async fn audit(
    host: Host,
    party: Party,
    log: Arc<dyn Engine>,
    oracle: Oracle,
    healed: Duration,
) {
    let caller = host.caller();
    let principal = match party.principal(&host, "editor", Some("editor")) {
        Ok(principal) => principal,
        Err(error) => return host.trace().violation("editor", error.chain()),
    };
    let mut person = Person {
        host,
        caller,
        party,
        name: "editor",
        principal,
    };
    person.write_catalogue().await;
    person.party.opened.send_replace(true);
    let users = USERS.iter().map(|(_, users)| users.len()).sum::<usize>() + PROVIDERS.len();
    // And the workshop.
    let users = users + 1;
    // The sender lives in the party: waiting cannot fail.
    drop(
        person
            .party
            .done
            .subscribe()
            .wait_for(|done| *done == users)
            .await
            .map(drop),
    );
    tokio::time::sleep(healed.saturating_sub(person.host.elapsed())).await;
    person
        .host
        .trace()
        .note("world", "all users are done, all faults are over");
    person.compare_events(&*log).await;
    person.compare_films().await;
    person.compare_changes(&*log).await;
    person.compare_ratings().await;
    for look in 1.. {
        if oracle.look_at_end(person.host.trace()) {
            break;
        }
        if look == LOOKS {
            person.violation("a transaction stays open though nobody works".to_owned());
            break;
        }
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    person.party.over.send_replace(true);
}

impl Person {
    async fn write_catalogue(&self) {
        let metadata: MetadataClient = self.caller.client();
        for id in FILMS {
            let film = Film {
                id: id.into(),
                title: id.to_uppercase(),
                year: 1980,
                ..Film::default()
            };
            let request = PutMetadataRequest {
                metadata: Some(film),
            };
            let what = format!("{id} is written");
            let written = self.until_done(&what, async |cx| {
                metadata.put_metadata(cx, request.clone()).await
            });
            if let Err(error) = written.await {
                self.violation(format!("{id} cannot be written: {}", error.chain()));
            }
        }
    }

    async fn compare_films(&self) {
        let movies: MovieClient = self.caller.client();
        for film in FILMS {
            let request = GetMovieDetailsRequest {
                movie_id: film.to_owned(),
            };
            let what = format!("{film} is read");
            let read = self.until_done(&what, async |cx| {
                let answer = movies.get_movie_details(cx, request.clone()).await?;
                match answer.degraded.first() {
                    Some(part) => Err(Error::unavailable(format!("{part} is missing"))),
                    None => Ok(answer.movie.and_then(|movie| movie.rating)),
                }
            });
            let right = self.party.model.sums(film);
            match read.await {
                Ok(rating) => {
                    let found = rating.as_ref().map(sums).unwrap_or_default();
                    if found != right {
                        self.violation(format!(
                            "{film} is shown with {found:?}, users were told {right:?}"
                        ));
                    }
                }
                Err(error) => self.violation(format!("{film} cannot be read: {}", error.chain())),
            }
        }
    }

    async fn compare_ratings(&mut self) {
        let ratings: RatingClient = self.caller.client();
        for ((film, user), told) in self.party.model.final_ratings() {
            self.principal = match self.party.principal(&self.host, &user, None) {
                Ok(principal) => principal,
                Err(error) => return self.violation(error.chain()),
            };
            let request = GetRatingRequest {
                record_type: "movie".into(),
                record_id: film.clone(),
                user_id: user.clone(),
            };
            let what = format!("{user}'s rating of {film} is read");
            let read = self.until_done(&what, async |cx| {
                match ratings.get_rating(cx, request.clone()).await {
                    Ok(rating) => Ok(u8::try_from(rating.half_stars).ok()),
                    Err(error) if is_absent(&error) => Ok(None),
                    Err(error) => Err(error),
                }
            });
            match read.await {
                Ok(found) if found == told => {}
                Ok(found) => {
                    self.violation(format!(
                        "{user}'s rating of {film} is {found:?}, and was told to be {told:?}"
                    ));
                }
                Err(error) => self.violation(format!("{what}: {}", error.chain())),
            }
        }
    }

    /// Repeats a call until it succeeds, or fails for good.
    pub(super) async fn until_done<T>(
        &self,
        what: &str,
        call: impl AsyncFn(&Context) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let dice = self.host.dice(what);
        loop {
            match self
                .call(what, TIMEOUT, Context::background(), async |cx| {
                    call(cx).await
                })
                .await
            {
                Err(error) if may_pass(&error) => self.pause(&dice).await,
                outcome => return outcome,
            }
        }
    }
}
