//! How a store fails, and what of it a caller may see.

use crate::backend::Mode;
use backlot_core::{Code, Error};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a store failed. `Display` is for logs; a caller sees the text of the [`Error`] it becomes,
/// which never holds SQL, values or paths.
///
/// It is plain data, so that a database on the other side of a wire can send it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The bounded queue of the store is full; nothing happened.
    #[error("the store is busy: {waiting} calls wait already")]
    Full {
        /// How many wait.
        waiting: usize,
    },
    /// The store is closed or closing; nothing happened.
    #[error("the store is closed")]
    Closed,
    /// The deadline passed before the work began; nothing happened.
    #[error("the deadline passed before the {mode} began")]
    Late {
        /// What was asked for.
        mode: Mode,
    },
    /// The deadline passed while the work ran; a write may or may not be committed.
    #[error("the deadline passed before the {mode} was done")]
    TimedOut {
        /// What was asked for.
        mode: Mode,
    },
    /// The database cannot be reached, or cannot read or write now; a write that had reached its
    /// commit may or may not be committed.
    #[error("the database cannot serve now")]
    Unavailable {
        /// What the database said.
        #[source]
        cause: Cause,
    },
    /// Stored data is damaged.
    #[error("stored data is damaged")]
    Damaged {
        /// What the database said.
        #[source]
        cause: Cause,
    },
    /// A concurrent transaction was in the way; a repetition may succeed. Backends repeat such
    /// transactions themselves first.
    #[error("a concurrent transaction was in the way")]
    Conflict {
        /// What the database said.
        #[source]
        cause: Cause,
    },
    /// A constraint of the schema refused a change.
    #[error("{constraint} refused the change")]
    Constraint {
        /// Which kind.
        constraint: Constraint,
        /// What the database said.
        #[source]
        cause: Cause,
    },
    /// An idempotency key came back with another request.
    #[error(
        "the idempotency key {key:?} came before with another request; take a new key for a new request"
    )]
    KeyReused {
        /// The key.
        key: String,
    },
    /// A closure awaited something other than its transaction; it was rolled back.
    #[error(
        "the {mode} at {site} awaited something other than its transaction, and was rolled back; await everything else before or after it"
    )]
    Pending {
        /// What was asked for.
        mode: Mode,
        /// `file:line:column` of the call.
        site: String,
    },
    /// A closure panicked; it was rolled back.
    #[error("the {mode} at {site} panicked, and was rolled back")]
    Panicked {
        /// What was asked for.
        mode: Mode,
        /// `file:line:column` of the call.
        site: String,
        /// What the panic said.
        #[source]
        cause: Cause,
    },
    /// The work was lost without an answer: a defect of the backend. A write may or may not be
    /// committed.
    #[error("the {mode} at {site} was lost without an answer")]
    Lost {
        /// What was asked for.
        mode: Mode,
        /// `file:line:column` of the call.
        site: String,
    },
    /// The database refused a statement: a defect of the code that sent it.
    #[error("a statement failed")]
    Sql {
        /// What the database said.
        #[source]
        cause: Cause,
    },
    /// A column does not hold what the code expects.
    #[error("column {column}: expected {expected}, found {found}")]
    Column {
        /// Its position, from 0.
        column: usize,
        /// What the code expects.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// No database keeps such a value, or not every one: the caller's fault.
    #[error("parameter {parameter} {problem}")]
    Value {
        /// Its position, from 1.
        parameter: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// `query_one` found no row, or `query_opt` or `query_one` found several.
    #[error("expected one row, found {found}")]
    Rows {
        /// How many.
        found: usize,
    },
    /// A message was to be named by its transaction, whose store was not told who speaks.
    #[error(
        "the store does not know whose events these are: make it with Store::originating before it is used"
    )]
    NoOrigin,
    /// The answer of a write done once could not be stored, or a stored one not be read.
    #[error("the answer under the idempotency key {key:?} cannot be written or read")]
    Answer {
        /// The key.
        key: String,
        /// What serialization said.
        #[source]
        cause: Cause,
    },
    /// A name or a content that storage does not take: the caller's fault.
    #[error("{field} {problem}")]
    Field {
        /// What it belongs to, for example `the message's payload`.
        field: String,
        /// What is wrong with it, with the value, the limit and the cure.
        problem: String,
    },
    /// Somebody else holds the lease meanwhile: what was done under it is refused.
    #[error(
        "the lease with fencing number {fence} was taken over, the newest is {newest}: acquire it again"
    )]
    Fenced {
        /// The number that was shown.
        fence: u64,
        /// The number that holds.
        newest: u64,
    },
    /// A consumer's position cannot be moved like that; nothing of the batch may be done.
    #[error("the position of {group:?} in partition {partition} of {topic:?} {problem}")]
    Position {
        /// The group of consumers.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// Where it is, what was asked for, and what to do.
        problem: String,
    },
    /// The store refused to open.
    #[error("{refusal}: {text}")]
    Refused {
        /// Why, with its page in `docs/errors/`.
        refusal: Refusal,
        /// What is wrong and what cures it, for the operator.
        text: String,
    },
}

