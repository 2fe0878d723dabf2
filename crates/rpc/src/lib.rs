//! Calls between services: contracts, direct and remote bindings, gRPC and REST on one port.
//!
//! A contract is generated from .proto files (`backlot-build`): messages, a trait, a client and a
//! mount. The mount serves an implementation of the trait; the client reaches it, directly or over
//! gRPC, under the same semantic policies.
//!
//! | in the .proto | in the trait | over REST |
//! |---|---|---|
//! | `rpc Get(A) returns (B)` | `request: A` to `B` | JSON and JSON |
//! | `rpc Watch(A) returns (stream B)` | `request: A` to `Streaming<B>` | JSON and server-sent events |
//! | `rpc Upload(stream A) returns (B)` | `requests: Streaming<A>` to `B` | a message on each line, and JSON |
//!
//! Streams are read as fast as their reader takes them, and what lies between the two ends is
//! bounded. A call with a stream of requests ends when its callee answers, early or not; an error
//! among the requests gives it up; the first message that breaks a rule refuses it. An idempotency
//! key travels with it, but no fingerprint of the whole stream: that a repeated key comes with the
//! same messages is for the handler to see to.
//!
//! | module | what it holds |
//! |---|---|
//! | [`contract`] | what is known of a service at build time |
//! | [`mount`] | a service made callable over gRPC, REST and directly |
//! | [`guard`] | the semantic policies every call runs under |
//! | [`binding`] | a client's way to a service |
//! | [`direct`], [`remote`] | the two ways |
//! | [`edge`], [`identity`] | headers become a context with a verified principal |
//! | [`deadlines`] | deadlines for services of axum and tonic as they are |
//! | [`admin`] | metrics, probes and the configuration in force |
//! | [`policy`] | what remote clients do about failures |
//! | [`own_name`] | pages answer to names of ours alone |
//! | [`same_origin`] | writes of pages come from our own pages |
//! | [`server`] | one port: gRPC, REST, reflection and health |
//! | [`rest`] | JSON over HTTP from the same contract |
//! | [`validate`] | field rules |
//! | [`wire`] | the context of a call as headers |

pub mod admin;
pub mod binding;
pub mod contract;
pub mod deadlines;
pub mod direct;
pub mod edge;
mod frame;
pub mod generated;
pub mod guard;
pub mod identity;
pub mod mount;
pub mod own_name;
pub mod policy;
pub mod remote;
pub mod rest;
pub mod same_origin;
pub mod server;
mod status;
mod streaming;
pub mod validate;
pub mod wire;

pub use binding::{Binding, Client, is_in_doubt, was_made};
pub use deadlines::Deadlines;
pub use direct::{Direct, Local};
pub use edge::Edge;
pub use frame::MAX_MESSAGE;
pub use guard::Guard;
pub use mount::{Mount, Reply};
pub use remote::{Caller, Channel, Remote, ZONE};
pub use server::Server;
pub use streaming::Streaming;
pub use validate::{Validate, Violations};
