//! What SQLite's errors mean to a store.

use crate::StoreError;
use crate::error::{Cause, Constraint};
use rusqlite::{ErrorCode, ffi};

/// What an error means. `sql` goes into the cause of an error that is the statement's fault.
pub(super) fn of(error: rusqlite::Error, sql: &str) -> StoreError {
    let cause = Cause::of(&error);
    let rusqlite::Error::SqliteFailure(failure, _) = &error else {
        return in_statement(cause, sql);
    };
    match failure.code {
        ErrorCode::ConstraintViolation => StoreError::Constraint {
            constraint: constraint(failure.extended_code),
            cause,
        },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => match failure.extended_code {
            ffi::SQLITE_BUSY_SNAPSHOT => StoreError::Conflict { cause },
            _ => StoreError::Unavailable { cause },
        },
        // Only reads are interrupted, and only by their deadline.
        ErrorCode::OperationInterrupted => StoreError::TimedOut {
            mode: crate::backend::Mode::Read,
        },
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged { cause },
        ErrorCode::SystemIoFailure
        | ErrorCode::DiskFull
        | ErrorCode::CannotOpen
        | ErrorCode::OutOfMemory
        | ErrorCode::PermissionDenied
        | ErrorCode::FileLockingProtocolFailed => StoreError::Unavailable { cause },
        _ => in_statement(cause, sql),
    }
}

fn in_statement(cause: Cause, sql: &str) -> StoreError {
    StoreError::sql(format!("{cause} in {sql:?}"))
}

fn constraint(extended_code: i32) -> Constraint {
    match extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE
        | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
        | ffi::SQLITE_CONSTRAINT_ROWID => Constraint::Unique,
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Constraint::ForeignKey,
        ffi::SQLITE_CONSTRAINT_CHECK => Constraint::Check,
        ffi::SQLITE_CONSTRAINT_NOTNULL => Constraint::NotNull,
        _ => Constraint::Other,
    }
}
