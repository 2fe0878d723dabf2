//! MySQL 8 and MariaDB 10.6, or newer.
//!
//! A write is `SERIALIZABLE`: a closure that reads and then writes does so as if it were alone, as
//! on SQLite. What it reads is locked, for writing where the statement is a plain `SELECT`, so that
//! two that change the same row wait for each other and do not deadlock; what deadlocks all the same
//! is begun again by the store. A read is one snapshot, `REPEATABLE READ, READ ONLY`, without a
//! lock. The server ends by itself what nobody waits for any more: `max_statement_time` (MariaDB),
//! `max_execution_time` (MySQL) and `innodb_lock_wait_timeout` follow the call's deadline.
//!
//! Sessions are strict (`STRICT_ALL_TABLES`), quote names with `"` as the other databases do, and
//! take a backslash in a string for a backslash. Text is compared by bytes: opening a store sets the
//! database's default collation to the one that does (`utf8mb4_nopad_bin`, on MySQL
//! `utf8mb4_0900_bin`), which every table without a collation of its own gets.
//!
//! ```no_run
//! use backlot_core::Clock;
//! use backlot_storage::{Migrations, mysql};
//!
//! # async fn start(migrations: Migrations) -> Result<(), backlot_storage::StoreError> {
//! let url = "mysql://movies@db.internal/movies_rating?ssl-mode=VERIFY_IDENTITY";
//! let store = mysql::open(url, mysql::Options::default(), migrations, Clock::real()).await?;
//! # Ok(())
//! # }
//! ```

mod failure;
mod locking;
mod value;

pub use crate::wire::Options;

use crate::backend::Mode;
use crate::scan::placeholders;
use crate::wire::{Arguments, Connections, Engine, Server, Wire, open as open_wire};
use crate::{Dialect, Migrations, Param, Refusal, Row, Store, StoreError};
use backlot_core::{BoxFuture, Clock};
use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlPool};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, MySql};
use std::sync::Arc;
use std::time::Duration;

/// Opens the database of a url, `mysql://user@host:port/database`, and brings its schema up to
/// date. TLS is used where the server offers it; `?ssl-mode=VERIFY_IDENTITY&ssl-ca=FILE` insists on
/// it. Two programs that start at once on one database wait for each other.
///
/// # Errors
/// [`StoreError::Refused`] with the page in `docs/errors/` that explains it: a url that is none, a
/// server that lets nobody in, one that does not suit, a newer schema, a changed migration, a
/// migration that fails.
pub async fn open(
    url: &str,
    options: Options,
    migrations: Migrations,
    clock: Clock,
) -> Result<Store, StoreError> {
    // It may well say mariadb.
    let url = url
        .strip_prefix("mariadb:")
        .map_or_else(|| url.to_owned(), |rest| format!("mysql:{rest}"));
    let mut address: MySqlConnectOptions = url.parse().map_err(|error| {
        Refusal::NoDatabase.because(format!(
            "the url names no MySQL database ({error}): write mysql://user@host:3306/database"
        ))
    })?;
    if let Some(password) = &options.password {
        address = address.password(password);
    }
    let place = format!(
        "mysql://{}@{}:{}/{}",
        address.get_username(),
        address.get_host(),
        address.get_port(),
        address.get_database().unwrap_or_default(),
    );
    let address = address
        .charset("utf8mb4")
        .collation("utf8mb4_bin")
        .statement_cache_capacity(256)
        .disable_statement_logging();
    let engine = Mine { borrowed: false };
    let connections = Connections::own(engine, address, options.connections, options.queue);
    open_wire(connections, &place, migrations, clock).await
}

/// A store over a pool that you have already. Call [`migrate`](Store::migrate) before the first
/// use. The pool stays yours: closing the store does not close it. Its sessions must be in
/// `utf8mb4`; the store sets their `sql_mode` and limits for its transactions, and gives them the
/// server's own again after. Give the database a collation that compares bytes.
#[must_use]
pub fn over(pool: MySqlPool, clock: Clock) -> Store {
    let engine = Mine { borrowed: true };
    let connections = Connections::borrowed(engine, pool, Options::default().queue);
    Store::remote(Arc::new(Server::over(connections)), clock)
}

#[derive(Debug)]
struct Mine {
    /// Whether somebody else uses the same sessions.
    borrowed: bool,
}

/// Strict, and with names and strings written as the other databases take them.
const SQL_MODE: &str = "'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,\
     NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY,PIPES_AS_CONCAT,ANSI_QUOTES,NO_BACKSLASH_ESCAPES'";

/// The limits of this session's statements: MariaDB and MySQL each read what is theirs.
fn limits(left: Duration) -> String {
    let millis = left.as_millis().clamp(1, u128::from(u32::MAX));
    let seconds = left.as_secs_f64().clamp(0.001, 31_536_000.0);
    // Whole seconds, rounded up: the call's own deadline is exact.
    let lock = left.as_secs().saturating_add(1).min(1_073_741_824);
    format!(
        "innodb_lock_wait_timeout = {lock} /*M! , max_statement_time = {seconds:.3} */ \
         /*!80000 , max_execution_time = {millis} */"
    )
}

impl Engine for Mine {
    type Db = MySql;
    const DIALECT: Dialect = Dialect::Mysql;

