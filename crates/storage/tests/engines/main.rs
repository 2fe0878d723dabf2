//! Stores on real servers: the conformance suite, and what a server may do to its clients.

#![expect(
    clippy::unwrap_used,
    reason = "in a test the panic is the report, in its helpers too"
)]

mod faults;
mod migrations;
mod promises;
mod stage;
