//! A worker on a queue: looks into uploaded files and makes pictures in three sizes of them, which
//! the catalogue then shows. What is no picture goes to the dead letters with the reason.
//!
//! Any number of instances share the queue. One that dies has done nothing or all: what it makes is
//! an event, which the catalogue takes in once.

mod config;
mod picture;
mod worker;

pub use config::Config;

use backlot::messaging::caps::Durability;
use backlot::messaging::consume::{Group, Order};
use backlot::{Service, StartError, Startup, owners};
use movies_api as api;
use std::sync::Arc;
use std::time::Duration;

/// Name, owner, configuration type and `start`: all that a composition needs to know.
#[must_use]
pub fn service() -> Service {
    Service::new("poster", owners!("catalogue-team"), start).port(8087)
}

async fn start(config: Config, cx: &mut Startup) -> Result<(), StartError> {
    let group = Group::new("poster-makers")
        .order(Order::None)
        .concurrency(config.workers)
        // What a worker that dies had is with another soon; one that lives renews it.
        .lease(Duration::from_secs(10))
        .deadline(Duration::from_secs(60))
        .durability(Durability::Disk);
    let worker = worker::Worker {
        config,
        metadata: Arc::new(cx.client::<api::MetadataClient>()),
        bus: cx.bus()?,
        offload: cx.env().offload,
    };
    cx.work(group, worker)
}
