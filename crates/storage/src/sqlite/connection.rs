//! One connection to a SQLite database: statements in, rows out, at once.

use super::failure;
use crate::{Param, Row, StoreError, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, OpenFlags, ToSql};
use std::fmt;

/// A connection to a SQLite database, used by one thread at a time. A [`Store`](crate::Store)
/// owns its connections itself; this is for whoever plays a database, such as a simulated host.
pub struct Connection {
    inner: rusqlite::Connection,
}

/// More statements than a service has.
const CACHED_STATEMENTS: usize = 256;

impl Connection {
    /// A connection to an empty database in memory that nobody shares.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no memory for it.
    pub fn in_memory() -> Result<Self, StoreError> {
        let inner =
            rusqlite::Connection::open_in_memory().map_err(|error| failure::of(error, ""))?;
        Connection::over(inner)
    }

    /// A connection to the database in memory of this name, which all connections to it in this
    /// process share and which vanishes with the last. There is no write-ahead log in memory: a
    /// connection that finds another one's transaction in its way fails at once with
    /// [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// [`StoreError::Sql`] when the name holds anything but letters, digits, `-` and `_`.
    pub fn shared_in_memory(name: &str) -> Result<Self, StoreError> {
        if name.is_empty()
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        {
            return Err(StoreError::sql(format!(
                "a database in memory cannot be called {name:?}: use letters, digits, '-' and '_'"
            )));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let inner = rusqlite::Connection::open_with_flags(format!("file:/{name}?vfs=memdb"), flags)
            .map_err(|error| failure::of(error, ""))?;
        inner
            .busy_timeout(std::time::Duration::ZERO)
            .map_err(|error| failure::of(error, ""))?;
        Connection::over(inner)
    }

    pub(super) fn over(inner: rusqlite::Connection) -> Result<Self, StoreError> {
        inner.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        let mut connection = Connection { inner };
        connection.batch(
            "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;",
        )?;
        Ok(connection)
    }

    pub(super) fn raw(&self) -> &rusqlite::Connection {
        &self.inner
    }

    /// Runs a statement; answers how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError::Sql`] for a wrong statement or number of parameters,
    /// [`StoreError::Constraint`], and what else SQLite says.
    pub fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let mut statement = self.prepare(sql, params)?;
        let changed = statement
            .raw_execute()
            .map_err(|error| failure::of(error, sql))?;
        Ok(changed as u64)
    }

    /// Runs a statement with each row of `columns` parameters; answers how many rows each changed.
    pub(crate) fn execute_each(
        &mut self,
        sql: &str,
        columns: usize,
        params: &[Param<'_>],
    ) -> Result<Vec<u64>, StoreError> {
        let mut rows = params.chunks(columns);
        let Some(first) = rows.next() else {
            return Ok(Vec::new());
        };
        let mut changed = Vec::with_capacity(params.len() / columns);
        let mut statement = self.prepare(sql, first)?;
        loop {
            let done = statement.raw_execute();
            changed.push(done.map_err(|error| failure::of(error, sql))? as u64);
            let Some(row) = rows.next() else {
                return Ok(changed);
            };
            bind(&mut statement, sql, row)?;
        }
    }

    /// Runs a statement; answers all its rows.
    ///
    /// # Errors
    /// As [`execute`](Connection::execute).
    pub fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.prepare(sql, params)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(|error| failure::of(error, sql))? {
            let mut values = Vec::with_capacity(columns);
            for column in 0..columns {
                let value = row
                    .get_ref(column)
                    .map_err(|error| failure::of(error, sql))?;
                values.push(owned(value, column)?);
            }
            all.push(Row::new(values));
        }
        Ok(all)
    }

    /// Runs several statements separated by semicolons.
    ///
    /// # Errors
    /// As [`execute`](Connection::execute).
    pub fn batch(&mut self, script: &str) -> Result<(), StoreError> {
        self.inner
            .execute_batch(script)
            .map_err(|error| failure::of(error, script))
    }

    /// Whether a transaction is open.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        !self.inner.is_autocommit()
    }

    fn prepare(&self, sql: &str, params: &[Param<'_>]) -> Result<CachedStatement<'_>, StoreError> {
        let mut statement = self
            .inner
            .prepare_cached(sql)
            .map_err(|error| failure::of(error, sql))?;
        if statement.parameter_count() != params.len() {
            return Err(StoreError::sql(format!(
                "{} parameters given, {} expected in {sql:?}",
                params.len(),
                statement.parameter_count()
            )));
        }
        bind(&mut statement, sql, params)?;
        Ok(statement)
    }
}

fn bind(
    statement: &mut CachedStatement<'_>,
    sql: &str,
    params: &[Param<'_>],
) -> Result<(), StoreError> {
    for (index, param) in params.iter().enumerate() {
        statement
            .raw_bind_parameter(index + 1, Bound(param))
            .map_err(|error| failure::of(error, sql))?;
    }
    Ok(())
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("in_transaction", &self.in_transaction())
            .finish_non_exhaustive()
    }
}

/// A parameter as SQLite's client takes it.
struct Bound<'a>(&'a Param<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self.0 {
            Param::Null => ValueRef::Null,
            Param::Int(number) => ValueRef::Integer(number),
            Param::Real(number) => ValueRef::Real(number),
            Param::Text(text) => ValueRef::Text(text.as_bytes()),
            Param::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn owned(value: ValueRef<'_>, column: usize) -> Result<Value, StoreError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(error) => {
                return Err(StoreError::Column {
                    column,
                    expected: "text in UTF-8".to_owned(),
                    found: error.to_string(),
                });
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params;

    #[test]
    fn a_wrong_number_of_parameters_is_refused_with_both_numbers() {
        let mut connection = Connection::in_memory().unwrap();
        let error = connection.query("SELECT ?, ?", &params![1]).unwrap_err();
        let text = backlot_core::error::chain(&error);
        assert!(text.contains("1 parameters given, 2 expected"), "{text}");
    }

    #[test]
    fn a_shared_database_in_memory_lives_as_long_as_its_last_connection() {
        let mut first = Connection::shared_in_memory("shared-test").unwrap();
        first
            .batch("CREATE TABLE t (x INTEGER) STRICT; INSERT INTO t VALUES (1);")
            .unwrap();
        let mut second = Connection::shared_in_memory("shared-test").unwrap();
        drop(first);
        assert_eq!(
            second.query("SELECT x FROM t", &[]).unwrap(),
            [Row::new(vec![Value::Int(1)])]
        );
        drop(second);
        let mut third = Connection::shared_in_memory("shared-test").unwrap();
        assert!(third.query("SELECT x FROM t", &[]).is_err());
        assert!(Connection::shared_in_memory("a?b").is_err());
    }

    #[test]
    fn a_transaction_in_the_way_is_not_waited_for_in_memory() {
        let mut first = Connection::shared_in_memory("busy-test").unwrap();
        let mut second = Connection::shared_in_memory("busy-test").unwrap();
        first.batch("BEGIN IMMEDIATE").unwrap();
        assert!(matches!(
            second.batch("BEGIN IMMEDIATE"),
            Err(StoreError::Unavailable { .. })
        ));
    }
}
