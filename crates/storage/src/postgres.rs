//! PostgreSQL, 13 or newer.
//!
//! A write is `SERIALIZABLE`: a closure that reads and then writes does so as if it were alone, as
//! on SQLite; what cannot be so is begun again by the store. A read is one snapshot, `REPEATABLE
//! READ, READ ONLY`, and waits for nobody. The server ends by itself what nobody waits for any
//! more: `statement_timeout` and `idle_in_transaction_session_timeout` follow the call's deadline.
//!
//! Statements are prepared once per connection; `?` becomes `$1`, `$2` and so on, so that operators
//! with a question mark are not to be had (`jsonb_exists` is the same as `?`). Whole numbers go out as
//! `BIGINT`, text as `TEXT`, bytes as `BYTEA`; `NUMERIC` comes back as a whole number if it is one.
//! Text is compared by bytes in columns that say `COLLATE "C"`, as on the other databases.
//!
//! ```no_run
//! use backlot_core::Clock;
//! use backlot_storage::{Migrations, postgres};
//!
//! # async fn start(migrations: Migrations) -> Result<(), backlot_storage::StoreError> {
//! let url = "postgres://movies@db.internal/movies_rating?sslmode=verify-full";
//! let store = postgres::open(url, postgres::Options::default(), migrations, Clock::real()).await?;
//! # Ok(())
//! # }
//! ```

mod failure;
mod statements;
mod value;

pub use crate::wire::Options;

use crate::backend::Mode;
use crate::wire::{Arguments, Connections, Engine, Server, Wire, open as open_wire};
use crate::{Dialect, Migrations, Param, Refusal, Row, Store, StoreError};
use backlot_core::{BoxFuture, Clock};
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Postgres};
use statements::Statements;
use std::sync::Arc;
use std::time::Duration;

/// Opens the database of a url, `postgres://user@host:port/database`, and brings its schema up to
/// date. TLS is used where the server offers it; `?sslmode=verify-full&sslrootcert=FILE` insists
/// on it. Two programs that start at once on one database wait for each other.
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
    let mut address: PgConnectOptions = url.parse().map_err(|error| {
        Refusal::NoDatabase.because(format!(
            "the url names no PostgreSQL database ({error}): write postgres://user@host:5432/database"
        ))
    })?;
    if let Some(password) = &options.password {
        address = address.password(password);
    }
    let address = address
        .application_name("backlot")
        .statement_cache_capacity(256)
        .disable_statement_logging();
    let place = format!(
        "postgres://{}@{}:{}/{}",
        address.get_username(),
        address.get_host(),
        address.get_port(),
        address.get_database().unwrap_or_default(),
    );
    let connections = Connections::own(Pg::default(), address, options.connections, options.queue);
    open_wire(connections, &place, migrations, clock).await
}

/// A store over a pool that you have already. Call [`migrate`](Store::migrate) before the first
/// use. The pool stays yours: closing the store does not close it.
#[must_use]
pub fn over(pool: PgPool, clock: Clock) -> Store {
    let connections = Connections::borrowed(Pg::default(), pool, Options::default().queue);
    Store::remote(Arc::new(Server::over(connections)), clock)
}

#[derive(Debug, Default)]
struct Pg {
    statements: Statements,
}

/// What programs that change one database's schema share: any number, the same in all of them.
const SCHEMA_LOCK: i64 = 0x0062_6163_6b6c_6f74;

/// Kept back for the answer of a server that ended a statement by itself.
const SLACK: Duration = Duration::from_secs(1);

fn millis(time: Duration) -> u64 {
    // Zero would mean no limit, and the server counts in 32 bits.
    u64::try_from(time.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, i32::MAX as u64)
}

impl Engine for Pg {
    type Db = Postgres;
    const DIALECT: Dialect = Dialect::Postgres;

    fn begin(&self, mode: Mode, left: Duration) -> String {
        let kind = match mode {
            Mode::Read => "REPEATABLE READ, READ ONLY",
            Mode::Write => "SERIALIZABLE, READ WRITE",
        };
        let (statement, idle) = (millis(left), millis(left + SLACK));
        format!(
            "BEGIN ISOLATION LEVEL {kind}; SET LOCAL statement_timeout = {statement}; \
             SET LOCAL idle_in_transaction_session_timeout = {idle}"
        )
    }

    fn end(&self, commit: bool) -> String {
        if commit { "COMMIT" } else { "ROLLBACK" }.to_owned()
    }

    fn statement(
        &self,
        _mode: Mode,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(String, Arguments<Self>), StoreError> {
        let text = self.statements.text(sql, params)?;
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

    fn prepare<'w>(&'w self, _wire: &'w mut Wire<Self>) -> BoxFuture<'w, Result<(), sqlx::Error>> {
        // All that matters is said when a transaction begins.
        Box::pin(std::future::ready(Ok(())))
    }

    fn check<'w>(&'w self, wire: &'w mut Wire<Self>) -> BoxFuture<'w, Result<(), StoreError>> {
        Box::pin(async move {
            const ENCODING: &str = "SELECT current_setting('server_version_num')::BIGINT, \
                                    current_setting('server_encoding')";
            let asked = Self::query(wire, ENCODING.to_owned(), Arguments::<Self>::default()).await;
            let rows = asked.map_err(|error| self.failure(Mode::Read, &error, ENCODING))??;
            let row = rows.first().ok_or(StoreError::Rows { found: 0 })?;
            let (version, encoding): (i64, &str) = (row.get(0)?, row.get(1)?);
            if version < 130_000 {
                return Err(Refusal::Unsuited.because(format!(
                    "it is PostgreSQL {}.{}; 13 is the oldest that serves: upgrade it",
                    version / 10_000,
                    version % 10_000
                )));
            }
            if encoding != "UTF8" {
                return Err(Refusal::Unsuited.because(format!(
                    "its encoding is {encoding}, which cannot hold every text: create a database \
                     with ENCODING 'UTF8' TEMPLATE template0"
                )));
            }
            Ok(())
        })
    }

    fn lock<'w>(
        &'w self,
        wire: &'w mut Wire<Self>,
        left: Duration,
    ) -> BoxFuture<'w, Result<(), StoreError>> {
        Box::pin(async move {
            let lock = format!(
                "SET statement_timeout = {}; SELECT pg_advisory_lock({SCHEMA_LOCK})",
                millis(left)
            );
            let locked = Self::script(wire, lock).await;
            locked.map_err(|error| self.failure(Mode::Write, &error, "pg_advisory_lock"))
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
