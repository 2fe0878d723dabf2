//! A broker for other processes: what an engine of events can do, as a contract over gRPC and REST.
//!
//! One process keeps the log and serves it; others publish, read and settle over the wire through
//! an [`Engine`](backlot_messaging::Engine) like the one inside that process.
//!
//! ```no_run
//! use backlot_broker::{Access, Options, Remote, Server, contract};
//! use backlot_core::Env;
//! use backlot_messaging::Engine;
//! use backlot_rpc::Mount;
//! use backlot_service::Tasks;
//! use std::sync::Arc;
//!
//! /// In the process that keeps the log.
//! fn serve(log: Arc<dyn Engine>, secret: [u8; 32], env: &Env, tasks: &Tasks) -> Mount {
//!     contract::broker(Server::new(log, Access::new(secret), Options::default(), env, tasks))
//! }
//!
//! /// In every other.
//! fn attach(client: contract::BrokerClient, secret: [u8; 32], env: &Env, tasks: &Tasks) -> Remote {
//!     Remote::new(client, secret, env, tasks)
//! }
//! ```
//!
//! What a session has out comes to others when its caller dies, as it does with a member of the
//! same process. Failures keep their kind and whether something can have happened; an answer that
//! is lost is [`Error::Unknown`](backlot_messaging::Error::Unknown).
//!
//! | module | what it holds |
//! |---|---|
//! | [`contract`] | the messages, the trait, the client |
//! | [`server`] | the contract over an engine: sessions with a lease |
//! | [`queues`] | queues for workers in any language, above a desk |
//! | [`access`] | who may call |
//! | [`remote`] | the engine of another process |
//! | [`slot`] | the engine of the same process, which may come and go |

pub mod access;
pub mod contract {
    //! The contract, as generated from `proto/`.
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}
pub mod queues;
pub mod remote;
pub mod server;
pub mod slot;
mod wire;

pub use access::Access;
pub use queues::QueueServer;
pub use remote::Remote;
pub use server::{Options, Server};
pub use slot::Slot;
