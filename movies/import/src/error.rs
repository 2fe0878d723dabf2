//! Why an import ended early.

use crate::problem::Problem;
use std::io;
use std::path::PathBuf;

/// Why an import ended early. `Display` with its sources is what a person reads.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file cannot be read or written.
    #[error("{} cannot be {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What failed, for example "read".
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The files are not of the layout that was named; the text says what was found, what is
    /// expected and what to do.
    #[error("{0}")]
    Layout(String),
    /// `--strict` and something was wrong.
    #[error("{0}; --strict stops at the first bad line")]
    Strict(Problem),
    /// A service refused a batch, or did not come back.
    #[error("{lines}: {what} could not be written")]
    Service {
        /// The file and lines of the batch.
        lines: String,
        /// Films or ratings.
        what: &'static str,
        /// What the service said.
        source: backlot::Error,
    },
    /// Somebody asked to stop; what was acknowledged is remembered.
    #[error("stopped; the same command goes on where this one ended")]
    Stopped,
}

impl ImportError {
    pub(crate) fn file(
        path: impl Into<PathBuf>,
        what: &'static str,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| ImportError::File { path, what, source }
    }

    /// This error and its causes, for a person.
    #[must_use]
    pub fn chain(&self) -> String {
        backlot::core::error::chain(self)
    }
}