/// What lies under a [`StoreError`]: the database's own words, causes joined by `: `.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause(String);

impl Cause {
    /// These words.
    pub fn new(text: impl Into<String>) -> Self {
        Cause(text.into())
    }

    /// The words of an error and its causes.
    #[must_use]
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        Cause(backlot_core::error::chain(error))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

/// Which kind of constraint refused a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Constraint {
    /// A primary key or a unique index.
    Unique,
    /// A reference to another table.
    ForeignKey,
    /// A condition on values.
    Check,
    /// A column that may not be empty.
    NotNull,
    /// Another one, for example the type of a column of a strict table.
    Other,
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Constraint::Unique => "a unique constraint",
            Constraint::ForeignKey => "a foreign key",
            Constraint::Check => "a check constraint",
            Constraint::NotNull => "a not-null constraint",
            Constraint::Other => "a constraint",
        })
    }
}

/// Why a store refused to open. `Display` is the code of its page in `docs/errors/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// BL0001: the SQLite in this program is too old.
    OldSqlite,
    /// BL0002: the file is damaged or not a database.
    NotADatabase,
    /// BL0003: the folder or file cannot be written.
    NotWritable,
    /// BL0004: the file was written by a newer program.
    Newer,
    /// BL0005: a migration changed after it had been applied, or the history differs otherwise.
    HistoryDiffers,
    /// BL0006: another process has the store open.
    InUse,
    /// BL0007: the file system cannot hold a store.
    Unsuitable,
    /// BL0008: a migration failed.
    MigrationFailed,
    /// BL0009: no database lets this program in.
    NoDatabase,
    /// BL0010: the database's server or its settings do not suit.
    Unsuited,
    /// BL0011: a migration ended half way and its text was changed since.
    HalfDone,
}

