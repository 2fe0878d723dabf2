//! The services as a scenario sees them: typed clients, somebody to be, and what was seen.

use crate::probe::ProbeClient;
use crate::tokens::Tokens;
use crate::transcript::Transcript;
use backlot::broker::contract::BrokerClient;
use backlot::rpc::contract::Service;
use backlot::{Binding, Client, Code, Context, Error};
use movies_api as api;
use movies_api::metadata::v1::Metadata;
use movies_api::{GetAggregatedRatingRequest, PutMetadataRequest, PutRatingRequest};
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// What takes its time on the scenario's own thread: starting a service is not for moving around.
pub type Turn<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Stops services of a world and starts them again, their data kept.
pub trait Power: Send + Sync {
    /// Stops a service in order: it drains. Returns when it has ended.
    fn stop<'a>(&'a self, service: &'a str) -> Turn<'a>;
    /// Starts a service that was stopped.
    fn start<'a>(&'a self, service: &'a str) -> Turn<'a>;
}

/// A world of services.
#[derive(Clone)]
pub struct Clients {
    /// What is known of films.
    pub metadata: api::MetadataClient,
    /// Ratings.
    pub rating: api::RatingClient,
    /// Films with their ratings.
    pub movie: api::MovieClient,
    /// The issuer of tokens.
    pub auth: api::AuthClient,
    /// Mail to people.
    pub mail: api::MailClient,
    /// The log of events.
    pub broker: BrokerClient,
    /// What a callee sees.
    pub probe: ProbeClient,
    /// Who a scenario may be.
    pub tokens: Tokens,
    /// For scenarios that need it.
    pub power: Option<Arc<dyn Power>>,
    /// What was seen.
    pub transcript: Transcript,
}

impl Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients")
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

