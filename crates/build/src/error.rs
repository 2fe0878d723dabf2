//! What is wrong with a contract.

use std::fmt;

/// All that is wrong with a contract; `Debug` prints it for people too, since that is what a
/// `build.rs` shows.
#[derive(Clone)]
pub struct Error {
    problems: Vec<String>,
}

impl Error {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Error {
            problems: vec![problem.into()],
        }
    }

    /// Each thing that is wrong, in words.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => f.write_str(only),
            many => {
                write!(f, "{} things are wrong with the contract:", many.len())?;
                many.iter()
                    .try_for_each(|problem| write!(f, "\n- {problem}"))
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// Collects what is wrong, so that all of it is told at once.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<String>);

impl Problems {
    pub(crate) fn push(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    /// The value, unless something was wrong on the way to it.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Error> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(Error { problems: self.0 })
        }
    }
}
