//! What clients call: films joined with their ratings.

mod config;
mod controller;
mod handler;

pub use config::Config;

use backlot::{Service, StartError, Startup, owners};
use movies_api as api;
use std::sync::Arc;

/// Name, owner, configuration type and `start`: all that a composition needs to know.
#[must_use]
pub fn service() -> Service {
    Service::new("movie", owners!("movies-team"), start).port(8083)
}

async fn start(_config: Config, cx: &mut Startup) -> Result<(), StartError> {
    let metadata = Arc::new(cx.client::<api::MetadataClient>());
    let rating = Arc::new(cx.client::<api::RatingClient>());
    let movies = Arc::new(controller::Controller::new(metadata, rating));
    cx.serve(api::movie(handler::Grpc(movies)));
    Ok(())
}
