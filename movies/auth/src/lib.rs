//! A small issuer: whoever picks a name gets a short-lived token for it. It proves nothing about
//! the person; accounts come later, behind the same tokens.

mod config;
mod controller;
mod handler;

pub use config::Config;

use backlot::identity::SigningKey;
use backlot::{Service, StartError, Startup, owners};
use movies_api as api;
use std::sync::Arc;

/// The secret that signs tokens, in the data folder.
pub const KEY: &str = "auth.key";

/// Name, owner, configuration type and `start`: all that a composition needs to know.
#[must_use]
pub fn service() -> Service {
    Service::new("auth", owners!("identity-team"), start).port(8084)
}

async fn start(config: Config, cx: &mut Startup) -> Result<(), StartError> {
    let key = SigningKey::from_seed(&cx.secret(KEY)?)?;
    let issuer = Arc::new(controller::Controller::new(
        config,
        key,
        cx.clock().clone(),
        cx.dice("tokens"),
    ));
    cx.serve(api::auth(handler::Grpc(Arc::clone(&issuer))));
    cx.serve(backlot::identity::key_set(handler::Grpc(issuer)));
    Ok(())
}
