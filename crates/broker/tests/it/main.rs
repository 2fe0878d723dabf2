//! A broker on a real port: the suite of engines over the wire, and what happens when the wire, the
//! caller or the broker is gone.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets an error has failed; clippy allows this in test functions only, not in what they share"
)]

mod conformance;
mod letters;
mod queues;
mod sessions;
mod stage;
mod wire;
