//! What batches cost the thread that writes a file: to be asked for, in release.
//!
//! `cargo test --release -p movies-rating batches_a_second -- --ignored --nocapture`
//!
//! The variables RATINGS, PARTS and RANDOM say how many ratings go in as a file of MovieLens has
//! them (by user, then film), how many that way but each partition of sixteen in batches of its
//! own, as an event consumer gets them, and how many in no order; BATCH is how many share a commit.
//! GROUP_MS, LOG_PAGES and CACHE_MB change the store's options, SINGLES is how many single writes are timed.

use super::tests::{rating, user as principal};
use super::*;
use crate::batch::{Batch, Gathering};
use crate::repository::MIGRATIONS;
use backlot::storage::sqlite;
use backlot::{Dice, Env, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const IN_FLIGHT: usize = 2;
const FILMS: f64 = 84_432.0;
/// How many a user rates, on average.
const EACH: u64 = 197;
const PARTITIONS: usize = 16;

/// A rating before its texts are written.
#[derive(Clone, Copy)]
struct Raw {
    user: u32,
    film: u32,
    half_stars: u8,
    at: i64,
}

/// A film: the tenth part of all has nine tenths of the ratings, as in life.
fn film(dice: &Dice) -> u32 {
    let place = (dice.unit() * ((FILMS + 1.0).powf(0.1) - 1.0) + 1.0).powf(10.0) - 1.0;
    place.clamp(0.0, FILMS - 1.0) as u32
}

/// Users one after the other, each with films in order.
fn in_order(dice: &Dice) -> impl Iterator<Item = Raw> + '_ {
    (1_u32..).flat_map(move |user| {
        let count = 20 + dice.next_u64() % (2 * EACH - 40);
        let films: BTreeSet<u32> = (0..count).map(|_| film(dice)).collect();
        films.into_iter().map(move |film| raw(user, film, dice))
    })
}

fn raw(user: u32, film: u32, dice: &Dice) -> Raw {
    Raw {
        user,
        film,
        half_stars: 1 + (dice.next_u64() % 10) as u8,
        at: 850_000_000_000 + (dice.next_u64() % 700_000_000) as i64 * 1000,
    }
}

fn batch(ratings: &[Raw]) -> Batch {
    let mut changes = Gathering::default();
    for one in ratings {
        let (user, film) = (format!("ml-{}", one.user), format!("tt{:07}", one.film));
        let value = HalfStars::new(one.half_stars.into()).unwrap();
        changes.put(&user, ("movie", &film), value, Some(Timestamp(one.at)));
    }
    changes.finish()
}

