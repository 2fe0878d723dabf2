//! Each layer alone, on services and clients of tonic and axum as they are: the examples, as people
//! would write them, do what they say.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world has failed"
)]

mod adopting;
mod channel;
mod plain;
