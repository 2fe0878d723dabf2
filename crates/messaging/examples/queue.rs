//! Measures queues on this machine's disk, by the number of workers: each pulls, does nothing, and says
//! that it is done, which is on the disk when the answer comes.
//!
//! ```text
//! cargo run --release -p backlot-messaging --example queue
//! ```

use backlot_core::{Context, Env};
use backlot_messaging::consume::Setup;
use backlot_messaging::embedded::{Embedded, Options};
use backlot_messaging::engine::{Engine, Outgoing, TopicSpec};
use backlot_messaging::pull::{self, Answer, Ask, Desk, Queues};
use backlot_messaging::{Error, Record};
use backlot_service::{Metrics, Tasks};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const TOPIC: &str = "errands";
const BATCH: u64 = 10_000;

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
    let body = format!("{{\"errand\":\"{}\",\"number\":{id:0>80}}}", digits(id));
    Outgoing::new(TOPIC, Record::new(id.to_string(), "Errand", "shop", body))
}

fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(60))
}

/// Works until all is done.
async fn work(desk: Desk, ask: Ask, left: Arc<AtomicU64>) -> Result<(), Error> {
    while left.load(Ordering::Relaxed) > 0 {
        let leased = desk.pull(&cx(), &ask).await?;
        let count = leased.len() as u64;
        let answers = leased
            .into_iter()
            .map(|leased| (leased.lease, Answer::Done));
        let over = desk.answer(&cx(), answers.collect()).await?;
        left.fetch_sub(count - over.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let (env, metrics) = (Env::real(), Metrics::new());
    let tasks = Tasks::with_metrics(&env, &metrics);
    let path = folder.path().join("broker.db");
    let engine = Embedded::file(path, Options::default(), &env, &tasks, &metrics).await?;
    engine.ensure(&cx(), &TopicSpec::new(TOPIC, 4)).await?;
    let setup = Setup {
        engine: Arc::new(engine.clone()),
        service: "queue",
        member: "desk".to_owned(),
        env,
        metrics,
    };
    let desk = Desk::new(&setup, pull::Options::default(), &tasks);
    println!(
        "{:>8} {:>12} {:>14}",
        "workers", "one by one", "32 at a time"
    );
    for workers in [1, 4, 16, 64, 256] {
        let mut found = Vec::new();
        for (max, count) in [(1, 1_000 * workers.min(30)), (32, 20_000 * workers.min(10))] {
            // Whole batches, so that nothing is left over for the next.
            for from in (0..count).step_by(BATCH as usize) {
                let to = (from + BATCH).min(count);
                engine
                    .append(&cx(), (from..to).map(message).collect())
                    .await?;
            }
            let (left, mut working) = (Arc::new(AtomicU64::new(count)), JoinSet::new());
            let began = Instant::now();
            for worker in 0..workers {
                let ask = Ask {
                    max,
                    wait: Duration::from_millis(100),
                    ..Ask::new(TOPIC, "home", format!("worker-{worker}"))
                };
                working.spawn(work(desk.clone(), ask, Arc::clone(&left)));
            }
            // The last of them wait for what is not there: that is no work.
            while left.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let took = Instant::now() - began;
            while let Some(worked) = working.join_next().await {
                worked??;
            }
            found.push(count as f64 / took.as_secs_f64());
        }
        println!("{workers:>8} {:>12.0} {:>14.0}", found[0], found[1]);
    }
    engine.close().await?;
    Ok(())
}
