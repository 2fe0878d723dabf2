//! Calls between services: contracts, direct and remote bindings, gRPC and REST on one port.
//!
//! A contract is generated from .proto files (`backlot-build`): messages, a trait, a client and a
//! mount. The mount serves an implementation of the trait; the client reaches it, directly or over
//! gRPC, under the same semantic policies.
//!
//! | module | what it holds |
//! |---|---|
//! | [`contract`] | what is known of a service at build time |
//! | [`mount`] | a service made callable over gRPC, REST and directly |
//! | [`guard`] | the semantic policies every call runs under |
//! | [`binding`] | a client's way to a service |
//! | [`direct`], [`remote`] | the two ways |
//! | [`edge`], [`identity`] | headers become a context with a verified principal |
//! | [`admin`] | metrics, probes and the configuration in force |
//! | [`server`] | one port: gRPC, REST, reflection and health |
//! | [`rest`] | JSON over HTTP from the same contract |
//! | [`validate`] | field rules |
//! | [`wire`] | the context of a call as headers |

pub mod admin;
pub mod binding;
pub mod contract;
pub mod direct;
pub mod edge;
mod frame;
pub mod generated;
pub mod guard;
pub mod identity;
pub mod mount;
pub mod remote;
pub mod rest;
pub mod server;
mod status;
mod streaming;
pub mod validate;
pub mod wire;

pub use binding::{Binding, Client};
pub use direct::{Direct, Local};
pub use edge::Edge;
pub use frame::MAX_MESSAGE;
pub use guard::Guard;
pub use mount::{Mount, Reply};
pub use remote::Remote;
pub use server::Server;
pub use streaming::Streaming;
pub use validate::{Validate, Violations};
