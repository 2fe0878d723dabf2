//! Ways in.

mod events;
mod grpc;

pub(crate) use events::Posters;
pub(crate) use grpc::Grpc;
