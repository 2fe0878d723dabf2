//! The `backlot` command as operators run it: real processes, a real file, a broker that runs and
//! none.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world has failed"
)]

mod dead;
mod group;
mod refusals;
mod site;
