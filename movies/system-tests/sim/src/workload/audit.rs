//! Before users come the catalogue is written; when they are gone everything is read once more,
//! through the services.

use super::user::is_absent;
use super::{FILMS, Party, Person, USERS, may_pass};
use crate::model::Sums;
use backlot::{Context, Error};
use backlot_sim::Host;
use movies_api::metadata::v1::Metadata as Film;
use movies_api::{
    Aggregate, GetMovieDetailsRequest, GetRatingRequest, MetadataClient, MovieClient,
    PutMetadataRequest, RatingClient,
};
use std::time::Duration;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Writes the catalogue, waits until `healed` and until all users are done, and compares what the
/// services say with what users were told.
pub async fn audit(host: Host, party: Party, healed: Duration) {
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
    let users = USERS.iter().map(|(_, users)| users.len()).sum::<usize>();
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
    person.compare_films().await;
    person.compare_ratings().await;
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
        for ((film, user), known) in self.party.model.ratings() {
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
                Ok(found) if found == known.settled => {}
                Ok(found) => {
                    let told = known.settled;
                    self.violation(format!(
                        "{user}'s rating of {film} is {found:?}, and was told to be {told:?}"
                    ));
                }
                Err(error) => self.violation(format!("{what}: {}", error.chain())),
            }
        }
    }

    /// Repeats a call until it succeeds, or fails for good.
    async fn until_done<T>(
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

fn sums(aggregate: &Aggregate) -> Sums {
    let mut sums = Sums {
        count: aggregate.count,
        ..Sums::default()
    };
    for (half_stars, (cell, count)) in
        (1..).zip(sums.histogram.iter_mut().zip(&aggregate.histogram))
    {
        *cell = *count;
        sums.sum += half_stars * u64::from(*count);
    }
    sums
}
