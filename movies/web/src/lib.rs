//! The page people use: films to browse, search and rate, charts, ratings as they change, and a
//! name to rate under.
//!
//! Everything but the live parts works without script. The page holds no data: it asks the movie
//! service for films and charts, the rating service for ratings, the metadata service for uploaded
//! posters, the auth service for tokens and the mail service for who gets mail. What people want of
//! mail it says in the log of events.

mod address;
mod assets;
mod config;
mod filter;
mod headers;
mod name;
mod names;
mod optional;
mod page;
mod percent;
mod poster;
mod query;
mod ranks;
mod route;
mod stars;
mod tally;
mod trail;
mod view;
mod when;
mod wishes;

pub use config::Config;
pub use page::{Page, Ports};
pub use wishes::Wishes;

use backlot::{Service, StartError, Startup, owners};
use movies_api as api;
use std::sync::Arc;

/// Name, owner, configuration type and `start`: all that a composition needs to know.
#[must_use]
pub fn service() -> Service {
    Service::new("web", owners!("web-team"), start).port(8080)
}

async fn start(config: Config, cx: &mut Startup) -> Result<(), StartError> {
    let ports = Ports {
        metadata: Arc::new(cx.client::<api::MetadataClient>()),
        movies: Arc::new(cx.client::<api::MovieClient>()),
        ratings: Arc::new(cx.client::<api::RatingClient>()),
        auth: Arc::new(cx.client::<api::AuthClient>()),
        mail: Arc::new(cx.client::<api::MailClient>()),
        wishes: Arc::new(cx.bus()?),
    };
    let page = Page::new(config, ports, cx.env());
    cx.routes(page.router());
    Ok(())
}
