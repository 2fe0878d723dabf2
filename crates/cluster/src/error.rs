//! What an operator is told. Each has a page in `docs/errors/`.

use std::io;

/// Why a process could not join its registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry's address belongs to another program.
    #[error(
        "BL0020: the program listening on {address} is not a Backlot registry ({found}): stop it, or set \
         registry.address to a free address, the same for all processes"
    )]
    Foreign {
        /// The address, `host:port`.
        address: String,
        /// What it said.
        found: String,
    },
    /// The registry's address cannot be listened on.
    #[error(
        "BL0021: cannot listen on {address} for the registry: set registry.address to an address of this machine that \
         this user may listen on, for example {default}", default = crate::config::DEFAULT_ADDRESS
    )]
    Bind {
        /// The address, `host:port`.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}
