//! Messages of the log pushed to HTTP endpoints: a service of its own, beside any product's.
//!
//! An endpoint reads a topic as the group `webhook.NAME`, with a position, attempts and dead letters of
//! its own: one that is slow or down holds up no other. What is sent is the message's payload, with its
//! attributes as CloudEvents headers, signed as [Standard Webhooks](https://www.standardwebhooks.com)
//! says.
//!
//! | what the endpoint answers | what becomes of the message |
//! |---|---|
//! | 2xx | done |
//! | 410 | the endpoint is disabled, and its messages wait |
//! | 429 or 503 with `Retry-After` | tried again then, or a little later; that is an attempt |
//! | anything else, redirects too; nothing in time | tried again with growing pauses, then a [dead letter](backlot_messaging::dead) |
//!
//! Nothing is sent to a private, loopback or link-local address unless the configuration allows it:
//! names are resolved first, and the connection goes to the address that was checked.
//!
//! | module | what it holds |
//! |---|---|
//! | [`contract`] | the messages, the trait, the client |
//! | [`guard`] | where nothing is sent to |
//! | [`signature`] | secrets, and what they sign |
//! | [`config`] | what can be set |

mod client;
pub mod config;
mod controller;
mod deliverer;
pub mod guard;
mod handler;
mod model;
mod pusher;
mod repository;
pub mod signature;
mod telemetry;
mod transport;

pub mod contract {
    //! The contract, as generated from `proto/`.
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

pub use config::Config;

use backlot_app::{Service, StartError, Startup, owners};
use controller::Controller;
use pusher::Pusher;
use std::sync::Arc;

/// The name under which it is configured and found.
pub const NAME: &str = "webhooks";

/// What the secrets of endpoints are drawn with, in the data folder.
pub const KEY: &str = "webhooks.key";

/// The webhooks service: name, owner, configuration type and `start`.
#[must_use]
pub fn service() -> Service {
    Service::new(NAME, owners!("platform-team"), start)
        .port(8086)
        .with_store()
}

async fn start(config: Config, cx: &mut Startup) -> Result<(), StartError> {
    let store = cx.store(&config.store, repository::MIGRATIONS).await?;
    let guard = Arc::new(config.guard());
    let controller = Arc::new(Controller::new(
        store,
        cx.engine()?,
        Arc::clone(&guard),
        (cx.clock().clone(), cx.dice("secrets")),
        cx.secret(KEY)?,
    ));
    cx.serve(contract::webhook(handler::Grpc(Arc::clone(&controller))));
    let transport = transport::Transport::new(cx.env(), cx.tasks(), guard, config.authorities()?);
    let pusher = Pusher::new(controller, cx.setup()?, transport);
    cx.own("push", |stop| pusher.run(stop));
    Ok(())
}
