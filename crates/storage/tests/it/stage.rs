//! A table, statements on it, and futures begun by hand.

use backlot_core::{BoxFuture, Clock, Context, Error};
use backlot_storage::{Migration, Migrations, Sql, Store, Tx, params, sql, sqlite};
use std::path::Path;
use std::sync::mpsc;
use std::task::{Poll, Waker};

pub(crate) const MIGRATIONS: Migrations = &[Migration::new(
    1,
    "notes",
    "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
     CREATE TABLE reply (id INTEGER PRIMARY KEY,
                         note INTEGER NOT NULL REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED) STRICT;",
)];
pub(crate) const PUT: Sql = sql!("INSERT INTO note (id, text) VALUES (?, ?)");
pub(crate) const COUNT: Sql = sql!("SELECT COUNT(*) FROM note");

pub(crate) fn open(folder: &Path, options: sqlite::Options) -> Store {
    sqlite::open(folder.join("notes.db"), options, MIGRATIONS, Clock::real()).unwrap()
}

pub(crate) fn one_reader() -> sqlite::Options {
    sqlite::Options {
        readers: 1,
        ..sqlite::Options::default()
    }
}

pub(crate) fn put(tx: &mut Tx, id: i64) -> BoxFuture<'_, Result<u64, Error>> {
    Box::pin(async move { Ok(tx.execute(PUT, params![id, "text"]).await?) })
}

pub(crate) fn write(store: &Store, id: i64) -> BoxFuture<'static, Result<u64, Error>> {
    Box::pin(store.write(&Context::background(), move |tx| put(tx, id)))
}

pub(crate) async fn count(store: &Store) -> i64 {
    let count = store.read(&Context::background(), |tx| {
        Box::pin(async move { Ok::<i64, Error>(tx.query_one(COUNT, params![]).await?.get(0)?) })
    });
    count.await.unwrap()
}

/// Polls a call once, so that the store has it, and leaves the rest for later.
pub(crate) fn begin<T>(mut call: BoxFuture<'static, T>) -> BoxFuture<'static, T> {
    let polled = call
        .as_mut()
        .poll(&mut std::task::Context::from_waker(Waker::noop()));
    assert!(
        matches!(polled, Poll::Pending),
        "the call was answered at once"
    );
    call
}

/// A write that keeps the writer busy until it is let go; it is running when this returns.
pub(crate) fn block(store: &Store) -> (BoxFuture<'static, Result<u64, Error>>, mpsc::Sender<()>) {
    let (running, is_running) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let call = begin(Box::pin(store.write(&Context::background(), move |tx| {
        // Nobody listens when the write is repeated, and nobody keeps it the second time.
        running.send(()).ok();
        // An error means that the test is over.
        may_go.lock().unwrap().recv().ok();
        put(tx, 1000)
    })));
    is_running.recv().unwrap();
    (call, go)
}