    fn begin(&self, mode: Mode, left: Duration) -> String {
        let mode_of_session = if self.borrowed {
            format!("sql_mode = {SQL_MODE}, ")
        } else {
            String::new()
        };
        let (level, begin) = match mode {
            Mode::Read => (
                "REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            ),
            Mode::Write => ("SERIALIZABLE", "START TRANSACTION READ WRITE"),
        };
        format!(
            "SET SESSION {mode_of_session}{}; SET TRANSACTION ISOLATION LEVEL {level}; {begin}",
            limits(left)
        )
    }

    fn end(&self, commit: bool) -> String {
        let end = if commit { "COMMIT" } else { "ROLLBACK" };
        if !self.borrowed {
            return end.to_owned();
        }
        format!(
            "{end}; SET SESSION sql_mode = DEFAULT, innodb_lock_wait_timeout = DEFAULT \
             /*M! , max_statement_time = DEFAULT */ /*!80000 , max_execution_time = DEFAULT */"
        )
    }

    fn statement(
        &self,
        mode: Mode,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(String, Arguments<Self>), StoreError> {
        let expected = placeholders(sql);
        if expected != params.len() {
            return Err(StoreError::sql(format!(
                "{} parameters given, {expected} expected in {sql:?}",
                params.len()
            )));
        }
        let text = match mode {
            Mode::Write => locking::for_update(sql),
            Mode::Read => sql.to_owned(),
        };
        Ok((text, value::arguments(params)?))
    }

    fn script(wire: &mut Wire<Self>, script: String) -> BoxFuture<'_, Result<(), sqlx::Error>> {
        Box::pin(async move {
            let raw = sqlx::raw_sql(AssertSqlSafe(script));
            wire.execute(raw).await.map(drop)
        })
    }

    fn execute(
        wire: &mut Wire<Self>,
        sql: String,
        arguments: Arguments<Self>,
    ) -> BoxFuture<'_, Result<u64, sqlx::Error>> {
        Box::pin(async move {
            let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
            wire.execute(query).await.map(|done| done.rows_affected())
        })
    }

    fn query(
        wire: &mut Wire<Self>,
        sql: String,
        arguments: Arguments<Self>,
    ) -> BoxFuture<'_, Result<Result<Vec<Row>, StoreError>, sqlx::Error>> {
        Box::pin(async move {
            let mut rows = wire.fetch(sqlx::query_with(AssertSqlSafe(sql), arguments));
            let mut all = Vec::new();
            while let Some(row) = rows.try_next().await? {
                match value::row(&row) {
                    Ok(row) => all.push(row),
                    Err(error) => return Ok(Err(error)),
                }
            }
            Ok(Ok(all))
        })
    }

    fn prepare<'w>(&'w self, wire: &'w mut Wire<Self>) -> BoxFuture<'w, Result<(), sqlx::Error>> {
        Self::script(wire, format!("SET SESSION sql_mode = {SQL_MODE}"))
    }

    fn check<'w>(&'w self, wire: &'w mut Wire<Self>) -> BoxFuture<'w, Result<(), StoreError>> {
        Box::pin(async move {
            const ASKED: &str = "SELECT VERSION(), @@collation_database, DATABASE()";
            let asked = Self::query(wire, ASKED.to_owned(), Arguments::<Self>::default()).await;
            let rows = asked.map_err(|error| self.failure(Mode::Read, &error, ASKED))??;
            let row = rows.first().ok_or(StoreError::Rows { found: 0 })?;
            let (version, collation): (&str, &str) = (row.get(0)?, row.get(1)?);
            let Some(database) = row.get::<Option<&str>>(2)? else {
                return Err(Refusal::Unsuited
                    .because("the url names no database: write mysql://user@host:3306/database"));
            };
            let wanted = if version.contains("MariaDB") {
                "utf8mb4_nopad_bin"
            } else {
                "utf8mb4_0900_bin"
            };
            if collation == wanted {
                return Ok(());
            }
            let name = database.replace('`', "``");
            let cure = format!("ALTER DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE {wanted}");
            let altered = Self::script(wire, cure.clone()).await;
            altered.map_err(|error| {
                Refusal::Unsuited.because(format!(
                    "its collation is {collation}, which does not tell every text from every other, and \
                     this user may not change that ({error}): say {cure}"
                ))
            })
        })
    }

    fn lock<'w>(
        &'w self,
        wire: &'w mut Wire<Self>,
        left: Duration,
    ) -> BoxFuture<'w, Result<(), StoreError>> {
        Box::pin(async move {
            let lock = format!(
                "SELECT GET_LOCK(CONCAT('backlot.', MD5(DATABASE())), {})",
                left.as_secs().max(1)
            );
            let asked = Self::query(wire, lock.clone(), Arguments::<Self>::default()).await;
            let rows = asked.map_err(|error| self.failure(Mode::Write, &error, &lock))??;
            match rows.first().map(|row| row.get::<Option<i64>>(0)) {
                Some(Ok(Some(1))) => Ok(()),
                _ => Err(StoreError::TimedOut { mode: Mode::Write }),
            }
        })
    }

    fn failure(&self, mode: Mode, error: &sqlx::Error, sql: &str) -> StoreError {
        failure::of(mode, error, sql)
    }

    fn is_starting(&self, error: &sqlx::Error) -> bool {
        failure::is_starting(error)
    }

    fn is_lost(&self, error: &sqlx::Error) -> bool {
        failure::is_lost(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_never_none_and_never_too_large_for_the_server() {
        let none = limits(Duration::ZERO);
        assert!(none.contains("max_statement_time = 0.001"), "{none}");
        assert!(none.contains("max_execution_time = 1 "), "{none}");
        let years = limits(Duration::from_secs(1 << 40));
        assert!(
            years.contains("innodb_lock_wait_timeout = 1073741824 "),
            "{years}"
        );
        assert!(
            years.contains("max_execution_time = 4294967295 "),
            "{years}"
        );
    }
}
