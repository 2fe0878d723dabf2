//! The whole system in one process: the same scenarios bound directly and over gRPC, and what
//! comes over the wire from strangers.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world has failed"
)]

mod databases;
mod equivalence;
mod garbage;
mod grpc;
mod health;
mod identity;
mod old_client;
mod problem;
mod reflection;
mod requests;
mod rest;
mod rolling;
mod slow;
mod worlds;
