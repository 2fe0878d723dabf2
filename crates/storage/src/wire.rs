//! What the databases on the other side of a wire share: connections and the course of a
//! transaction. What differs is an [`Engine`].

mod connections;
mod transaction;

pub(crate) use connections::Connections;

use crate::backend::Mode;
use crate::remote::{Remote, SchemaLock, Transaction};
use crate::{Dialect, Migrations, Param, Refusal, Row, Store, StoreError};
use backlot_core::{BoxFuture, Clock, Context, Deadline};
use sqlx::{Connection, Database};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a start waits for a database that is starting itself.
const STARTING: Duration = Duration::from_secs(10);
/// The first pause between two attempts to reach it; it doubles up to a second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long a start may wait for another program that changes the same schema, and change it.
const MIGRATING: Duration = Duration::from_secs(600);

/// How a database on the other side of a wire is used. The defaults suit every service we know.
#[derive(Clone)]
pub struct Options {
    /// The most connections at once, at least 1. Each runs one transaction. Default: 10.
    pub connections: u32,
    /// How many calls may wait for a connection before further ones are refused as busy.
    /// Default: 4,096.
    pub queue: usize,
    /// The password, if it is not in the url. Never printed.
    pub password: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            connections: 10,
            queue: 4096,
            password: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("connections", &self.connections)
            .field("queue", &self.queue)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .finish()
    }
}

/// A connection of an engine.
pub(crate) type Wire<E> = <<E as Engine>::Db as Database>::Connection;
/// How an engine is reached.
pub(crate) type Address<E> = <Wire<E> as Connection>::Options;
/// Parameters as an engine's client takes them.
pub(crate) type Arguments<E> = <<E as Engine>::Db as Database>::Arguments;

/// What differs between databases on the other side of a wire.
pub(crate) trait Engine: fmt::Debug + Send + Sync + 'static {
    /// Its client.
    type Db: Database;
    const DIALECT: Dialect;

    /// Begins a transaction that the database ends by itself when `left` has passed: one message.
    fn begin(&self, mode: Mode, left: Duration) -> String;

    /// Commits, or rolls back: one message.
    fn end(&self, commit: bool) -> String;

    /// The statement as the database takes it.
    fn statement(
        &self,
        mode: Mode,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(String, Arguments<Self>), StoreError>;

    /// Runs a script without parameters.
    fn script(wire: &mut Wire<Self>, script: String) -> BoxFuture<'_, Result<(), sqlx::Error>>;

    /// Runs a statement; answers how many rows it changed.
    fn execute(
        wire: &mut Wire<Self>,
        sql: String,
        arguments: Arguments<Self>,
    ) -> BoxFuture<'_, Result<u64, sqlx::Error>>;

    /// Runs a statement; answers its rows, or why one cannot be read.
    fn query(
        wire: &mut Wire<Self>,
        sql: String,
        arguments: Arguments<Self>,
    ) -> BoxFuture<'_, Result<Result<Vec<Row>, StoreError>, sqlx::Error>>;

    /// Prepares a fresh connection.
    fn prepare<'w>(&'w self, wire: &'w mut Wire<Self>) -> BoxFuture<'w, Result<(), sqlx::Error>>;

    /// Whether the database suits; asked once, when the store is opened.
    fn check<'w>(&'w self, wire: &'w mut Wire<Self>) -> BoxFuture<'w, Result<(), StoreError>>;

    /// Takes the lock that programs changing this database's schema share; it is held as long as
    /// the connection.
    fn lock<'w>(
        &'w self,
        wire: &'w mut Wire<Self>,
        left: Duration,
    ) -> BoxFuture<'w, Result<(), StoreError>>;

    /// What an error means. `sql` goes into the cause of one that is the statement's fault.
    fn failure(&self, mode: Mode, error: &sqlx::Error, sql: &str) -> StoreError;

    /// Whether a server that is only just starting says so while one connects.
    fn is_starting(&self, error: &sqlx::Error) -> bool;

    /// Whether the connection is of no use after this error.
    fn is_lost(&self, error: &sqlx::Error) -> bool;
}

/// A database behind its connections.
pub(crate) struct Server<E: Engine> {
    connections: Arc<Connections<E>>,
}

impl<E: Engine> fmt::Debug for Server<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connections.fmt(f)
    }
}

impl<E: Engine> Server<E> {
    pub(crate) fn over(connections: Connections<E>) -> Self {
        Server {
            connections: Arc::new(connections),
        }
    }
}

/// Opens a store: reaches the database, checks that it suits, and brings its schema up to date.
pub(crate) async fn open<E: Engine>(
    connections: Connections<E>,
    place: &str,
    migrations: Migrations,
    clock: Clock,
) -> Result<Store, StoreError> {
    reach(&connections, place).await?;
    let store = Store::remote(Arc::new(Server::over(connections)), clock);
    let cx = Context::background().with_timeout(MIGRATING);
    let migrated = store.migrate(&cx, migrations).await;
    migrated.map_err(|error| match error {
        StoreError::Refused { refusal, text } => refusal.because(format!("{place}: {text}")),
        error => error,
    })?;
    Ok(store)
}

/// Waits a little for a database that does not answer yet: both may have been started at once.
async fn reach<E: Engine>(connections: &Connections<E>, place: &str) -> Result<(), StoreError> {
    let deadline = Deadline::after(STARTING);
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match connections.dial(deadline).await {
            Ok(mut wire) => {
                let checked = connections.engine().check(&mut wire).await;
                return checked.map_err(|error| match error {
                    StoreError::Refused { refusal, text } => {
                        refusal.because(format!("{place}: {text}"))
                    }
                    error => error,
                });
            }
            Err(error) => error,
        };
        let engine = connections.engine();
        let is_starting = error.as_ref().is_none_or(|error| engine.is_starting(error));
        if !is_starting || deadline.remaining() < pause {
            let error = error.map_or_else(connections::silence, |error| {
                engine.failure(Mode::Write, &error, "")
            });
            return Err(Refusal::NoDatabase.because(format!(
                "{place} lets nobody in: {}; see that the server runs there, and that it knows the \
                 user, the password and the database of the url",
                backlot_core::error::chain(&error)
            )));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

impl<E: Engine> Remote for Server<E> {
    fn dialect(&self) -> Dialect {
        E::DIALECT
    }

    fn begin(
        &self,
        mode: Mode,
        deadline: Deadline,
    ) -> BoxFuture<'static, Result<Box<dyn Transaction>, StoreError>> {
        let connections = Arc::clone(&self.connections);
        Box::pin(async move {
            let begun = transaction::begin(&connections, mode, deadline).await?;
            Ok(Box::new(begun) as Box<dyn Transaction>)
        })
    }

    fn lock_schema(
        &self,
        deadline: Deadline,
    ) -> BoxFuture<'static, Result<SchemaLock, StoreError>> {
        let connections = Arc::clone(&self.connections);
        Box::pin(async move {
            let mut wire = connections.alone(deadline).await?;
            let left = deadline.remaining();
            connections.engine().lock(&mut wire, left).await?;
            // The lock goes with the connection.
            Ok(Box::new(Held::<E>(wire)) as SchemaLock)
        })
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        let connections = Arc::clone(&self.connections);
        Box::pin(async move {
            connections.close().await;
            Ok(())
        })
    }
}

struct Held<E: Engine>(#[allow(dead_code, reason = "held for its lock")] Wire<E>);