/// Bytes this process has written so far.
fn written() -> u64 {
    let told = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = told.lines().find(|line| line.starts_with("wchar")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How long the writer thread has been on a processor: the same on a busy machine.
fn writing() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let told = tasks.filter_map(|task| {
        let path = task.ok()?.path();
        let name = std::fs::read_to_string(path.join("comm")).ok()?;
        let told = std::fs::read_to_string(path.join("schedstat")).ok()?;
        (name.trim() == "store-writer").then(|| told.split(' ').next()?.parse::<u64>().ok())?
    });
    Duration::from_nanos(told.sum())
}

struct Filling {
    ratings: Arc<Controller>,
    size: usize,
}

impl Filling {
    async fn fill(&self, what: &str, batches: impl Iterator<Item = Vec<Raw>>) {
        let began = Instant::now();
        let mut flying = tokio::task::JoinSet::new();
        let (mut created, mut given, mut count) = (0_u64, 0_u64, 0_u64);
        let (bytes, busy) = (written(), writing());
        let mut last = (0_u64, busy);
        for raws in batches {
            given += raws.len() as u64;
            count += 1;
            let ratings = Arc::clone(&self.ratings);
            flying.spawn(async move {
                let cx = Context::system("importer").with_timeout(Duration::from_secs(600));
                ratings.put_batch(&cx, batch(&raws)).await.unwrap()
            });
            if flying.len() == IN_FLIGHT
                && let Some(done) = flying.join_next().await
            {
                created += u64::from(done.unwrap().0);
            }
            if given - last.0 >= 4_000_000 {
                let now = writing();
                let each = (now - last.1).as_secs_f64() * 1e6 / (given - last.0) as f64;
                println!("{what}: {given} so far, the last ones {each:.2} us each");
                last = (given, now);
            }
        }
        while let Some(done) = flying.join_next().await {
            created += u64::from(done.unwrap().0);
        }
        if given == 0 {
            return;
        }
        let took = (Instant::now() - began).as_secs_f64();
        let each = (writing() - busy).as_secs_f64() * 1e6 / given as f64;
        let bytes = (written() - bytes) / given;
        println!(
            "{what}: {given} ratings, {created} of them new, in {count} batches of {} and {took:.1} s: \
             {each:.2} us of the writer's and {bytes} bytes written each, {:.0}/s",
            self.size,
            given as f64 / took
        );
    }
}

/// Cuts what comes into batches.
fn batches(all: impl Iterator<Item = Raw>, size: usize) -> impl Iterator<Item = Vec<Raw>> {
    let mut all = all.peekable();
    std::iter::from_fn(move || {
        all.peek()?;
        Some(all.by_ref().take(size).collect())
    })
}

/// The same, for each partition of films its own.
fn parts(mut all: impl Iterator<Item = Raw>, size: usize) -> impl Iterator<Item = Vec<Raw>> {
    let mut parts = vec![Vec::new(); PARTITIONS];
    std::iter::from_fn(move || {
        for one in all.by_ref() {
            let part = &mut parts[one.film as usize % PARTITIONS];
            part.push(one);
            if part.len() == size {
                return Some(std::mem::take(part));
            }
        }
        parts.retain(|part| !part.is_empty());
        parts.pop()
    })
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
        cache: number("CACHE_MB", 16) << 20,
        ..sqlite::Options::default()
    };
    let path = folder.path().join("rating.db");
    let store = sqlite::open(&path, options, MIGRATIONS, Clock::real()).unwrap();
    let ratings = Arc::new(Controller::new(
        super::tests::speaking(store.clone()),
        Clock::real(),
    ));
    let size = number("BATCH", 32_768);
    let filling = Filling {
        ratings: Arc::clone(&ratings),
        size,
    };
    let total = number("RATINGS", 5_000_000);
    let dice = Dice::seeded(1);
    let all = in_order(&dice).take(total);
    filling.fill("in order of user", batches(all, size)).await;
    let dice = Dice::seeded(1);
    let all = in_order(&dice).take(total.min(1_000_000));
    filling.fill("the same again", batches(all, size)).await;
    let dice = Dice::seeded(2);
    let first = (total as u64 / EACH) as u32;
    let all = in_order(&dice).take(number("PARTS", total.min(5_000_000)));
    let all = all.map(|one| Raw {
        user: first + 1 + one.user,
        ..one
    });
    filling
        .fill("in order, by partition", parts(all, size))
        .await;
    let all = (0..number("RANDOM", 500_000)).map(|_| {
        raw(
            (dice.next_u64() % u64::from(first + 1)) as u32,
            film(&dice),
            &dice,
        )
    });
    filling.fill("in no order", batches(all, size)).await;

    let cx = principal("ann").with_timeout(Duration::from_secs(600));
    let mut times = Vec::new();
    for n in 0..number("SINGLES", 2_000) {
        let one = rating(&format!("tt{:07}", film(&dice)), "ann", 1 + n as i32 % 10);
        let began = Instant::now();
        ratings.put(&cx, one).await.unwrap();
        times.push(Instant::now() - began);
    }
    times.sort_unstable();
    if let Some(half) = times.get(times.len() / 2) {
        println!("single writes: p50 {half:.1?}");
    }
    let size = std::fs::metadata(&path).unwrap().len() / 1_000_000;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    println!("the file has {size} MB; {peak}");
    store.close().await.unwrap();
}
