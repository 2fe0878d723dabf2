//! The `movies` command as people run it: real processes, real signals, real files.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world has failed"
)]

mod alone;
mod calls;
mod console;
mod databases;
mod dead;
mod docs;
mod embedded;
mod fleet;
mod import;
mod kills;
mod load;
mod mail;
mod pages;
mod posters;
mod printing;
mod refusals;
mod replicas;
mod site;
mod tour;
mod worker;
