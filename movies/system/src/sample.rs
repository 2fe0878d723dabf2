//! The sample: films worth looking at, with seeded ratings of made-up users, marked as such by
//! their names (`sample-17`). It is put in through the calls that an import makes.

use crate::token::AUDIENCE;
use backlot::app::World;
use backlot::app::fleet::Beside;
use backlot::app::out;
use backlot::app::process;
use backlot::cluster::Registry;
use backlot::identity::{Claims, MAX_LIFETIME, SigningKey};
use backlot::rpc::{Binding, Caller, Client, Local, Remote};
use backlot::service::tasks::Tasks;
use backlot::service::telemetry::Metrics;
use backlot::{Code, Context, Dice, Error, Principal};
use movies_api as api;
use movies_api::metadata::v1::Metadata;
use movies_api::{
    BatchPutRatingsRequest, GetAggregatedRatingRequest, PutMetadataRequest, RatingEntry,
};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// What is needed to load it.
const ROLES: [&str; 2] = ["editor", "importer"];
/// How long one call may take; loading is nobody's wait.
const CALL: Duration = Duration::from_secs(20);
const SEED: u64 = 1895;

#[derive(Debug, Deserialize)]
struct Film {
    id: String,
    title: String,
    year: i32,
    director: String,
    cast: Vec<String>,
    genres: Vec<String>,
    description: String,
    sample: Shape,
}

/// What a film's sample ratings look like.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Shape {
    count: u32,
    /// In stars.
    mean: f64,
}

/// The services the sample goes to.
#[derive(Clone, Debug)]
pub struct Clients {
    metadata: api::MetadataClient,
    rating: api::RatingClient,
}

impl Clients {
    /// In the same process.
    #[must_use]
    pub fn direct(local: &Local, dice: &Dice) -> Self {
        let binding = |service| Binding::Direct(local.binding(service, dice.clone()));
        Clients {
            metadata: api::MetadataClient::bind(binding(api::MetadataClient::SERVICE)),
            rating: api::RatingClient::bind(binding(api::RatingClient::SERVICE)),
        }
    }

    /// In other processes.
    fn remote(registry: &dyn Registry, world: &World, tasks: &Tasks) -> Self {
        let caller = Caller::new(&Metrics::new(), &world.env, tasks);
        let binding = |service: &'static backlot::rpc::contract::Service| {
            let instances = registry.resolver().watch(service.target);
            Binding::Remote(Remote::new(service, service.target, instances, &caller))
        };
        Clients {
            metadata: api::MetadataClient::bind(binding(api::MetadataClient::SERVICE)),
            rating: api::RatingClient::bind(binding(api::RatingClient::SERVICE)),
        }
    }
}

/// Loads the sample beside a fleet once its services answer.
#[must_use]
pub fn beside_fleet(with_sample: bool) -> Beside {
    Box::new(move |configuration, env, tasks, registry| {
        if !with_sample {
            return;
        }
        let world = process::world(&configuration.platform, &env, Arc::clone(&registry));
        let clients = Clients::remote(&*registry, &world, &tasks);
        load_in(&tasks, clients, world, env.dice.branch("sample"));
    })
}

/// Loads the sample in a task of its own.
pub fn load_in(tasks: &Tasks, clients: Clients, world: World, dice: Dice) {
    tasks.spawn("sample", load(clients, world, dice));
}

async fn load(clients: Clients, world: World, dice: Dice) {
    match try_load(&clients, &world, &dice).await {
        Ok(0) => {}
        Ok(films) => out::note(format_args!(
            "loaded the sample: {films} films with ratings of made-up users"
        )),
        Err(error) => out::note(format_args!(
            "the sample could not be loaded: {}",
            error.chain()
        )),
    }
}

/// Loads what is missing; how many films, 0 when all was there.
async fn try_load(clients: &Clients, world: &World, dice: &Dice) -> Result<usize, Error> {
    let films = films()?;
    let signer = Signer::new(world, dice)?;
    let Some(last) = films.last() else {
        return Ok(0);
    };
    if is_complete(clients, last).await? {
        return Ok(0);
    }
    // In order, so that the last film's last rating tells that all is there.
    for film in &films {
        let cx = signer.loader()?;
        let request = PutMetadataRequest {
            metadata: Some(film.metadata()),
        };
        retried(&cx, || clients.metadata.put_metadata(&cx, request.clone())).await?;
        let ratings = film.ratings().into_iter();
        let ratings = ratings.map(|(user_id, half_stars)| RatingEntry {
            record_id: film.id.clone(),
            user_id,
            half_stars,
            rated_at: 0,
        });
        let request = BatchPutRatingsRequest {
            record_type: "movie".into(),
            ratings: ratings.collect(),
        };
        let put = || clients.rating.batch_put_ratings(&cx, request.clone());
        retried(&cx, put).await?;
    }
    Ok(films.len())
}

