//! What is known of films.
//!
//! | module | what it holds |
//! |---|---|
//! | `words`, `names` | what a film is found by |
//! | `set`, `order` | sets of films, and the first of one in the order of the catalogue |
//! | `search`, `filter` | which films a query or a filter means |
//! | `upload` | files, and what bytes say they are |
//! | `repository` | all SQL |
//! | `controller`, `handler` | the rules; the ways in |

mod config;
mod controller;
mod filter;
mod handler;
mod model;
mod names;
mod order;
mod page;
mod repository;
mod search;
mod set;
mod upload;
mod words;

pub use config::Config;

use backlot::messaging::caps::Durability;
use backlot::messaging::consume::Group;
use backlot::{Service, StartError, Startup, owners};
use movies_api as api;
use movies_api::events::{MoviesChanged, PosterUploaded};
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
    let films = Arc::new(controller::Controller::new(
        store.clone(),
        cx.clock().clone(),
    ));
    cx.relay(&store, |carrier| {
        carrier.topic::<MoviesChanged>().topic::<PosterUploaded>()
    })?;
    let posters = Group::new("posters").durability(Durability::Disk);
    cx.consume(posters, &store, handler::Posters(Arc::clone(&films)))?;
    let entered = films.enter_first().await;
    let all_entered = entered.map_err(|source| StartError::Store {
        service: "metadata",
        source,
    })?;
    if !all_entered {
        let films = Arc::clone(&films);
        let entering = async move { films.enter_rest().await };
        cx.tasks()
            .spawn_endless("films of an older version", entering);
    }
    cx.serve(api::metadata(handler::Grpc(films)));
    Ok(())
}
