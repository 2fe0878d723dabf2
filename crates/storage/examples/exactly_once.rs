//! Measures what exactly-once costs: effects per second with inbox and outbox in their commit, by
//! single messages and by batches with a position; and how fast a relay sends when much waits.
//!
//! ```text
//! cargo run --release -p backlot-storage --example exactly_once -- [url of a database] [rows that wait]
//! ```
//!
//! Without a url it is SQLite in a temporary file. A database that is named gets tables in it.

use backlot_core::{Clock, Context, Dice, Error};
use backlot_storage::outbox::{Batch, Forward, Limits, Message, Options, Relay};
use backlot_storage::{
    Migration, Migrations, Sql, Store, StoreError, mysql, params, postgres, sql, sqlite,
};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const MIGRATIONS: Migrations = &[Migration::new(
    1,
    "sums",
    "CREATE TABLE sums (id BIGINT PRIMARY KEY, sum BIGINT NOT NULL);",
)];
const PUT: Sql = sql! {
    default: "INSERT INTO sums (id, sum) VALUES (?, 0) ON CONFLICT DO NOTHING",
    mysql: "INSERT IGNORE INTO sums (id, sum) VALUES (?, 0)",
};
const ADD: Sql = sql!("UPDATE sums SET sum = sum + ? WHERE id = ?");
/// Rows that effects change, in turn.
const ROWS: i64 = 1000;
const SINGLE: i64 = 20_000;
const CALLERS: i64 = 64;
const BATCHES: u64 = 100;
const BATCH: u64 = 500;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Takes everything.
struct Nowhere;

impl Forward for Nowhere {
    async fn forward(&self, _cx: &Context, _batch: Batch) -> Result<(), Error> {
        Ok(())
    }
}

fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(60))
}

async fn open(url: Option<&str>, folder: &std::path::Path) -> Result<Store, StoreError> {
    let options = postgres::Options::default();
    match url {
        None => {
            let options = sqlite::Options::default();
            sqlite::open(folder.join("a.db"), options, MIGRATIONS, Clock::real())
        }
        Some(url) if url.starts_with("postgres") => {
            postgres::open(url, options, MIGRATIONS, Clock::real()).await
        }
        Some(url) => mysql::open(url, options, MIGRATIONS, Clock::real()).await,
    }
}

/// Inbox, effect and a message about it, in one commit.
async fn consume(store: &Store, run: u64, number: i64) -> Result<(), StoreError> {
    let write = store.write(&cx(), move |tx| {
        Box::pin(async move {
            let id = format!("{run:x}-{number}");
            if tx.inbox("g").first_time(&id).await? {
                tx.execute(ADD, params![1, number % ROWS]).await?;
                tx.outbox()
                    .add(Message::new("t", id, vec![7; 200]).key("k"))?;
            }
            Ok(())
        })
    });
    write.await
}

/// A batch of messages: one position, an effect and a message for each.
async fn consume_batch(store: &Store, run: u64, from: u64) -> Result<(), StoreError> {
    let write = store.write(&cx(), move |tx| {
        Box::pin(async move {
            let mut position = tx.position("g", "t", 0);
            for offset in position.advance(run, from..from + BATCH).await? {
                tx.execute(ADD, params![1, (offset as i64) % ROWS]).await?;
                let id = format!("{run:x}-batch-{offset}");
                tx.outbox()
                    .add(Message::new("t", id, vec![7; 200]).key("k"))?;
            }
            Ok(())
        })
    });
    write.await
}

async fn fill(store: &Store, count: u64) -> Result<(), StoreError> {
    let mut left = count;
    while left > 0 {
        let some = left.min(10_000);
        let write = store.write(&cx(), move |tx| {
            Box::pin(async move {
                for _ in 0..some {
                    tx.outbox().add(Message::new("t", "i", vec![7; 200]))?;
                }
                Ok::<(), StoreError>(())
            })
        });
        write.await?;
        left -= some;
    }
    Ok(())
}

fn rate(what: &str, count: u64, began: Instant) {
    let took = Instant::now().saturating_duration_since(began);
    println!(
        "{what:44} {:>9.0}/s   {took:?}",
        count as f64 / took.as_secs_f64()
    );
}

/// Sends and confirms a hundred batches while so much waits.
async fn relay_at(store: &Store, waiting: u64) -> Result<(), Failure> {
    fill(store, waiting).await?;
    let relay = Relay::new(store, Nowhere, "one", Dice::seeded(1), Options::default());
    let mut status = relay.status();
    let mut running = JoinSet::new();
    let began = Instant::now();
    running.spawn(relay.run(std::future::pending()));
    let sent = status.wait_for(|status| status.sent >= 50_000).await?.sent;
    rate(&format!("relayed while {waiting} wait"), sent, began);
    running.shutdown().await;
    let began = Instant::now();
    for _ in 0..100 {
        store.outbox().depth(&cx()).await?;
    }
    rate("  looks at the depth", 100, began);
    let began = Instant::now();
    let limits = Limits {
        messages: 1,
        bytes: 1,
    };
    for _ in 0..100 {
        store.outbox().take(&cx(), limits).await?;
    }
    rate("  looks at the oldest", 100, began);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().filter(|url| !url.is_empty());
    let many: u64 = arguments
        .next()
        .map_or(Ok(1_000_000), |rows| rows.parse())?;
    let folder = tempfile::tempdir()?;
    let store = open(url.as_deref(), folder.path()).await?;
    // Another run on the same database has other ids, and a newer log.
    let run = Clock::real().wall().0.unsigned_abs();
    let filled = store.write(&cx(), |tx| {
        Box::pin(async move {
            for id in 0..ROWS {
                tx.execute(PUT, params![id]).await?;
            }
            Ok::<(), StoreError>(())
        })
    });
    filled.await?;

    let began = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move {
            for number in (caller..SINGLE).step_by(CALLERS as usize) {
                consume(&store, run, number).await?;
            }
            Ok::<(), StoreError>(())
        });
    }
    while let Some(done) = callers.join_next().await {
        done??;
    }
    rate(
        "inbox, effect, outbox: single, 64 callers",
        SINGLE as u64,
        began,
    );

    let began = Instant::now();
    for batch in 0..BATCHES {
        consume_batch(&store, run, batch * BATCH).await?;
    }
    rate(
        "position, effects, outbox: batches of 500",
        BATCHES * BATCH,
        began,
    );

    relay_at(&store, 60_000).await?;
    relay_at(&store, many).await?;
    store.close().await?;
    Ok(())
}
