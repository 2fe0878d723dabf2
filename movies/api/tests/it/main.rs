//! What the contracts of Movies promise over REST and when they check requests.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod description;
mod events;
mod refusals;
mod rest;
mod stream;
mod subject;
mod validation;
