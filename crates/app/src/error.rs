//! Why a service did not start.

use backlot_core::Error;
use backlot_service::config::Problems;
use backlot_storage::StoreError;

/// Why a service did not start. `Display` with its sources is what the operator reads.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is wrong.
    #[error("the configuration is wrong:\n{0}")]
    Config(Problems),
    /// The store cannot be opened.
    #[error("the store of {service} cannot be opened")]
    Store {
        /// Whose.
        service: &'static str,
        /// Why.
        source: StoreError,
    },
    /// The address cannot be listened on.
    #[error("{service} cannot listen on {address}: {cure}")]
    Listen {
        /// Who.
        service: &'static str,
        /// Where.
        address: String,
        /// What to do.
        cure: String,
        /// Why.
        source: std::io::Error,
    },
    /// A secret cannot be read or made.
    #[error("the secret {path} cannot be {what}: {cure}")]
    Secret {
        /// The file.
        path: String,
        /// What failed.
        what: &'static str,
        /// What to do.
        cure: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The registry cannot be joined.
    #[error("the registry cannot be joined")]
    Registry(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The operating system refused something.
    #[error("the system refuses {what}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else.
    #[error(transparent)]
    Other(#[from] Error),
}

impl StartError {
    /// This error and its causes, for the operator.
    #[must_use]
    pub fn chain(&self) -> String {
        backlot_core::error::chain(self)
    }
}
