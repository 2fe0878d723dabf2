//! One user, from picking a name to the last click.

use super::{FILMS, Party, Person, UNTIL, audience, may_pass};
use crate::model::Change;
use crate::plan::Defence;
use backlot::core::principal::{Token, User};
use backlot::rpc::policy::{Knobs, Policy};
use backlot::{Code, Context, Dice, Error, Idempotency, Principal, Timestamp};
use backlot_sim::Host;
use backlot_sim::host::Caller;
use movies_api::{
    AuthClient, DeleteRatingRequest, GetMovieDetailsRequest, MovieClient, PickNameRequest,
    PutRatingRequest, RatingClient,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Does what users do, until [`UNTIL`].
pub async fn use_it(host: Host, caller: Caller, party: Party, name: &'static str) {
    let dice = host.dice(name);
    let mut person = Person {
        host,
        caller,
        party,
        name,
        principal: Principal::Anonymous,
    };
    // The sender lives in the party: waiting cannot fail.
    drop(
        person
            .party
            .opened
            .subscribe()
            .wait_for(|opened| *opened)
            .await
            .map(drop),
    );
    if let Some(principal) = person.pick_name(&dice).await {
        person.principal = principal;
        let mut policy = Policy::default();
        if !person.party.plan.has(Defence::Idempotency) {
            // All repetitions are this person's own, and under keys of their own.
            policy.retry.attempts = 1;
        }
        let caller = person.caller.clone().with_knobs(&Knobs::new(policy));
        let (ratings, movies) = (caller.client(), caller.client());
        while person.host.elapsed() < UNTIL {
            person.think(&dice).await;
            let film = FILMS[dice.below(FILMS.len() as u64) as usize];
            match dice.below(100) {
                0..55 => {
                    person
                        .change(&ratings, &dice, film, Change::Put(1 + dice.below(10) as u8))
                        .await
                }
                55..75 => person.change(&ratings, &dice, film, Change::Delete).await,
                _ => person.read(&movies, &dice, film).await,
            }
        }
    }
    person.party.done.send_modify(|done| *done += 1);
}

impl Person {
    async fn pick_name(&self, dice: &Dice) -> Option<Principal> {
        let auth: AuthClient = self.caller.client();
        loop {
            let request = PickNameRequest {
                name: self.name.to_owned(),
            };
            let what = format!("{} picks a name", self.name);
            let call = self.call(
                &what,
                Duration::from_secs(1),
                Context::background(),
                async |cx| auth.pick_name(cx, request).await,
            );
            match call.await {
                Ok(picked) => {
                    return Some(Principal::User(Arc::new(User {
                        subject: self.name.to_owned(),
                        roles: BTreeSet::new(),
                        audience: audience(),
                        expires: Timestamp::of_seconds(picked.expires_at),
                        token: Token::new(picked.token),
                    })));
                }
                Err(error) if may_pass(&error) => self.pause(dice).await,
                Err(error) => {
                    self.violation(format!("{what}: {}", error.chain()));
                    return None;
                }
            }
        }
    }

    /// Changes a rating, again and again until that is acknowledged.
    async fn change(&self, ratings: &RatingClient, dice: &Dice, film: &str, change: Change) {
        let before = self.party.model.ask(film, self.name, change);
        let what = match change {
            Change::Put(half_stars) => {
                format!("{} rates {film} with {half_stars} half stars", self.name)
            }
            Change::Delete => format!("{} takes back the rating of {film}", self.name),
        };
        let mut key = dice.uuid();
        for attempt in 1.. {
            let timeout = Duration::from_millis(400 + dice.below(1100));
            match self
                .attempt(ratings, &what, timeout, &key, film, change)
                .await
            {
                Ok(deleted) => {
                    self.party.model.acknowledge(film, self.name);
                    let again = if attempt == 1 {
                        String::new()
                    } else {
                        format!(", at attempt {attempt}")
                    };
                    self.host.trace().count("changes acknowledged");
                    if attempt == 1 {
                        self.host.trace().detail(self.host.name(), what);
                    } else {
                        self.host.trace().count("changes repeated");
                        self.host
                            .trace()
                            .note(self.host.name(), format!("{what}: done{again}"));
                    }
                    if change == Change::Delete && deleted != before.is_some() {
                        let text = format!(
                            "{} took back a rating of {film}, and was told deleted={deleted}",
                            self.name
                        );
                        self.violation(text);
                    }
                    return;
                }
                Err(error) if may_pass(&error) => {
                    self.pause(dice).await;
                    if !self.party.plan.has(Defence::Idempotency) {
                        key = dice.uuid();
                    }
                }
                Err(error) => {
                    self.violation(format!("{what}: {}", error.chain()));
                    return;
                }
            }
        }
    }

    /// One attempt; whether a rating was deleted.
    async fn attempt(
        &self,
        ratings: &RatingClient,
        what: &str,
        timeout: Duration,
        key: &str,
        film: &str,
        change: Change,
    ) -> Result<bool, Error> {
        let (record_type, record_id, user_id) =
            ("movie".to_owned(), film.to_owned(), self.name.to_owned());
        let cx = Context::background().with_idempotency(Some(Arc::new(Idempotency::parse(key)?)));
        self.call(what, timeout, cx, async |cx| match change {
            Change::Put(half_stars) => {
                let request = PutRatingRequest {
                    record_type,
                    record_id,
                    user_id,
                    half_stars: half_stars.into(),
                };
                ratings.put_rating(cx, request).await.map(|_| false)
            }
            Change::Delete => {
                let request = DeleteRatingRequest {
                    record_type,
                    record_id,
                    user_id,
                };
                ratings
                    .delete_rating(cx, request)
                    .await
                    .map(|answer| answer.deleted)
            }
        })
        .await
    }

    /// Looks at a film. What was acknowledged before must be in the answer, or be named as missing.
    async fn read(&self, movies: &MovieClient, dice: &Dice, film: &str) {
        let (least, _) = self.party.model.changes(film);
        let timeout = Duration::from_millis(400 + dice.below(1100));
        let what = format!("{} looks at {film}", self.name);
        let request = GetMovieDetailsRequest {
            movie_id: film.to_owned(),
        };
        let call = self.call(&what, timeout, Context::background(), async |cx| {
            movies.get_movie_details(cx, request).await
        });
        let answer = match call.await {
            Ok(answer) => answer,
            Err(error) if may_pass(&error) => return,
            Err(error) => return self.violation(format!("{what}: {}", error.chain())),
        };
        self.host.trace().count("films looked at");
        let (_, most) = self.party.model.changes(film);
        let rating = answer.movie.and_then(|movie| movie.rating);
        let lacks = |part: &str| answer.degraded.iter().any(|lacking| lacking == part);
        if lacks("metadata") {
            self.host.trace().count("films looked at as they were");
        }
        if lacks("rating") {
            self.host.trace().count("films looked at without ratings");
            self.host.trace().note(
                self.host.name(),
                format!("{what}: without {}", answer.degraded.join(", ")),
            );
            if rating.is_some() {
                self.violation(format!(
                    "{film} came with a rating that is said to be missing"
                ));
            }
            return;
        }
        self.host.trace().detail(self.host.name(), what);
        // Without ratings the aggregate is left out, version and all.
        let Some(rating) = rating else { return };
        if rating.version < least || rating.version > most {
            let text = format!(
                "{film} is at version {}, users made it {least} to {most}",
                rating.version
            );
            self.violation(text);
        }
        if rating.histogram.iter().sum::<u32>() != rating.count {
            self.violation(format!(
                "{film} has {} ratings, and a histogram of others",
                rating.count
            ));
        }
    }
}

/// Whether a film is not there.
pub(super) fn is_absent(error: &Error) -> bool {
    error.code() == Code::NotFound
}
