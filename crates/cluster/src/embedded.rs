//! The registry over HTTP and JSON: between processes with nothing installed, usable from any
//! language.
//!
//! | request | what it does |
//! |---|---|
//! | `PUT /v1/services/{service}/instances/{id}` | registers or renews: `{"address": "host:port", "version": "1.0", "ttl_ms": 3000, "metadata": {}}`; all but the address may be left out. Idempotent: send it again as the heartbeat, at least every half of the time to live |
//! | `DELETE /v1/services/{service}/instances/{id}` | takes it back; 204 whether it was there or not |
//! | `GET /v1/services` | `{"epoch", "services": ["rating", ...]}` |
//! | `GET /v1/services/{service}` | `{"epoch", "service", "index", "instances": [...]}` in order of id |
//! | `GET /v1/services/{service}?epoch=E&index=N&wait=30s` | the same, but answers only when the set changed after index `N`, or when the wait (at most a minute) is over. Another epoch than the registry's is answered at once |
//! | `GET /v1/registry` | `{"backlot-registry": 1, "epoch", "services", "instances"}`: tells that this is a registry |
//!
//! The epoch is drawn anew each time a registry starts, and indices mean nothing across epochs.
//! A registry that has just started knows nobody until the next heartbeats, so a watcher that sees
//! a new epoch keeps what it knew for a time to live and a second more.
//!
//! A wrong request is answered with `application/problem+json` that names the field.

mod client;
mod reading;
mod server;
mod table;
mod view;
mod wire;

pub use client::Client;
pub(crate) use client::found;
pub use server::Server;
pub use table::{Full, MAX_INSTANCES, Table, View};
pub(crate) use wire::{MARK, VERSION};
