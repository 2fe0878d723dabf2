//! What clients call: films joined with their ratings.

mod chart;
mod config;
mod controller;
#[cfg(test)]
mod doubles;
mod films;
mod handler;

pub use config::{Chart, Config};

use backlot::{Service, StartError, Startup, owners};
use movies_api as api;
use movies_api::events::MoviesChanged;
use std::sync::Arc;

/// Name, owner, configuration type and `start`: all that a composition needs to know.
#[must_use]
pub fn service() -> Service {
    Service::new("movie", owners!("movies-team"), start).port(8083)
}

async fn start(config: Config, cx: &mut Startup) -> Result<(), StartError> {
    let metadata = Arc::new(cx.client::<api::MetadataClient>());
    let rating = Arc::new(cx.client::<api::RatingClient>());
    let (charts, keeping) = chart::follow(
        chart::Sources {
            metadata: Arc::<api::MetadataClient>::clone(&metadata),
            rating: Arc::<api::RatingClient>::clone(&rating),
            clock: cx.clock().clone(),
            dice: cx.dice("charts"),
        },
        config.chart.weight,
    );
    cx.tasks().spawn_endless("charts", keeping);
    let catalogue = Arc::<api::MetadataClient>::clone(&metadata);
    let films = cx.cache(films::Catalogue(catalogue), &config.films);
    cx.outdate(&films, |event: MoviesChanged| {
        event.movie_ids.into_iter().map(|id| (id, None))
    })?;
    let movies = controller::Controller::new(metadata, films, rating, charts);
    let movies = Arc::new(movies);
    cx.serve(api::movie(handler::Grpc(movies)));
    Ok(())
}
