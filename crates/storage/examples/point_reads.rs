//! Measures what a point read costs: CPU time of the whole process per read, threads included, and
//! how often a thread fell asleep per read, with 1 and with 64 reads in flight.
//!
//! ```text
//! cargo run --release -p backlot-storage --example point_reads
//! ```

use backlot_core::{Clock, Context};
use backlot_storage::{Migration, Migrations, Sql, Store, StoreError, params, sql, sqlite};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const MIGRATIONS: Migrations = &[Migration::new(
    1,
    "films",
    "CREATE TABLE film (id INTEGER PRIMARY KEY, title TEXT NOT NULL, year INTEGER) STRICT;",
)];
const PUT: Sql = sql!("INSERT INTO film (id, title, year) VALUES (?, ?, ?)");
const GET: Sql = sql!("SELECT title, year FROM film WHERE id = ?");
const FILMS: i64 = 10_000;
const READS: i64 = 64_000;

/// Microseconds of CPU time, and how often a thread fell asleep.
fn spent() -> Result<(i64, i64), nix::Error> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let cpu = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok((cpu, usage.voluntary_context_switches()))
}

async fn get(store: &Store, id: i64) -> Result<i64, StoreError> {
    let cx = Context::background();
    let found = store.read(&cx, move |tx| {
        Box::pin(async move {
            let row = tx.query_one(GET, params![id]).await?;
            row.get::<String>(0)?;
            row.get::<i64>(1)
        })
    });
    found.await
}

async fn measure(
    name: &str,
    store: &Store,
    in_flight: i64,
) -> Result<(), Box<dyn std::error::Error>> {
    let ((cpu_before, sleeps_before), began) = (spent()?, Instant::now());
    let mut callers = JoinSet::new();
    for caller in 0..in_flight {
        let store = store.clone();
        callers.spawn(async move {
            for read in 0..READS / in_flight {
                get(&store, (caller * 7919 + read * 104_729) % FILMS).await?;
            }
            Ok::<(), StoreError>(())
        });
    }
    for caller in callers.join_all().await {
        caller?;
    }
    let (cpu, sleeps) = spent()?;
    let reads = (READS / in_flight * in_flight) as f64;
    println!(
        "{name}, {in_flight:>2} in flight: {:.2} us CPU, {:.2} sleeps, {:.2} us of time a read",
        (cpu - cpu_before) as f64 / reads,
        (sleeps - sleeps_before) as f64 / reads,
        (Instant::now() - began).as_secs_f64() * 1e6 / reads,
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let file = sqlite::open(
        folder.path().join("films.db"),
        sqlite::Options::default(),
        MIGRATIONS,
        Clock::real(),
    )?;
    let memory = sqlite::memory(MIGRATIONS, Clock::real())?;
    for (name, store) in [("file", file), ("memory", memory)] {
        let cx = Context::background().with_timeout(Duration::from_secs(60));
        let filled = store.write(&cx, |tx| {
            Box::pin(async move {
                for id in 0..FILMS {
                    tx.execute(
                        PUT,
                        params![id, &format!("film number {id}"), 1900 + id % 130],
                    )
                    .await?;
                }
                Ok::<(), StoreError>(())
            })
        });
        filled.await?;
        for in_flight in [1, 64] {
            measure(name, &store, in_flight).await?;
        }
        store.close().await?;
    }
    Ok(())
}
