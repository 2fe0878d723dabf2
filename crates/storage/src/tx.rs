//! A transaction, whatever the database.

use crate::carried::{Carried, Left};
use crate::error::Constraint;
use crate::origin::{Origin, Setting};
use crate::remote::Transaction;
use crate::value::{Params, check};
use crate::{Dialect, Row, Sql, StoreError, inbox, outbox, position, sqlite};
use backlot_core::Timestamp;
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
    carried: Carried,
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
            carried: Carried::default(),
        }
    }

    pub(crate) fn remote(transaction: Box<dyn Transaction>, dialect: Dialect) -> Self {
        Tx {
            inner: Inner::Remote(transaction),
            dialect,
            conflict: None,
            failed: None,
            carried: Carried::default(),
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

    /// Runs a statement again and again, each time with the next `columns` parameters; answers how
    /// many rows each run changed. An embedded database takes one row after the other into the same
    /// prepared statement, which is its fastest way to write many. On the other side of a wire each
    /// run is a round trip: take a statement of many [`Rows`](crate::Rows) there, unless what each
    /// one did has to be known.
    ///
    /// ```
    /// # use backlot_core::{Clock, Context};
    /// # use backlot_storage::{StoreError, params, sql, sqlite};
    /// # async fn example() -> Result<(), StoreError> {
    /// # let (store, cx) = (sqlite::memory(&[], Clock::real())?, Context::background());
    /// let new = store
    ///     .write(&cx, |tx| {
    ///         Box::pin(async move {
    ///             let insert = sql!("INSERT INTO film (id) VALUES (?) ON CONFLICT (id) DO NOTHING");
    ///             tx.execute_each(insert, 1, params!["heat", "heat", "alien"]).await
    ///         })
    ///     })
    ///     .await?;
    /// assert_eq!(new, [1, 0, 1]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`execute`](Tx::execute), of the first run that fails; and [`StoreError::Sql`] when the
    /// parameters do not come out even.
    pub async fn execute_each(
        &mut self,
        sql: impl Into<Sql> + Send,
        columns: usize,
        params: impl Params,
    ) -> Result<Vec<u64>, StoreError> {
        check(params.params())?;
        let sql = sql.into().text(self.dialect);
        let done = match &mut self.inner {
            _ if columns == 0 || !params.params().len().is_multiple_of(columns) => {
                Err(StoreError::sql(format!(
                    "{} parameters do not make rows of {columns} for {sql:?}",
                    params.params().len()
                )))
            }
            Inner::Local(connection) => connection.execute_each(sql, columns, params.params()),
            Inner::Remote(transaction) => {
                let mut changed = Vec::with_capacity(params.params().len() / columns);
                let mut failed = None;
                for row in params.params().chunks(columns) {
                    match transaction.execute(sql, row).await {
                        Ok(rows) => changed.push(rows),
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
                failed.map_or(Ok(changed), Err)
            }
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

    /// Messages that leave with this commit; [`outbox`] says how.
    ///
    /// ```
    /// use backlot_storage::outbox::Message;
    /// # use backlot_core::{Clock, Context};
    /// # use backlot_storage::{StoreError, sqlite};
    /// # async fn example() -> Result<(), StoreError> {
    /// # let (store, cx) = (sqlite::memory(&[], Clock::real())?, Context::background());
    /// store
    ///     .write(&cx, |tx| {
    ///         Box::pin(async move {
    ///             tx.outbox().add(Message::new("ratings", "01J9", b"5 stars").key("metropolis-1927"))
    ///         })
    ///     })
    ///     .await
    /// # }
    /// ```
    pub fn outbox(&mut self) -> outbox::Outbox<'_> {
        outbox::Outbox::of(&mut self.carried.outgoing)
    }

    /// Which messages a group of consumers has seen, entered in this commit; [`inbox`] says how.
    pub fn inbox<'t>(&'t mut self, group: &'t str) -> inbox::Inbox<'t> {
        inbox::Inbox::of(self, group)
    }

    /// How far a group of consumers has come in one partition, moved in this commit;
    /// [`position`] says how.
    pub fn position<'t>(
        &'t mut self,
        group: &'t str,
        topic: &'t str,
        partition: u32,
    ) -> position::Position<'t> {
        position::Position::of(self, group, topic, partition)
    }

    /// Names one message that is made here: a fresh id, who says it, when, and in which trace.
    ///
    /// # Errors
    /// [`StoreError::NoOrigin`] when the store was not told who speaks
    /// ([`Store::originating`](crate::Store::originating)).
    pub fn origin(&mut self) -> Result<Origin, StoreError> {
        let setting = self.carried.setting.as_ref();
        setting.ok_or(StoreError::NoOrigin)?.origin()
    }

    /// The store's time. A transaction outside of a store has none.
    pub(crate) fn now(&self) -> Result<Timestamp, StoreError> {
        let setting = self.carried.setting.as_ref();
        setting
            .map(|setting| setting.clock.wall())
            .ok_or_else(|| StoreError::sql("a transaction of no store has no clock"))
    }

    /// An attempt begins: what another one left is gone.
    pub(crate) fn carry(&mut self, setting: Setting) {
        self.carried = Carried::new(setting);
    }

    /// A row was entered into the inbox.
    pub(crate) fn entered(&mut self) {
        self.carried.entered += 1;
    }

    /// What others learn when this is committed.
    pub(crate) fn left(&self) -> Left {
        self.carried.left()
    }

    /// Writes what was left for the end.
    pub(crate) async fn unload(&mut self) -> Result<(), StoreError> {
        inbox::tidy(self, self.carried.entered).await?;
        if self.carried.outgoing.messages().is_empty() {
            return Ok(());
        }
        let outgoing = std::mem::take(&mut self.carried.outgoing);
        let written = outbox::write(self, outgoing.messages()).await;
        self.carried.outgoing = outgoing;
        written
    }

    /// Runs an insert that does nothing when the row is there; answers whether it was not. On MySQL
    /// the statement is a plain insert, whose error leaves the transaction as it was.
    pub(crate) async fn insert_new(
        &mut self,
        sql: impl Into<Sql> + Send,
        params: impl Params,
    ) -> Result<bool, StoreError> {
        let failed = self.failed.take();
        let inserted = match self.execute(sql, params).await {
            Ok(inserted) => Ok(inserted > 0),
            Err(StoreError::Constraint {
                constraint: Constraint::Unique,
                ..
            }) if self.dialect == Dialect::Mysql => {
                self.failed = None;
                Ok(false)
            }
            Err(error) => Err(error),
        };
        if failed.is_some() {
            self.failed = failed;
        }
        inserted
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
