//! Ways in.

mod events;
mod grpc;

pub(crate) use events::{Events, Watchers};
pub(crate) use grpc::Grpc;
