//! All of a dead letter.

use super::indent::indented;
use super::{ago, time};
use askama::Template;
use backlot_core::Timestamp;
use backlot_messaging::dead::{self, Attempt, Status};

/// The page.
#[derive(Template)]
#[template(path = "letter.html")]
pub(crate) struct Letter {
    letter: dead::Letter,
    /// What will be sent again, or was typed instead; none when it is no text.
    text: Option<String>,
    /// What is wrong with what was typed.
    problem: String,
    now: Timestamp,
}

impl Letter {
    pub(crate) fn new(
        letter: dead::Letter,
        typed: Option<String>,
        problem: &str,
        now: Timestamp,
    ) -> Self {
        let text = typed.or_else(|| {
            let text = std::str::from_utf8(letter.payload()).ok()?;
            Some(indented(text))
        });
        Letter {
            text,
            letter,
            problem: problem.to_owned(),
            now,
        }
    }

    fn waits(&self) -> bool {
        self.letter.entry.status == Status::Waiting
    }

    fn path(&self) -> String {
        self.letter.entry.id.to_string()
    }

    fn bytes(&self) -> usize {
        self.letter.payload().len()
    }

    fn died(&self) -> String {
        format!(
            "{} ({} ago)",
            time(self.letter.entry.at),
            ago(self.letter.entry.at, self.now)
        )
    }

    fn headers(&self) -> Vec<(String, String)> {
        let headers = self.letter.record.headers.iter();
        headers
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .filter(|(name, _)| name != "dlq-errors")
            .collect()
    }

    fn at(&self, attempt: &Attempt) -> String {
        attempt.at.map(time).unwrap_or_default()
    }
}
