//! Ways in.

mod events;
mod grpc;
mod page;

pub(crate) use events::{Answers, Wishes};
pub(crate) use grpc::Grpc;
pub(crate) use page::router;
