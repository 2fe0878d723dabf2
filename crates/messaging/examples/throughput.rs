//! Measures the embedded log on this machine's disk: publishing in batches, publishing one by one
//! with 256 callers and with one, and reading it all again. Every `Ok` is on the disk.
//!
//! ```text
//! cargo run --release -p backlot-messaging --example throughput
//! ```

use backlot_core::{Context, Env};
use backlot_messaging::Record;
use backlot_messaging::embedded::{Embedded, Options};
use backlot_messaging::engine::{Engine, Input, Outgoing, Settle, Subscription, TopicSpec};
use backlot_service::{Metrics, Tasks};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const TOPIC: &str = "ratings";
const BATCH: u64 = 10_000;
const BATCHES: u64 = 100;
const SINGLES: u64 = 200;

/// 80 digits that no packing makes less.
fn digits(id: u64) -> String {
    let mixed = |place: u64| {
        (id * 5 + place + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(31)
    };
    let mixed = |place| mixed(place).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (0..5)
        .map(|place| format!("{:016x}", mixed(place)))
        .collect()
}

fn message(id: u64) -> Outgoing {
    // 200 bytes, as a rating's event has: some are the same in all, some in none.
    let body = format!(
        "{{\"recordType\":\"movie\",\"value\":3.5,\"providerId\":\"movielens\",\"eventType\":\"put\",\"userId\":{id:0>12},\"recordId\":\"{}\"}}",
        digits(id)
    );
    let record = Record::new(id.to_string(), "Rated", "rating", body);
    Outgoing::new(TOPIC, record.with_key((id % 5000).to_string()))
}

fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(60))
}

fn say(what: &str, count: u64, took: Duration) {
    println!("{what}: {:.0} a second", count as f64 / took.as_secs_f64());
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let (env, metrics) = (Env::real(), Metrics::new());
    let tasks = Tasks::with_metrics(&env, &metrics);
    let path = folder.path().join("broker.db");
    let engine = Embedded::file(path, Options::default(), &env, &tasks, &metrics).await?;
    engine.ensure(&cx(), &TopicSpec::new(TOPIC, 16)).await?;
    let all = BATCH * BATCHES;

    // Four publishers, each with a batch on its way; made before the clock runs.
    let batches: Vec<Vec<Outgoing>> = (0..BATCHES)
        .map(|batch| (batch * BATCH..(batch + 1) * BATCH).map(message).collect())
        .collect();
    let began = Instant::now();
    let mut publishing = JoinSet::new();
    let mut batches = batches.into_iter();
    loop {
        while publishing.len() < 4
            && let Some(batch) = batches.next()
        {
            let engine = engine.clone();
            publishing.spawn(async move { engine.append(&cx(), batch).await.map(drop) });
        }
        match publishing.join_next().await {
            Some(published) => published??,
            None => break,
        }
    }
    say(
        "published in batches of 10,000",
        all,
        Instant::now() - began,
    );

    let subscription = Subscription {
        in_flight: 16_384,
        ..Subscription::new(TOPIC, "reader")
    };
    let mut source = engine.attach(&cx(), &subscription).await?;
    let (began, mut read) = (Instant::now(), 0);
    while read < all {
        if let Input::Deliveries(deliveries) = source.next(16_384).await? {
            read += deliveries.len() as u64;
            let done = deliveries
                .iter()
                .map(|delivery| (delivery.token, Settle::Done));
            source.settle(done.collect()).await?;
        }
    }
    say("read and settled", all, Instant::now() - began);

    let engine = Arc::new(engine);
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..256 {
        let engine = Arc::clone(&engine);
        callers.spawn(async move {
            for number in 0..SINGLES {
                engine
                    .append(&cx(), vec![message(caller * SINGLES + number)])
                    .await?;
            }
            Ok::<(), backlot_messaging::Error>(())
        });
    }
    for caller in callers.join_all().await {
        caller?;
    }
    say(
        "published one by one, 256 callers",
        256 * SINGLES,
        Instant::now() - began,
    );

    let mut times = Vec::new();
    for number in 0..1000 {
        let began = Instant::now();
        engine.append(&cx(), vec![message(number)]).await?;
        times.push(Instant::now() - began);
    }
    times.sort();
    println!(
        "one caller: half within {:?}, 99 of 100 within {:?}",
        times[500], times[990]
    );
    drop(source);
    engine.close().await?;
    Ok(())
}
