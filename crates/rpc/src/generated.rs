//! Everything generated code refers to. Not for people: its content follows the generator.

pub use crate::binding::{Binding, Client};
pub use crate::contract::{Body, Effect, Method, Route, Service, Shape, Verb};
pub use crate::mount::Mount;
pub use crate::streaming::Streaming;
pub use crate::validate::{Validate, Violations};
pub use async_trait::async_trait;
pub use backlot_core::{BoxFuture, Context, Error};
pub use prost;
pub use prost_types;
pub use std::sync::Arc;
