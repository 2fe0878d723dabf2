//! A transaction, whatever the database.

use crate::remote::Transaction;
use crate::value::{Params, check};
use crate::{Dialect, Row, Sql, StoreError, sqlite};
use std::fmt;

/// A running transaction. Closures given to a [`Store`](crate::Store) get one; it ends with them.
///
/// A statement that fails spoils it, on every database: whatever the closure returns then, all of
/// it is rolled back.
pub struct Tx {
    inner: Inner,
    dialect: Dialect,
    conflict: Option<StoreError>,
    /// The first statement that failed.
    failed: Option<StoreError>,
}

enum Inner {
    /// On this thread: everything completes at once.
    Local(sqlite::Connection),
    /// On the other side of a wire.
    Remote(Box<dyn Transaction>),
}

impl Tx {
    /// A transaction that ran on this connection is run on it.
    pub(crate) fn local(connection: sqlite::Connection) -> Self {
        Tx {
            inner: Inner::Local(connection),
            dialect: Dialect::Sqlite,
            conflict: None,
            failed: None,
        }
    }

    pub(crate) fn remote(transaction: Box<dyn Transaction>, dialect: Dialect) -> Self {
        Tx {
            inner: Inner::Remote(transaction),
            dialect,
            conflict: None,
            failed: None,
        }
    }

    /// The connection, of a local transaction.
    pub(crate) fn connection(&mut self) -> Option<&mut sqlite::Connection> {
        match &mut self.inner {
            Inner::Local(connection) => Some(connection),
            Inner::Remote(_) => None,
        }
    }

    /// The transaction, of a remote one, and the conflict that spoilt it, if any.
    pub(crate) fn into_remote(self) -> (Option<Box<dyn Transaction>>, Option<StoreError>) {
        match self.inner {
            Inner::Remote(transaction) => (Some(transaction), self.conflict),
            Inner::Local(_) => (None, self.conflict),
        }
    }

    /// Which SQL the database speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Runs a statement; answers how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError::Constraint`], [`StoreError::Sql`] and what else the database says.
    pub async fn execute(
        &mut self,
        sql: impl Into<Sql> + Send,
        params: impl Params,
    ) -> Result<u64, StoreError> {
        check(params.params())?;
        let sql = sql.into().text(self.dialect);
        let done = match &mut self.inner {
            Inner::Local(connection) => connection.execute(sql, params.params()),
            Inner::Remote(transaction) => transaction.execute(sql, params.params()).await,
        };
        self.noting_failures(done)
    }

    /// Runs a statement; answers all its rows.
    ///
    /// # Errors
    /// As [`execute`](Tx::execute).
    pub async fn query(
        &mut self,
        sql: impl Into<Sql> + Send,
        params: impl Params,
    ) -> Result<Vec<Row>, StoreError> {
        check(params.params())?;
        let sql = sql.into().text(self.dialect);
        let done = match &mut self.inner {
            Inner::Local(connection) => connection.query(sql, params.params()),
            Inner::Remote(transaction) => transaction.query(sql, params.params()).await,
        };
        self.noting_failures(done)
    }

    /// Runs a statement that has at most one row.
    ///
    /// # Errors
    /// As [`execute`](Tx::execute); and [`StoreError::Rows`] when there are several.
    pub async fn query_opt(
        &mut self,
        sql: impl Into<Sql> + Send,
        params: impl Params,
    ) -> Result<Option<Row>, StoreError> {
        let mut rows = self.query(sql, params).await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            found => Err(StoreError::Rows { found }),
        }
    }

    /// Runs a statement that has exactly one row.
    ///
    /// # Errors
    /// As [`execute`](Tx::execute); and [`StoreError::Rows`] when there is none or several.
    pub async fn query_one(
        &mut self,
        sql: impl Into<Sql> + Send,
        params: impl Params,
    ) -> Result<Row, StoreError> {
        self.query_opt(sql, params)
            .await?
            .ok_or(StoreError::Rows { found: 0 })
    }

    /// Runs several statements without parameters, separated by semicolons: for schemas.
    ///
    /// # Errors
    /// As [`execute`](Tx::execute).
    pub async fn batch(&mut self, script: impl Into<Sql> + Send) -> Result<(), StoreError> {
        let script = script.into().text(self.dialect);
        let done = match &mut self.inner {
            Inner::Local(connection) => connection.batch(script),
            Inner::Remote(transaction) => transaction.batch(script).await,
        };
        self.noting_failures(done)
    }

    /// A failure spoils the whole transaction, whatever the closure makes of the error: PostgreSQL
    /// takes no further statement, and a commit would be none.
    fn noting_failures<R>(&mut self, done: Result<R, StoreError>) -> Result<R, StoreError> {
        if let Err(error) = &done {
            if matches!(error, StoreError::Conflict { .. }) {
                self.spoil(error.clone());
            }
            self.failed.get_or_insert_with(|| error.clone());
        }
        done
    }

    /// The failure that the closure passed over, if it did; forgotten for the next one.
    pub(crate) fn take_failure(&mut self) -> Option<StoreError> {
        self.failed.take()
    }

    /// Asks for another attempt from the start.
    pub(crate) fn spoil(&mut self, conflict: StoreError) {
        self.conflict.get_or_insert(conflict);
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx")
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}
