//! Ways in.

mod events;
mod grpc;
mod page;
mod panel;

pub(crate) use events::{Answers, Wishes};
pub(crate) use grpc::Grpc;
pub(crate) use page::router;
pub(crate) use panel::Latest;
