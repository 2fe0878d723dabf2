//! What PostgreSQL's errors mean to a store.

use crate::StoreError;
use crate::backend::Mode;
use crate::error::{Cause, Constraint};
use sqlx::postgres::PgDatabaseError;

pub(super) fn of(mode: Mode, error: &sqlx::Error, sql: &str) -> StoreError {
    let Some(refused) = refused(error) else {
        let cause = Cause::of(error);
        return match error {
            sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                StoreError::sql(format!("{cause} in {sql:?}"))
            }
            sqlx::Error::PoolTimedOut => StoreError::Full { waiting: 0 },
            sqlx::Error::PoolClosed => StoreError::Closed,
            _ => StoreError::Unavailable { cause },
        };
    };
    let code = refused.code();
    let cause = Cause::new(said(refused));
    match code {
        "40001" | "40P01" | "55P03" => return StoreError::Conflict { cause },
        // The deadline, which the server was told.
        "57014" | "25P03" => return StoreError::TimedOut { mode },
        // A message that does not fit its statement: the code's fault, whatever its class.
        "08P01" => return StoreError::sql(format!("{cause} in {sql:?}")),
        "XX001" | "XX002" => return StoreError::Damaged { cause },
        _ => {}
    }
    match &code[..code.len().min(2)] {
        "23" => StoreError::Constraint {
            constraint: match code {
                "23505" | "23P01" => Constraint::Unique,
                "23503" | "23001" => Constraint::ForeignKey,
                "23514" => Constraint::Check,
                "23502" => Constraint::NotNull,
                _ => Constraint::Other,
            },
            cause,
        },
        // Too long, out of range.
        "22" if matches!(code, "22001" | "22003") => StoreError::Constraint {
            constraint: Constraint::Other,
            cause,
        },
        // Connections, resources, the operator, the system, logging in, a database that is not there.
        "08" | "53" | "57" | "58" | "28" | "3D" => StoreError::Unavailable { cause },
        _ => StoreError::sql(format!("{cause} in {sql:?}")),
    }
}

/// Nobody listens yet, or nobody is let in for the moment.
pub(super) fn is_starting(error: &sqlx::Error) -> bool {
    match refused(error) {
        None => matches!(error, sqlx::Error::Io(_)),
        Some(refused) => matches!(refused.code(), "57P01" | "57P02" | "57P03" | "53300"),
    }
}

pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match refused(error) {
        None => true,
        // The server ends the connection after these.
        Some(refused) => {
            matches!(
                refused.severity(),
                sqlx::postgres::PgSeverity::Fatal | sqlx::postgres::PgSeverity::Panic
            ) || matches!(refused.code(), "57P01" | "57P02" | "57P03" | "08P01")
        }
    }
}

fn refused(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
}

/// The server's words, its code, and the constraint it speaks of.
fn said(error: &PgDatabaseError) -> String {
    let mut text = format!("{} ({})", error.message(), error.code());
    if let Some(constraint) = error.constraint()
        && !text.contains(constraint)
    {
        text.push_str(&format!(", constraint {constraint:?}"));
    }
    text
}
