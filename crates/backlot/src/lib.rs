//! Backlot: microservices in Rust, written once and run embedded, as a fleet, or simulated.
//!
//! A service is a name, an owner, a configuration type and `start`:
//!
//! ```
//! use backlot::{Service, StartError, Startup, owners};
//! use backlot::config::Validate;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Debug, Default, Serialize, Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Config {}
//! impl Validate for Config {}
//!
//! async fn start(_config: Config, cx: &mut Startup) -> Result<(), StartError> {
//!     cx.routes(backlot::axum::Router::new());
//!     Ok(())
//! }
//!
//! let service = Service::new("reviews", owners!("reviews-team"), start).port(8085);
//! assert_eq!(service.name(), "reviews");
//! // fn main() -> std::process::ExitCode { backlot::main(service) }
//! ```
//!
//! This crate re-exports; the layers live in crates of their own and each works alone.

pub use axum;
pub use backlot_app as app;
pub use backlot_broker as broker;
pub use backlot_cache as cache;
pub use backlot_cluster as cluster;
pub use backlot_core as core;
pub use backlot_messaging as messaging;
pub use backlot_rpc as rpc;
pub use backlot_service as service;

pub use backlot_app::broker::service as broker_service;
pub use backlot_app::{Owner, Service, StartError, Startup, World, owners};
pub use backlot_core::{
    BoxFuture, Clock, Code, Context, Criticality, Deadline, Dice, Env, Error, Idempotency, Offload,
    Permission, Principal, Rule, Timestamp,
};
pub use backlot_rpc::{Binding, Client, Mount, Streaming};

/// Typed configuration.
pub mod config {
    pub use backlot_service::config::{Problems, Secret, Validate, human_duration};
}

/// SQL behind one seam.
pub mod storage {
    pub use backlot_app::StoreConfig;
    pub use backlot_storage::*;
}

/// Tokens and the keys they are verified with.
pub mod identity {
    pub use backlot_rpc::identity::contract::identity::v1::{
        GetKeySetRequest, GetKeySetResponse, Key,
    };
    pub use backlot_rpc::identity::contract::{KeySet, KeySetClient, key_set};
    pub use backlot_rpc::identity::{Claims, MAX_LIFETIME, SigningKey};
}

mod run;

pub use run::main;
