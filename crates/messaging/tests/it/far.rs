//! A database behind a wire whose commits fail as the test says.

use backlot_core::{BoxFuture, Clock, Context, Deadline};
use backlot_messaging::embedded::MIGRATIONS;
use backlot_storage::backend::Mode;
use backlot_storage::error::Cause;
use backlot_storage::remote::{Remote, Transaction};
use backlot_storage::{Dialect, Migrations, Param, Row, Store, StoreError, sqlite};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How a commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It did not happen; nobody is told.
    Undone,
    /// It happened; nobody is told.
    Unheard,
    /// It did not happen, and is asked for again.
    Conflict,
    /// It happened; the answer takes a third of a second.
    Slow,
}

/// One database, one transaction at a time.
#[derive(Clone, Debug)]
pub(crate) struct Far {
    pub(crate) database: Arc<Mutex<sqlite::Connection>>,
    /// What becomes of the next commits of writes; after the last, all goes well.
    pub(crate) faults: Arc<Lock<VecDeque<Option<Fault>>>>,
    cost: Arc<Lock<Cost>>,
    /// How many statements and commits are left before it answers nothing any more.
    left: Arc<Lock<Option<u64>>>,
    dead: Arc<tokio::sync::Notify>,
}

/// What was asked of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) statements: u64,
    /// Rows that queries answered.
    pub(crate) rows: u64,
}

impl std::ops::Sub for Cost {
    type Output = Cost;

    fn sub(self, before: Cost) -> Cost {
        Cost {
            statements: self.statements - before.statements,
            rows: self.rows - before.rows,
        }
    }
}

impl Far {
    pub(crate) async fn open() -> (Store, Far) {
        Far::with(MIGRATIONS).await
    }

    pub(crate) async fn with(migrations: Migrations) -> (Store, Far) {
        let far = Far {
            database: Arc::new(Mutex::new(sqlite::Connection::in_memory().unwrap())),
            faults: Arc::default(),
            cost: Arc::default(),
            left: Arc::default(),
            dead: Arc::default(),
        };
        let store = Store::remote(Arc::new(far.clone()), Clock::real());
        store
            .migrate(&Context::background(), migrations)
            .await
            .unwrap();
        (store, far)
    }

    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.faults.lock().unwrap().extend(faults);
    }

    /// Answers so many statements and commits more, then nothing; everything again without.
    pub(crate) fn dies_after(&self, left: Option<u64>) {
        *self.left.lock().unwrap() = left;
    }

    /// Waits until it answers nothing any more.
    pub(crate) async fn died(&self) {
        self.dead.notified().await;
    }

    async fn lives(&self) {
        let is_over = match &mut *self.left.lock().unwrap() {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        };
        if is_over {
            self.dead.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// What was asked so far.
    pub(crate) fn cost(&self) -> Cost {
        *self.cost.lock().unwrap()
    }

    fn counts(&self, rows: usize) {
        let mut cost = self.cost.lock().unwrap();
        cost.statements += 1;
        cost.rows += rows as u64;
    }

    pub(crate) fn next_fails(&self, fault: Fault) {
        self.fail([Some(fault)]);
    }
}

struct FarTransaction {
    connection: OwnedMutexGuard<sqlite::Connection>,
    far: Far,
    mode: Mode,
}

impl Drop for FarTransaction {
    fn drop(&mut self) {
        if self.connection.in_transaction() {
            self.connection.batch("ROLLBACK").unwrap();
        }
    }
}

impl Remote for Far {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn begin(
        &self,
        mode: Mode,
        _deadline: Deadline,
    ) -> BoxFuture<'static, Result<Box<dyn Transaction>, StoreError>> {
        let far = self.clone();
        Box::pin(async move {
            let mut connection = Arc::clone(&far.database).lock_owned().await;
            connection.batch(match mode {
                Mode::Read => "BEGIN",
                Mode::Write => "BEGIN IMMEDIATE",
            })?;
            let transaction = FarTransaction {
                connection,
                far,
                mode,
            };
            Ok(Box::new(transaction) as Box<dyn Transaction>)
        })
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Transaction for FarTransaction {
    fn execute<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Param<'a>],
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.far.lives().await;
            self.far.counts(0);
            self.connection.execute(sql, params)
        })
    }

    fn query<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Param<'a>],
    ) -> BoxFuture<'a, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.far.lives().await;
            let rows = self.connection.query(sql, params)?;
            self.far.counts(rows.len());
            Ok(rows)
        })
    }

    fn batch<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.connection.batch(script) })
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(async move {
            self.far.lives().await;
            let fault = match self.mode {
                Mode::Read => None,
                Mode::Write => self.far.faults.lock().unwrap().pop_front().flatten(),
            };
            match fault {
                None => self.connection.batch("COMMIT"),
                Some(Fault::Slow) => {
                    self.connection.batch("COMMIT")?;
                    drop(self);
                    tokio::time::sleep(Duration::from_millis(333)).await;
                    Ok(())
                }
                Some(Fault::Unheard) => {
                    self.connection.batch("COMMIT")?;
                    Err(StoreError::unavailable("the answer was lost, on purpose"))
                }
                Some(Fault::Undone) => {
                    self.connection.batch("ROLLBACK")?;
                    Err(StoreError::unavailable("the disk failed, on purpose"))
                }
                Some(Fault::Conflict) => {
                    self.connection.batch("ROLLBACK")?;
                    Err(StoreError::Conflict {
                        cause: Cause::new("on purpose"),
                    })
                }
            }
        })
    }

    fn rollback(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
