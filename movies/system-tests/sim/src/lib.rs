//! Movies in the simulated world: the services as they are, users who rate while things go wrong,
//! and an oracle that knows what they were promised.
//!
//! | module | what it holds |
//! |---|---|
//! | [`plan`] | which run: seed, faults, defences switched off |
//! | [`world`] | which hosts run, and what can go wrong between them |
//! | [`workload`] | what users do |
//! | [`model`] | what the system must remember |
//! | [`oracle`] | whether it does |
//! | [`report`] | a run in words |
//! | [`scenarios`] | the scenarios of the whole system, played in this world |
//! | [`shrink`] | fewer faults that break the same |
//!
//! The promises: no acknowledged rating is lost, none is counted twice, an aggregate equals its
//! ratings, every call ends by its deadline, and all work is done soon after the last fault.

pub mod model;
pub mod oracle;
pub mod plan;
pub mod report;
pub mod scenarios;
pub mod shrink;
pub mod workload;
pub mod world;

pub use plan::{Defence, Faults, Plan};
pub use world::run;
