//! A database on the other side of an imagined wire: every answer makes its caller wait.

use crate::stage::{MIGRATIONS, count, put, write};
use backlot_core::{BoxFuture, Clock, Code, Context, Deadline, Error};
use backlot_storage::backend::Mode;
use backlot_storage::error::Cause;
use backlot_storage::remote::{MAX_ATTEMPTS, Remote, Transaction};
use backlot_storage::{Dialect, Param, Row, Store, StoreError, conformance, sqlite};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// One database, one transaction at a time.
#[derive(Debug, Clone)]
struct Far {
    database: Arc<Mutex<sqlite::Connection>>,
    closed: Arc<AtomicBool>,
    /// So many commits from now on fail with a conflict.
    conflicts: Arc<AtomicU32>,
}

impl Far {
    fn new() -> Self {
        Far {
            database: Arc::new(Mutex::new(sqlite::Connection::in_memory().unwrap())),
            closed: Arc::default(),
            conflicts: Arc::default(),
        }
    }
}

struct FarTransaction {
    connection: OwnedMutexGuard<sqlite::Connection>,
    far: Far,
}

impl Drop for FarTransaction {
    fn drop(&mut self) {
        if self.connection.in_transaction() {
            self.connection
                .batch("ROLLBACK; PRAGMA query_only = OFF")
                .unwrap();
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
            if far.closed.load(Ordering::SeqCst) {
                return Err(StoreError::Closed);
            }
            let mut connection = Arc::clone(&far.database).lock_owned().await;
            connection.batch(match mode {
                Mode::Read => "PRAGMA query_only = ON; BEGIN",
                Mode::Write => "BEGIN IMMEDIATE",
            })?;
            Ok(Box::new(FarTransaction { connection, far }) as Box<dyn Transaction>)
        })
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.closed.store(true, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
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
            self.connection.query(sql, params)
        })
    }

    fn batch<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.connection.batch(script) })
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let left = self.far.conflicts.load(Ordering::SeqCst);
            if left > 0 {
                self.far.conflicts.store(left - 1, Ordering::SeqCst);
                return Err(StoreError::Conflict {
                    cause: Cause::new("on purpose"),
                });
            }
            self.connection.batch("COMMIT; PRAGMA query_only = OFF")
        })
    }

    fn rollback(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

async fn far() -> (Store, Far) {
    let far = Far::new();
    let store = Store::remote(Arc::new(far.clone()), Clock::real());
    store
        .migrate(&Context::background(), MIGRATIONS)
        .await
        .unwrap();
    (store, far)
}

#[tokio::test]
async fn a_remote_database_keeps_every_promise() {
    conformance::run(async |migrations, clock| {
        let store = Store::remote(Arc::new(Far::new()), clock);
        store
            .migrate(&Context::background(), migrations)
            .await
            .unwrap();
        store
    })
    .await;
}

#[tokio::test]
async fn conflicts_are_repeated_and_the_last_attempt_counts() {
    let (store, far) = far().await;
    far.conflicts.store(MAX_ATTEMPTS - 1, Ordering::SeqCst);
    write(&store, 1).await.unwrap();
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn too_many_conflicts_are_an_aborted_call() {
    let (store, far) = far().await;
    far.conflicts.store(MAX_ATTEMPTS, Ordering::SeqCst);
    assert_eq!(write(&store, 1).await.unwrap_err().code(), Code::Aborted);
    assert_eq!(count(&store).await, 0);
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_commit_undoes_its_write() {
    let (store, _far) = far().await;
    let waiting: BoxFuture<'static, Result<u64, Error>> =
        Box::pin(store.write(&Context::background(), |tx| put(tx, 1)));
    drop(crate::stage::begin(waiting));
    assert_eq!(count(&store).await, 0);
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let (store, _far) = far().await;
    write(&store, 1).await.unwrap();
    store
        .migrate(&Context::background(), MIGRATIONS)
        .await
        .unwrap();
    assert_eq!(count(&store).await, 1);
}
