//! The registries from outside: conformance, and what the embedded one promises when things break.
//!
//! Unless a test says otherwise it runs on a network in memory and a paused clock.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world has failed"
)]

mod conformance;
mod hosting;
mod net;
mod protocol;
mod simulated;
mod stability;
mod world;
