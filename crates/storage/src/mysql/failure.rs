//! What the errors of MySQL and MariaDB mean to a store.

use crate::StoreError;
use crate::backend::Mode;
use crate::error::{Cause, Constraint};
use sqlx::mysql::MySqlDatabaseError;

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
    // The number stands first: migrations look for it.
    let text = format!("{} {}", refused.number(), refused.message());
    let cause = Cause::new(&*text);
    let constraint = |constraint| StoreError::Constraint {
        constraint,
        cause: Cause::new(&*text),
    };
    match refused.number() {
        // Deadlock; a lock not had in time; a row changed since it was read.
        1213 | 1205 | 1020 => StoreError::Conflict { cause },
        // The deadline, which the server was told; or an operator who ended the statement.
        1969 | 3024 | 1317 => StoreError::TimedOut { mode },
        1022 | 1062 | 1169 | 1586 => constraint(Constraint::Unique),
        1216 | 1217 | 1451 | 1452 => constraint(Constraint::ForeignKey),
        3819 | 4025 => constraint(Constraint::Check),
        1048 | 1364 => constraint(Constraint::NotNull),
        // Too long, out of range, not of the column's type.
        1264 | 1265 | 1366 | 1406 => constraint(Constraint::Other),
        // The server is stopping, full, read only, or lets nobody in.
        1021
        | 1037
        | 1038
        | 1040
        | 1041
        | 1044
        | 1045
        | 1049
        | 1053
        | 1077
        | 1079
        | 1114
        | 1129
        | 1130
        | 1152..=1161
        | 1184
        | 1203
        | 1226
        | 1290
        | 1698
        | 1836
        | 1927
        | 3118 => StoreError::Unavailable { cause },
        1034 | 1035 | 1194 | 1195 | 1712 | 1877 => StoreError::Damaged { cause },
        _ => StoreError::sql(format!("{text} in {sql:?}")),
    }
}

/// Nobody listens yet, or nobody is let in for the moment.
pub(super) fn is_starting(error: &sqlx::Error) -> bool {
    match refused(error) {
        None => matches!(error, sqlx::Error::Io(_)),
        Some(refused) => matches!(refused.number(), 1040 | 1053 | 1203),
    }
}

pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match refused(error) {
        None => true,
        // The server ends the connection after these.
        Some(refused) => matches!(
            refused.number(),
            1053 | 1077 | 1079 | 1152..=1161 | 1184 | 1927
        ),
    }
}

fn refused(error: &sqlx::Error) -> Option<&MySqlDatabaseError> {
    error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
}
