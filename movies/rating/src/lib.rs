//! Ratings of any record, with count, mean and histogram kept as they come.

mod batch;
mod changes;
mod config;
mod controller;
mod handler;
mod live;
mod model;
mod page;
mod repository;

pub use config::Config;

use backlot::messaging::caps::Durability;
#[cfg(feature = "testing")]
use backlot::messaging::consume::sabotage::Sabotage;
use backlot::messaging::consume::{Group, Order};
use backlot::{Service, StartError, Startup, owners};
use movies_api as api;
use movies_api::events::RatingsChanged;
use std::sync::Arc;

/// Name, owner, configuration type and `start`: all that a composition needs to know.
#[must_use]
pub fn service() -> Service {
    Service::new("rating", owners!("ratings-team"), start)
        .port(8082)
        .with_store()
}

/// The service with a consumer that is wrong on purpose: a test that does not notice tests nothing.
#[cfg(feature = "testing")]
#[must_use]
pub fn sabotaged(sabotage: Sabotage) -> Service {
    let start = async move |config: Config, cx: &mut Startup| {
        start_with(config, cx, group().sabotaged(sabotage)).await
    };
    Service::new("rating", owners!("ratings-team"), start)
        .port(8082)
        .with_store()
}

async fn start(config: Config, cx: &mut Startup) -> Result<(), StartError> {
    start_with(config, cx, group()).await
}

/// Who takes submitted ratings in.
fn group() -> Group {
    Group::new("rating-aggregator")
        .order(Order::Key)
        // One batch is written while the next one is decoded.
        .concurrency(2)
        .durability(Durability::Disk)
}

async fn start_with(config: Config, cx: &mut Startup, group: Group) -> Result<(), StartError> {
    let store = cx.store(&config.store, repository::MIGRATIONS).await?;
    let ratings = Arc::new(controller::Controller::new(
        store.clone(),
        cx.clock().clone(),
    ));
    cx.serve(api::rating(handler::Grpc(Arc::clone(&ratings))));
    cx.relay(&store, |carrier| carrier.topic::<RatingsChanged>())?;
    let group = group.batch(config.batch).lease(config.lease);
    cx.consume(group, &store, handler::Events(Arc::clone(&ratings)))?;
    let (looking, dice) = (Arc::clone(&ratings), cx.env().dice.branch("watchers"));
    cx.own("look again", async move |stop| {
        tokio::select! {
            biased;
            () = stop => {}
            () = looking.look(&dice) => {}
        }
    });
    cx.follow("live-ratings", handler::Watchers(ratings))
}
