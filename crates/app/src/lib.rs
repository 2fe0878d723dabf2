//! A whole service from parts: [`Service`], [`Startup`] and the compositions.
//!
//! A service is a name, an owner, a configuration type and `start`. What differs between running
//! embedded, as a process and simulated is the [`World`] that a composition hands in.
//!
//! | module | what it holds |
//! |---|---|
//! | [`service`] | all that a composition needs to know of a service |
//! | [`startup`] | what `start` is handed |
//! | [`world`] | what the outside consists of: seams, registry, stores, secrets |
//! | [`broker`] | the service that keeps the log of events |
//! | [`node`] | one running service: started, announced, drained |
//! | [`embedded`] | all services in one process, bound directly |
//! | [`process`] | one service in a process of its own |
//! | [`fleet`] | all services as child processes, restarted when they crash |
//! | [`config`] | what every process can be told |
//! | [`cli`] | the flags every command shares |
//! | [`dead`] | the command of operators for dead letters: found, mended, sent again |
//! | [`queues`] | the command of operators for what workers have out |
//! | [`caches`] | the command of operators for caches: how they do, and that they forget |
//! | [`calls`] | the command of operators for calls between services: who looks how, by which policy |
//! | [`admin`] | what an instance answers its operators, and how it is asked |
//! | [`topics`] | the commands of operators for topics and how far groups are behind |
//! | [`reach`] | how commands reach the broker, or its log while none runs |
//! | [`out`] | what a program prints, also when its reader leaves |

pub mod admin;
mod ask;
pub mod broker;
pub mod caches;
pub mod calls;
pub mod cli;
pub mod config;
pub mod dead;
pub mod embedded;
pub mod error;
pub mod fleet;
pub mod group;
mod instances;
pub mod node;
pub mod out;
mod outdating;
pub mod process;
pub mod queues;
pub mod reach;
mod relay;
pub mod secret;
pub mod service;
pub mod signals;
pub mod startup;
pub mod store;
mod table;
pub mod topics;
pub mod world;

pub use error::StartError;
pub use node::Node;
pub use service::{Owner, Service};
pub use startup::Startup;
pub use store::{StoreConfig, StoreUrl};
pub use world::World;