impl Clients {
    /// Clients over the bindings that `binding` makes for each service.
    #[must_use]
    pub fn new(
        binding: impl Fn(&'static Service) -> Binding,
        tokens: Tokens,
        power: Option<Arc<dyn Power>>,
    ) -> Self {
        fn bound<C: Client>(binding: &impl Fn(&'static Service) -> Binding) -> C {
            C::bind(binding(C::SERVICE))
        }
        Clients {
            metadata: bound(&binding),
            rating: bound(&binding),
            movie: bound(&binding),
            auth: bound(&binding),
            mail: bound(&binding),
            broker: bound(&binding),
            probe: bound(&binding),
            tokens,
            power,
            transcript: Transcript::default(),
        }
    }

    /// A call by nobody.
    #[must_use]
    pub fn nobody(&self) -> Context {
        Context::background()
    }

    /// A call by a user of this name.
    #[must_use]
    pub fn user(&self, name: &str) -> Context {
        Context::background().with_principal(self.tokens.user(name))
    }

    /// A call by somebody who may edit the catalogue.
    #[must_use]
    pub fn editor(&self) -> Context {
        Context::background().with_principal(self.tokens.editor("eve"))
    }

    /// A call by somebody who may do all that the broker can.
    #[must_use]
    pub fn operator(&self) -> Context {
        Context::background().with_principal(self.tokens.operator("otto"))
    }

    /// The switch of this world.
    ///
    /// # Panics
    /// When it has none: such scenarios are not for it.
    #[must_use]
    pub fn power(&self) -> &dyn Power {
        match &self.power {
            Some(power) => &**power,
            None => panic!("this world cannot stop services; leave out scenarios that need power"),
        }
    }

    /// Puts a film of this id.
    ///
    /// # Panics
    /// When that fails.
    pub async fn film(&self, id: &str) -> Metadata {
        let film = Metadata {
            id: id.to_owned(),
            title: format!("The film {id}"),
            description: "In black and white.".to_owned(),
            director: "Ida Lupino".to_owned(),
            year: 1953,
            cast: vec!["Edmond O’Brien".to_owned(), "Frank Lovejoy".to_owned()],
            genres: vec!["Film-Noir".to_owned()],
            ..Default::default()
        };
        let request = PutMetadataRequest {
            metadata: Some(film.clone()),
        };
        self.answered(
            "a film is put",
            self.metadata.put_metadata(&self.editor(), request).await,
        );
        film
    }

    /// Rates a film as its user; the aggregate afterwards.
    ///
    /// # Panics
    /// When that fails.
    pub async fn rate(&self, user: &str, film: &str, half_stars: i32) -> api::Aggregate {
        let request = rating(user, film, half_stars);
        let what = format!("{user} rates {film} with {half_stars}");
        let put = self.answered(
            &what,
            self.rating.put_rating(&self.user(user), request).await,
        );
        self.some(&what, put.aggregate)
    }

    /// The aggregate of a film.
    ///
    /// # Panics
    /// When it is not to be had.
    pub async fn aggregate(&self, film: &str) -> api::Aggregate {
        let request = GetAggregatedRatingRequest {
            record_type: "movie".to_owned(),
            record_id: film.to_owned(),
        };
        let what = format!("the aggregate of {film}");
        let got = self.answered(
            &what,
            self.rating
                .get_aggregated_rating(&self.nobody(), request)
                .await,
        );
        self.some(&what, got.aggregate)
    }

    /// The answer of a call that has to work; it goes into the transcript.
    ///
    /// # Panics
    /// When it did not.
    pub fn answered<T: Debug>(&self, what: &str, outcome: Result<T, Error>) -> T {
        let answer = self.worked(what, outcome);
        self.transcript.add(what, &answer);
        answer
    }

    /// The answer of a call that has to work, and that differs from world to world.
    ///
    /// # Panics
    /// When it did not.
    pub fn worked<T>(&self, what: &str, outcome: Result<T, Error>) -> T {
        match outcome {
            Ok(answer) => answer,
            Err(error) => panic!("{what}: {}", error.chain()),
        }
    }

    /// The error of a call that has to be refused so; every word of it goes into the transcript.
    ///
    /// # Panics
    /// When it was not.
    pub fn refused<T: Debug>(&self, what: &str, outcome: Result<T, Error>, code: Code) -> Error {
        let error = self.failed(what, outcome, code);
        self.transcript.add_error(what, &error);
        error
    }

    /// As [`Clients::refused`], for an error whose words differ from world to world.
    ///
    /// # Panics
    /// When it was not refused so.
    pub fn failed<T: Debug>(&self, what: &str, outcome: Result<T, Error>, code: Code) -> Error {
        match outcome {
            Ok(answer) => panic!("{what}: expected {code}, got the answer {answer:?}"),
            Err(error) if error.code() == code => error,
            Err(error) => panic!("{what}: expected {code}, got {}", error.chain()),
        }
    }

    /// What has to be there.
    ///
    /// # Panics
    /// When it is not.
    pub fn some<T>(&self, what: &str, part: Option<T>) -> T {
        match part {
            Some(part) => part,
            None => panic!("{what}: a part of the answer is missing"),
        }
    }

    /// Waits (in the world's own time, at most a minute of it) until `probe` gives an answer.
    ///
    /// # Panics
    /// After that minute, with the last error.
    pub async fn eventually<T>(
        &self,
        what: &str,
        mut probe: impl AsyncFnMut() -> Result<T, Error>,
    ) -> T {
        let end = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            match probe().await {
                Ok(answer) => return answer,
                Err(error) if tokio::time::Instant::now() >= end => {
                    panic!("{what}, still: {}", error.chain())
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// A rating of a film.
#[must_use]
pub fn rating(user: &str, film: &str, half_stars: i32) -> PutRatingRequest {
    PutRatingRequest {
        record_type: "movie".to_owned(),
        record_id: film.to_owned(),
        user_id: user.to_owned(),
        half_stars,
    }
}
