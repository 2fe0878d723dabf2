//! How fast batches go into a file: to be asked for, in release.
//!
//! `cargo test --release -p movies-rating batches_a_second -- --ignored --nocapture`
//!
//! The variables RATINGS and RANDOM say how many go in, in order of user and in no order; GROUP_MS
//! and LOG_PAGES change the store's options.

use super::*;
use crate::batch::{Batch, Entry};
use crate::repository::MIGRATIONS;
use backlot::storage::sqlite;
use backlot::{Dice, Env, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const PER_CALL: usize = 5_000;
const IN_FLIGHT: usize = 4;
const FILMS: f64 = 40_000.0;

/// A film: the first ones are rated most, as in life.
fn film(dice: &Dice) -> String {
    format!("tt{:07}", FILMS.powf(dice.unit()) as u32)
}

fn entry(user: u64, dice: &Dice) -> Entry {
    let value = 1 + dice.next_u64() % 10;
    Entry::new(
        format!("ml-{user}"),
        film(dice),
        HalfStars::new(value as i32).unwrap(),
        Some(Timestamp(
            1_000_000_000_000 + (dice.next_u64() % 700_000_000) as i64 * 1000,
        )),
    )
}

/// Bytes this process has written so far.
fn written() -> u64 {
    let told = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = told.lines().find(|line| line.starts_with("wchar")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn fill(
    ratings: &Arc<Controller>,
    what: &str,
    total: usize,
    mut next: impl FnMut(usize) -> Entry,
) {
    let began = Instant::now();
    let mut flying = tokio::task::JoinSet::new();
    let (mut created, mut given) = (0_u64, 0);
    let mut next_step = 500_000;
    let written_before = written();
    while given < total || !flying.is_empty() {
        while given < total && flying.len() < IN_FLIGHT {
            let entries = (given..given + PER_CALL).map(&mut next).collect();
            given += PER_CALL;
            let ratings = Arc::clone(ratings);
            flying.spawn(async move {
                let cx = Context::system("importer").with_timeout(Duration::from_secs(60));
                let batch = Batch::new("movie".into(), entries);
                ratings.put_batch(&cx, batch).await.unwrap()
            });
        }
        if let Some(done) = flying.join_next().await {
            created += u64::from(done.unwrap().0);
        }
        if given >= next_step {
            next_step += 500_000;
            let took = Instant::now() - began;
            println!("{what}: {given} so far, {took:.1?}");
        }
    }
    let took = Instant::now() - began;
    let rate = total as f64 / took.as_secs_f64();
    println!("{what}: {total} ratings, {created} of them new, in {took:.1?}: {rate:.0}/s");
    // These say the same on a busy machine.
    let bytes = (written() - written_before) / total as u64;
    println!("{what}: {bytes} bytes written a rating");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement of minutes"]
async fn batches_a_second() {
    let variables = Env::real().variables;
    let number = |name: &str, otherwise: usize| {
        variables
            .get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    let folder = tempfile::tempdir().unwrap();
    let options = sqlite::Options {
        group_time: Duration::from_millis(number("GROUP_MS", 2) as u64),
        log_pages: number("LOG_PAGES", 1024) as u32,
        ..sqlite::Options::default()
    };
    let path = folder.path().join("rating.db");
    let store = sqlite::open(&path, options, MIGRATIONS, Clock::real()).unwrap();
    let ratings = Arc::new(Controller::new(store.clone(), Clock::real()));
    let dice = Dice::seeded(1);
    let total = number("RATINGS", 5_000_000);
    fill(&ratings, "in order of user", total, |index| {
        entry(index as u64 / 100, &dice)
    })
    .await;
    let users = total as u64 / 100;
    fill(&ratings, "in no order", number("RANDOM", 500_000), |_| {
        entry(dice.next_u64() % users, &dice)
    })
    .await;
    let dice = Dice::seeded(1);
    fill(&ratings, "the same again", total.min(1_000_000), |index| {
        entry(index as u64 / 100, &dice)
    })
    .await;
    let size = std::fs::metadata(&path).unwrap().len() / 1_000_000;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    println!("the file has {size} MB; {peak}");
    store.close().await.unwrap();
}
