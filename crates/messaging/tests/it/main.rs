//! The embedded engine: the suite, and what happens to it when its store fails.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets an error has failed; clippy allows this in test functions only, not in what they share"
)]

mod conformance;
mod consume;
mod damage;
mod dead;
mod ends;
mod far;
mod faults;
mod full;
mod groups;
mod history;
mod mortal;
mod order;
mod pausing;
mod publishing;
mod stage;
mod trials;
mod waking;
