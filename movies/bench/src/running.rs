//! Movies in this process, and the data everything is measured over.

use crate::names;
use crate::users::Users;
use anyhow::{Result, anyhow};
use backlot::app::cli::{Configuration, Options};
use backlot::app::embedded::Embedded;
use backlot::app::process;
use backlot::cluster::Memory;
use backlot::rpc::Local;
use backlot::{Binding, Client, Context, Env, World};
use movies_api::{MetadataClient, MovieClient, PutMetadataRequest, PutRatingRequest, RatingClient};
use movies_system::PRODUCT;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How many calls fill the data at once.
const AT_ONCE: u64 = 128;
/// How long one call that fills may take.
const CALL: Duration = Duration::from_secs(20);

/// All services of Movies in this process, each on free ports.
#[derive(Debug)]
pub struct Running {
    embedded: Embedded,
    env: Env,
}

impl Running {
    /// Starts them over the data in this folder.
    ///
    /// # Errors
    /// When they do not start.
    pub async fn start(data: &Path) -> Result<Self> {
        let env = Env::real();
        let mut options = Options {
            data: Some(data.to_owned()),
            ..Options::default()
        };
        for service in (PRODUCT.services)() {
            for address in ["listen", "admin"] {
                options
                    .set
                    .push(format!("{}.server.{address}=127.0.0.1:0", service.name()));
            }
        }
        let configuration = Configuration::load(&PRODUCT, &options, &env)
            .map_err(|problems| anyhow!("{problems}"))?;
        let world = process::world(&configuration.platform, &env, Arc::new(Memory::new()));
        let world = World {
            local: Some(Local::new()),
            ..world
        };
        let embedded = Embedded::start(&configuration.services, world).await?;
        Ok(Running { embedded, env })
    }

    /// A client bound directly. To call from several places, clone it: two clients made here roll
    /// the same dice, and so use the same idempotency keys.
    #[must_use]
    pub fn client<C: Client>(&self) -> C {
        let dice = self.env.dice.branch(C::SERVICE.target);
        C::bind(Binding::Direct(
            self.embedded.local().binding(C::SERVICE, dice),
        ))
    }

    /// The log of events.
    #[must_use]
    pub fn log(&self) -> &backlot::broker::Slot {
        self.embedded.broker()
    }

    /// Stops them all.
    pub async fn stop(self) {
        self.embedded.stop().await;
    }
}

/// Fills an empty folder: films, each with ratings.
///
/// # Errors
/// What the services answer.
pub async fn fill(data: &Path) -> Result<()> {
    let running = Running::start(data).await?;
    let users = Arc::new(Users::of(data)?);
    let editor = Context::background().with_principal(users.editor()?);
    let (metadata, rating): (MetadataClient, RatingClient) = (running.client(), running.client());
    let mut work = JoinSet::new();
    for lane in 0..AT_ONCE {
        let (metadata, rating) = (metadata.clone(), rating.clone());
        let (users, editor) = (Arc::clone(&users), editor.clone());
        work.spawn(async move {
            for number in (lane..u64::from(names::FILMS)).step_by(AT_ONCE as usize) {
                let request = PutMetadataRequest {
                    metadata: Some(names::film(number)),
                };
                metadata
                    .put_metadata(&editor.clone().with_timeout(CALL), request)
                    .await?;
                for user in 0..u64::from(names::RATINGS) {
                    let cx = Context::background().with_timeout(CALL);
                    let mut request = names::rating(user);
                    request.record_id = names::film_id(number);
                    rating
                        .put_rating(&cx.with_principal(users.principal(user)?), request)
                        .await?;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = work.join_next().await {
        done??;
    }
    check(&running).await?;
    running.stop().await;
    Ok(())
}

/// Gives a record so many ratings through the service, each of another user.
///
/// # Errors
/// What the services answer.
pub async fn rate(data: &Path, record: &str, ratings: u32) -> Result<()> {
    let running = Running::start(data).await?;
    let users = Arc::new(Users::of(data)?);
    let rating: RatingClient = running.client();
    let mut work = JoinSet::new();
    for lane in 0..AT_ONCE {
        let (rating, users) = (rating.clone(), Arc::clone(&users));
        let record = record.to_owned();
        work.spawn(async move {
            for number in (lane..u64::from(ratings)).step_by(AT_ONCE as usize) {
                let (user, principal) = users.newcomer(number)?;
                let cx = Context::background()
                    .with_timeout(CALL)
                    .with_principal(principal);
                let request = PutRatingRequest {
                    record_id: record.clone(),
                    user_id: user,
                    ..names::rating(number)
                };
                rating.put_rating(&cx, request).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = work.join_next().await {
        done??;
    }
    running.stop().await;
    Ok(())
}

async fn check(running: &Running) -> Result<()> {
    let movie: MovieClient = running.client();
    let response = movie
        .get_movie_details(&Context::background(), names::details_of(7))
        .await?;
    let rating = response.movie.and_then(|movie| movie.rating);
    match rating {
        Some(rating) if rating.count == names::RATINGS => Ok(()),
        rating => Err(anyhow!("the data was not filled: {rating:?}")),
    }
}
