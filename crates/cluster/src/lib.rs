//! Discovery: who is there, and how to be found.
//!
//! ```
//! use backlot_cluster::{Memory, Registry};
//! use backlot_core::discovery::Instance;
//!
//! let registry = Memory::new();
//! let rating = registry.register(Instance {
//!     id: "rating-5f3c".into(),
//!     service: "rating".into(),
//!     address: "127.0.0.1:8082".into(),
//!     version: "1.0.0".into(),
//!     metadata: Default::default(),
//! });
//! let watch = registry.resolver().watch("rating");
//! assert_eq!(watch.borrow().instances[0].address, "127.0.0.1:8082");
//! drop(rating);
//! assert!(watch.borrow().instances.is_empty());
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`registry`] | the contract: register, resolve, what both MUST do |
//! | [`memory`] | the registry of one process |
//! | [`fixed`] | a list from the configuration |
//! | [`embedded`] | the registry over HTTP and JSON: table, server, client |
//! | [`hosting`] | whoever binds the fixed loopback port hosts the registry |
//! | [`http1`] | a small client over the network seam, for one address |
//! | [`config`] | where the registry is, and its times |
//! | [`error`] | what an operator is told |

pub mod config;
#[cfg(feature = "testing")]
pub mod conformance;
pub mod embedded;
pub mod error;
pub mod fixed;
pub mod hosting;
pub mod http1;
pub mod memory;
pub mod registry;

pub use config::Config;
pub use error::Error;
pub use fixed::Fixed;
pub use hosting::Hosting;
pub use memory::Memory;
pub use registry::{Registration, Registry, Status};
