//! Services put together: what a composition hands in, and how it ends.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets an error has failed; clippy allows this in test functions only, not in what they share"
)]

mod broker;
mod finishing;
