//! One change in one place.

use super::Change;
use prost_reflect::FileDescriptor;
use std::fmt;

/// One thing that breaks those who call by the released contract.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The file, named as an import names it: today's, or the released one of what is gone.
    pub file: String,
    /// Where in today's file, counted from 1; 0 for what is gone.
    pub line: usize,
    /// Full name of what changed, for example `movies.rating.v1.PutRatingRequest.half_stars`.
    pub element: String,
    /// The kind of change; it tells whom it breaks, why, and the cure.
    pub change: Change,
    /// What exactly changed, in words.
    pub what: String,
}

impl Finding {
    /// Element, what changed, whom it breaks, why, and the cure: the finding without its place.
    #[must_use]
    pub fn explanation(&self) -> String {
        let broken: Vec<String> = self
            .change
            .breaks()
            .iter()
            .map(ToString::to_string)
            .collect();
        format!(
            "{}: {}; breaks {}: {}. {}",
            self.element,
            self.what,
            broken.join(", "),
            self.change.why(),
            Sentence(self.change.cure())
        )
    }
}

impl fmt::Display for Finding {
    /// One line for people: its place, then its explanation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}", self.explanation())
    }
}

struct Sentence(&'static str);

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        if let Some(first) = rest.next() {
            write!(f, "{}", first.to_uppercase())?;
        }
        f.write_str(rest.as_str())
    }
}

/// Findings as a test shows them: a line each.
#[must_use]
pub fn report(findings: &[Finding]) -> String {
    let mut text = format!("{} changes break callers of the release:", findings.len());
    for finding in findings {
        text.push_str("\n- ");
        text.push_str(&finding.to_string());
    }
    text
}

/// Where something stands.
pub(super) struct Place {
    file: String,
    line: usize,
    element: String,
}

impl Place {
    /// Something of today's files, by its path in the descriptor.
    pub(super) fn of(file: &FileDescriptor, path: &[i32], element: &str) -> Place {
        let info = file.file_descriptor_proto().source_code_info.as_ref();
        let line = info
            .into_iter()
            .flat_map(|info| &info.location)
            .find(|location| location.path == path)
            .and_then(|location| location.span.first())
            .and_then(|line| usize::try_from(*line).ok())
            .map_or(0, |line| line + 1);
        Place {
            line,
            ..Place::gone(file, element)
        }
    }

    /// Something of the released files that is no more.
    pub(super) fn gone(file: &FileDescriptor, element: &str) -> Place {
        Place {
            file: file.name().to_owned(),
            line: 0,
            element: element.to_owned(),
        }
    }

    pub(super) fn finding(self, change: Change, what: impl Into<String>) -> Finding {
        Finding {
            file: self.file,
            line: self.line,
            element: self.element,
            change,
            what: what.into(),
        }
    }
}
