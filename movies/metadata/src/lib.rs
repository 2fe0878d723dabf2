//! What is known of films.

mod config;
mod controller;
mod handler;
mod model;
mod page;
mod repository;

pub use config::Config;

use backlot::{Service, StartError, Startup, owners};
use movies_api as api;
use std::sync::Arc;

/// Name, owner, configuration type and `start`: all that a composition needs to know.
#[must_use]
pub fn service() -> Service {
    Service::new("metadata", owners!("catalogue-team"), start)
        .port(8081)
        .with_store()
}

async fn start(config: Config, cx: &mut Startup) -> Result<(), StartError> {
    let store = cx.store(&config.store, repository::MIGRATIONS).await?;
    let films = Arc::new(controller::Controller::new(store));
    cx.serve(api::metadata(handler::Grpc(films)));
    Ok(())
}