async fn is_complete(clients: &Clients, last: &Film) -> Result<bool, Error> {
    let cx = Context::background().with_timeout(CALL);
    let request = GetAggregatedRatingRequest {
        record_type: "movie".into(),
        record_id: last.id.clone(),
    };
    let response = retried(&cx, || {
        clients.rating.get_aggregated_rating(&cx, request.clone())
    })
    .await?;
    Ok(response
        .aggregate
        .is_some_and(|aggregate| aggregate.count >= last.sample.count))
}

/// Repeats a call while the service is away: a fleet's services come one by one. Puts are safe to
/// repeat.
async fn retried<T, F: Future<Output = Result<T, Error>>>(
    cx: &Context,
    call: impl Fn() -> F,
) -> Result<T, Error> {
    loop {
        match call().await {
            Err(error)
                if matches!(error.code(), Code::Unavailable | Code::Unauthenticated)
                    && !cx.deadline().has_passed() =>
            {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            outcome => return outcome,
        }
    }
}

fn films() -> Result<Vec<Film>, Error> {
    serde_json::from_str(include_str!("../sample/catalogue.json"))
        .map_err(|error| Error::internal("the sample catalogue is malformed").with_source(error))
}

impl Film {
    fn metadata(&self) -> Metadata {
        Metadata {
            id: self.id.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            director: self.director.clone(),
            year: self.year,
            cast: self.cast.clone(),
            genres: self.genres.clone(),
            ..Default::default()
        }
    }

    /// The same ratings at every load: half stars around the mean, as an Irwin-Hall sum of four
    /// even rolls spreads them.
    fn ratings(&self) -> Vec<(String, i32)> {
        let dice = Dice::seeded(SEED).branch(&self.id);
        (0..self.sample.count)
            .map(|number| {
                let spread: f64 = (0..4).map(|_| dice.unit() - 0.5).sum::<f64>() * 3.0;
                let half_stars = (self.sample.mean * 2.0 + spread).round().clamp(1.0, 10.0) as i32;
                (format!("sample-{number}"), half_stars)
            })
            .collect()
    }
}

/// Signs tokens with the key in the data folder.
struct Signer {
    key: SigningKey,
    issuer: String,
    world: World,
    dice: Dice,
}

impl Signer {
    fn new(world: &World, dice: &Dice) -> Result<Self, Error> {
        let secret = (world.secrets)(movies_auth::KEY).map_err(|error| {
            Error::internal("the signing key is not to be had").with_source(error)
        })?;
        Ok(Signer {
            key: SigningKey::from_seed(&secret)?,
            issuer: world.identity.issuer.clone(),
            world: world.clone(),
            dice: dice.clone(),
        })
    }

    /// Writes films, and ratings of the made-up users.
    fn loader(&self) -> Result<Context, Error> {
        let audience = AUDIENCE.map(String::from).into();
        let roles = ROLES.map(String::from).into();
        let claims = Claims::new(
            &self.issuer,
            "sample-loader",
            audience,
            MAX_LIFETIME,
            &self.world.env.clock,
            &self.dice,
        );
        let principal: Principal = self.key.principal(Claims { roles, ..claims })?;
        Ok(Context::background()
            .with_timeout(CALL)
            .with_principal(principal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_sample_is_large_enough_and_well_formed() {
        let films = films().unwrap();
        assert!(films.len() >= 40, "{}", films.len());
        let ids: BTreeSet<_> = films.iter().map(|film| &film.id).collect();
        assert_eq!(ids.len(), films.len(), "an id is there twice");
        for film in &films {
            let ratings = film.ratings();
            assert_eq!(ratings.len(), film.sample.count as usize);
            assert_eq!(ratings, film.ratings(), "the same at every load");
            let mean = ratings
                .iter()
                .map(|(_, half_stars)| f64::from(*half_stars))
                .sum::<f64>()
                / 2.0
                / ratings.len() as f64;
            assert!(
                (mean - film.sample.mean).abs() < 0.5,
                "{}: {mean} instead of {}",
                film.id,
                film.sample.mean
            );
        }
    }
}
