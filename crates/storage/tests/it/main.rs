//! A store from outside: the conformance suite on every backend here, and what is SQLite's own.

#![expect(
    clippy::unwrap_used,
    reason = "in a test the panic is the report, in its helpers too"
)]

mod file;
mod left;
mod refusals;
mod remote;
mod stage;
mod upgrade;

use backlot_storage::{conformance, sqlite};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_in_a_file_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicU32::new(0);
    let open = async |migrations, clock| {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let path = folder.path().join(format!("{number}.db"));
        sqlite::open(path, sqlite::Options::default(), migrations, clock).unwrap()
    };
    conformance::run(&open).await;
    conformance::run_amounts(&open).await;
}

#[tokio::test]
async fn sqlite_in_memory_keeps_every_promise() {
    conformance::run(async |migrations, clock| sqlite::memory(migrations, clock).unwrap()).await;
    conformance::run_amounts(async |migrations, clock| sqlite::memory(migrations, clock).unwrap())
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_in_memory_keeps_every_promise_between_threads() {
    conformance::run(async |migrations, clock| sqlite::memory(migrations, clock).unwrap()).await;
}
