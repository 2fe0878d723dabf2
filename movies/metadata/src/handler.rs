//! Ways in.

mod grpc;

pub(crate) use grpc::Grpc;
