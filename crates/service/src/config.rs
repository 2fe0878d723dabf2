//! Layered typed configuration that tells all its problems at once, each by its key, with where
//! the value came from and the cure.
//!
//! Later layers win: built-in defaults, file, environment, flags.
//!
//! ```
//! use backlot_service::config::{Layers, Problems, Validate, human_duration};
//! use serde::{Deserialize, Serialize};
//! use std::time::Duration;
//!
//! #[derive(Debug, Serialize, Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Config {
//!     listen: String,
//!     #[serde(with = "human_duration")]
//!     patience: Duration,
//! }
//!
//! impl Default for Config {
//!     fn default() -> Self {
//!         Config { listen: "127.0.0.1:8082".into(), patience: Duration::from_secs(5) }
//!     }
//! }
//!
//! impl Validate for Config {
//!     fn validate(&self, at: &str, problems: &mut Problems) {
//!         if self.patience.is_zero() {
//!             problems.push(at, "patience", "must be longer than 0s", "the default is 5s");
//!         }
//!     }
//! }
//!
//! let mut tree = Layers::new().flag("rating.listen=127.0.0.1:9000").flag("rating.patience=250ms").tree();
//! let mut problems = Problems::default();
//! let rating: Config = tree.take("rating", &mut problems);
//! tree.finish(&mut problems);
//! problems.into_result()?;
//! assert_eq!(rating.listen, "127.0.0.1:9000");
//! assert_eq!(rating.patience, Duration::from_millis(250));
//! # Ok::<(), Problems>(())
//! ```
//!
//! A configuration type is `#[serde(default)]`, so that each key may be left out, and serializes
//! every key (no `skip_serializing_if`): its serialized default is what tells known keys from
//! unknown ones. A field whose default is an empty map takes any keys; one whose default is `None`
//! takes any shape its type accepts.

pub mod human_duration;
mod layers;
mod nearest;
mod node;
mod print;
mod problem;
mod resolve;
mod secret;
mod tree;

pub use layers::Layers;
pub use print::{explained, print};
pub use problem::{Origin, Problem, Problems};
pub use secret::Secret;
pub use tree::Tree;

/// Checks what types cannot: ranges, combinations.
pub trait Validate {
    /// Adds a problem for everything that is wrong. `at` is the key of this table, for
    /// [`Problems::push`].
    fn validate(&self, at: &str, problems: &mut Problems) {
        let _nothing_to_check = (at, problems);
    }
}

/// `at` and `field` as one key.
pub(crate) fn join(at: &str, field: &str) -> String {
    match (at, field) {
        ("", key) | (key, "") => key.to_owned(),
        (at, field) => format!("{at}.{field}"),
    }
}

#[cfg(test)]
mod tests;
