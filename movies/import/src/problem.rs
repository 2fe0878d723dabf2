//! What is wrong with one line of a file.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest value that is shown, in characters.
const SHOWN: usize = 80;

/// Something wrong with one line: with its place, for the person who has the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column or key; empty when it is the line as a whole.
    pub field: String,
    /// What is there, cut to 80 characters.
    pub value: String,
    /// What is wrong, and what would be right.
    pub reason: String,
    /// Whether the line was left out; otherwise it was taken, with a part cut or replaced.
    pub skipped: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.field.is_empty() {
            write!(f, "{} {:?}: ", self.field, self.value)?;
        }
        f.write_str(&self.reason)
    }
}

/// A problem before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) field: &'static str,
    pub(crate) value: String,
    pub(crate) reason: String,
}

impl Wrong {
    /// A field that holds something else than it should.
    pub(crate) fn field(field: &'static str, value: &str, reason: impl Into<String>) -> Self {
        Wrong {
            field,
            value: shown(value),
            reason: reason.into(),
        }
    }

    /// Something wrong with the line as a whole.
    pub(crate) fn line(reason: impl Into<String>) -> Self {
        Wrong {
            field: "",
            value: String::new(),
            reason: reason.into(),
        }
    }

    pub(crate) fn at(self, file: &str, line: u64, skipped: bool) -> Problem {
        Problem {
            file: file.to_owned(),
            line,
            field: self.field.to_owned(),
            value: self.value,
            reason: self.reason,
            skipped,
        }
    }
}

/// A value as it is shown: whole, or its beginning.
pub(crate) fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        None => value.to_owned(),
        Some((end, _)) => format!("{}…", &value[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_file_line_field_value_and_cure() {
        let wrong = Wrong::field("rating", "6", "must be 0.5 to 5 in steps of 0.5");
        assert_eq!(
            wrong.at("ratings.csv", 17, true).to_string(),
            "ratings.csv:17: rating \"6\": must be 0.5 to 5 in steps of 0.5"
        );
        assert_eq!(
            Wrong::line("has 2 fields").at("a.csv", 3, true).to_string(),
            "a.csv:3: has 2 fields"
        );
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        assert_eq!(shown(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
        assert_eq!(shown("short"), "short");
    }
}