impl Refusal {
    /// The code, as in `docs/errors/`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Refusal::OldSqlite => "BL0001",
            Refusal::NotADatabase => "BL0002",
            Refusal::NotWritable => "BL0003",
            Refusal::Newer => "BL0004",
            Refusal::HistoryDiffers => "BL0005",
            Refusal::InUse => "BL0006",
            Refusal::Unsuitable => "BL0007",
            Refusal::MigrationFailed => "BL0008",
            Refusal::NoDatabase => "BL0009",
            Refusal::Unsuited => "BL0010",
            Refusal::HalfDone => "BL0011",
        }
    }

    pub(crate) fn because(self, text: impl Into<String>) -> StoreError {
        StoreError::Refused {
            refusal: self,
            text: text.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl StoreError {
    /// A statement failed for a reason that is the code's, not the caller's or the database's.
    #[must_use]
    pub fn sql(cause: impl Into<String>) -> Self {
        StoreError::Sql {
            cause: Cause::new(cause),
        }
    }

    /// The database cannot serve now.
    #[must_use]
    pub fn unavailable(cause: impl Into<String>) -> Self {
        StoreError::Unavailable {
            cause: Cause::new(cause),
        }
    }

    /// The code and the text that a caller may see.
    fn public(&self) -> (Code, String) {
        let (code, text) = match self {
            StoreError::Full { .. } => return (Code::Unavailable, self.to_string()),
            StoreError::KeyReused { .. } | StoreError::Position { .. } => {
                return (Code::FailedPrecondition, self.to_string());
            }
            StoreError::Field { .. } => return (Code::InvalidArgument, self.to_string()),
            StoreError::Fenced { .. } => return (Code::Aborted, self.to_string()),
            StoreError::Value { problem, .. } => {
                return (Code::InvalidArgument, format!("a value {problem}"));
            }
            StoreError::Closed => (Code::Unavailable, "the store is closing"),
            StoreError::Late { .. } => (
                Code::DeadlineExceeded,
                "the deadline passed before the store began",
            ),
            StoreError::TimedOut { .. } => (
                Code::DeadlineExceeded,
                "the deadline passed before the store was done",
            ),
            StoreError::Unavailable { .. } => (Code::Unavailable, "the store cannot serve now"),
            StoreError::Damaged { .. } => (Code::DataLoss, "stored data is damaged"),
            StoreError::Conflict { .. } => (
                Code::Aborted,
                "a concurrent change was in the way; try again",
            ),
            StoreError::Constraint { constraint, .. } => match constraint {
                Constraint::Unique => (
                    Code::AlreadyExists,
                    "something with the same identity exists already",
                ),
                Constraint::ForeignKey => (
                    Code::FailedPrecondition,
                    "something that this refers to, or that refers to this, is in the way",
                ),
                Constraint::Check | Constraint::NotNull | Constraint::Other => (
                    Code::FailedPrecondition,
                    "the change breaks a rule of the stored data",
                ),
            },
            StoreError::Refused { .. } => (Code::FailedPrecondition, "the store refused to open"),
            StoreError::Pending { .. }
            | StoreError::Panicked { .. }
            | StoreError::Lost { .. }
            | StoreError::Sql { .. }
            | StoreError::Column { .. }
            | StoreError::Rows { .. }
            | StoreError::NoOrigin
            | StoreError::Answer { .. } => (Code::Internal, "the store was used wrongly"),
        };
        (code, text.to_owned())
    }

    /// The code a caller sees.
    #[must_use]
    pub fn code(&self) -> Code {
        self.public().0
    }
}

impl From<StoreError> for Error {
    /// The code and a text without SQL, values and paths; all of it stays as the cause.
    fn from(error: StoreError) -> Self {
        let (code, text) = error.public();
        Error::new(code, text).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_sees_no_sql_and_no_path_and_the_log_sees_all() {
        let error = StoreError::sql("no such table: film in SELECT * FROM film");
        let public = Error::from(error);
        assert_eq!(public.code(), Code::Internal);
        assert!(!public.message().contains("film"), "{}", public.message());
        assert!(
            public.chain().contains("SELECT * FROM film"),
            "{}",
            public.chain()
        );

        let refused = Error::from(Refusal::InUse.because("/data/rating.db is open elsewhere"));
        assert!(
            !refused.message().contains("/data"),
            "{}",
            refused.message()
        );
        assert!(
            refused.chain().contains("BL0006: /data/rating.db"),
            "{}",
            refused.chain()
        );
    }

    #[test]
    fn busy_names_the_queue_and_a_reused_key_names_itself() {
        let busy = Error::from(StoreError::Full { waiting: 7 });
        assert_eq!(busy.code(), Code::Unavailable);
        assert!(busy.message().contains("7 calls"), "{}", busy.message());
        let reused = Error::from(StoreError::KeyReused { key: "k1".into() });
        assert_eq!(reused.code(), Code::FailedPrecondition);
        assert!(reused.message().contains("\"k1\""), "{}", reused.message());
    }

    #[test]
    fn every_refusal_has_its_page() {
        let pages = std::path::Path::new("../../docs/errors");
        for refusal in [
            Refusal::OldSqlite,
            Refusal::NotADatabase,
            Refusal::NotWritable,
            Refusal::Newer,
            Refusal::HistoryDiffers,
            Refusal::InUse,
            Refusal::Unsuitable,
            Refusal::MigrationFailed,
            Refusal::NoDatabase,
            Refusal::Unsuited,
            Refusal::HalfDone,
        ] {
            let page = pages.join(format!("{refusal}.md"));
            assert!(page.is_file(), "{} is missing", page.display());
        }
    }
}
