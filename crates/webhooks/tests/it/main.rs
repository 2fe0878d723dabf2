//! Messages of a real log pushed to endpoints on real ports.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets an error has failed; clippy allows this in test functions only, not in what they share"
)]

mod endpoint;
mod managing;
mod pushing;
mod reaching;
mod stage;
