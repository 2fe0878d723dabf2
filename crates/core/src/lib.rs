//! The words every layer shares: what a call carries, how it fails, and the seams to the outside.
//!
//! ```
//! use backlot_core::{Code, Context, Error};
//! use std::time::Duration;
//!
//! let cx = Context::background().with_timeout(Duration::from_secs(2));
//! assert!(cx.deadline().remaining() <= Duration::from_secs(2));
//!
//! let error = Error::not_found("no film \"tt0\"");
//! assert_eq!(error.code(), Code::NotFound);
//! assert_eq!(error.code().http_status(), 404);
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`code`] | gRPC's sixteen error codes, each with its HTTP status |
//! | [`error`] | what a failed call says: code, safe text, violations, cause |
//! | [`context`] | what travels with every call |
//! | [`deadline`] | until when, and how it shrinks from hop to hop |
//! | [`principal`] | who asks, and what they may do |
//! | [`trace`] | W3C trace identity |
//! | [`idempotency`] | keys that make a write safe to repeat |
//! | [`discovery`] | instances of a service and the resolver contract |
//! | [`backoff`] | full-jitter arithmetic |
//! | [`env`](mod@env) | the seams in one bundle: [`clock`], [`dice`], [`net`], [`offload`], variables, shutdown |

pub mod backoff;
pub mod clock;
pub mod code;
pub mod context;
pub mod deadline;
pub mod dice;
pub mod discovery;
pub mod env;
pub mod error;
pub mod idempotency;
pub mod net;
pub mod offload;
pub mod principal;
pub mod trace;

pub use clock::{Clock, Timestamp};
pub use code::Code;
pub use context::{Context, Criticality};
pub use deadline::Deadline;
pub use dice::Dice;
pub use env::Env;
pub use error::{Error, Violation};
pub use idempotency::Idempotency;
pub use offload::Offload;
pub use principal::{Permission, Principal, Rule};

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
