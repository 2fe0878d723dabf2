//! What was seen, word for word, so that two worlds can be compared.

use backlot::Error;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a scenario saw. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Arc<Mutex<Vec<String>>>);

impl Transcript {
    /// Adds an answer.
    pub fn add(&self, what: &str, answer: &impl Debug) {
        self.lock().push(format!("{what}: {answer:?}"));
    }

    /// Adds all that a caller sees of an error.
    pub fn add_error(&self, what: &str, error: &Error) {
        let (code, message) = (error.code(), error.message());
        let (violations, pushback) = (error.violations(), error.pushback());
        self.lock().push(format!(
            "{what}: {code} {message:?}, violations {violations:?}, pushback {pushback:?}"
        ));
    }

    /// All of it.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
