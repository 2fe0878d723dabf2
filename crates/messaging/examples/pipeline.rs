//! Measures the way of an event on this machine's disk: published, stored, read, its effect made
//! once in a service's own store. Every step is on the disk. The store is an SQLite file, or on a
//! server that is started for it.
//!
//! ```text
//! cargo run --release -p backlot-messaging --example pipeline
//! cargo run --release -p backlot-messaging --example pipeline postgres
//! cargo run --release -p backlot-messaging --example pipeline mariadb
//! ```

use async_trait::async_trait;
use backlot_core::{Context, Env};
use backlot_messaging::consume::{Consume, Consumer, Failure, Group, Order, Setup};
use backlot_messaging::embedded::{Embedded, Options};
use backlot_messaging::engine::{Engine, TopicSpec};
use backlot_messaging::{Bus, Event};
use backlot_service::{Metrics, Tasks};
use backlot_storage::{
    Migration, Migrations, Sql, Store, Tx, mysql, params, postgres, sql, sqlite,
};
use backlot_testkit::Engine as Server;
use backlot_testkit::engine::Kind;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// So many that the last failure's pause, up to 200 ms, is little beside them.
const EVENTS: u64 = 4_000_000;
const BATCH: usize = 4_000;
/// How many are handled one by one.
const SINGLES: u64 = 100_000;
/// How many are published when nothing else happens.
const IDLE: usize = 1_000;
const MIGRATIONS: Migrations = &[Migration::new(
    1,
    "total",
    "CREATE TABLE total (film BIGINT PRIMARY KEY, stars BIGINT NOT NULL);",
)];
const BEGIN: Sql = sql!("INSERT INTO total (film, stars) VALUES (?, 0)");
const ADD: Sql = sql!("UPDATE total SET stars = stars + ? WHERE film = ?");
const FILMS: u64 = 5_000;

#[derive(Serialize, Deserialize)]
struct Rated {
    number: u64,
    film: u64,
    stars: u64,
}

impl Event for Rated {
    const NAME: &'static str = "Rated";
    const TOPIC: &'static str = "ratings";
    const VERSION: u32 = 1;

    fn key(&self) -> Option<String> {
        Some(self.film.to_string())
    }
}

/// One statement for a batch, for its first film: what is measured is the way.
struct Adder {
    /// How many are handled, and when the last one was begun.
    handled: watch::Sender<(u64, Instant)>,
    /// One in so many fails when it comes first.
    failing: u64,
    failed: Mutex<BTreeSet<u64>>,
}

impl Adder {
    /// Whether an event fails now.
    fn fails(&self, event: &Rated) -> bool {
        self.failing > 0
            && event.number.is_multiple_of(self.failing)
            && self.failed.lock().insert(event.number)
    }
}

#[async_trait]
impl Consume<Rated> for Adder {
    async fn consume(&self, cx: &Context, tx: &mut Tx, event: Rated) -> Result<(), Failure> {
        self.consume_batch(cx, tx, &[event]).await
    }

    async fn consume_batch(
        &self,
        _cx: &Context,
        tx: &mut Tx,
        events: &[Rated],
    ) -> Result<(), Failure> {
        let began = Instant::now();
        let failing = (0..).zip(events).filter(|(_, event)| self.fails(event));
        let failing: Vec<(usize, Failure)> = failing
            .map(|(place, _)| (place, backlot_core::Error::aborted("as it must").into()))
            .collect();
        if !failing.is_empty() {
            return Err(match events {
                [_] => backlot_core::Error::aborted("as it must").into(),
                _ => Failure::among(failing),
            });
        }
        let stars: u64 = events.iter().map(|event| event.stars).sum();
        let film = events.first().map_or(0, |event| event.film);
        tx.execute(ADD, params![stars.cast_signed(), film.cast_signed()])
            .await?;
        self.handled
            .send_modify(|(count, last)| (*count, *last) = (*count + events.len() as u64, began));
        Ok(())
    }
}

/// What everything is measured with.
struct Bench {
    engine: Arc<dyn Engine>,
    store: Store,
    setup: Setup,
    bus: Bus,
}

impl Bench {
    /// How long a group takes to handle so many, beginning with the oldest.
    async fn consumed(
        &self,
        group: Group,
        failing: u64,
        count: u64,
    ) -> Result<Duration, Box<dyn std::error::Error>> {
        let (handled, mut told) = watch::channel((0, Instant::now()));
        let adder = Adder {
            handled,
            failing,
            failed: Mutex::default(),
        };
        let consumer = Consumer::consuming(&self.setup, group, self.store.clone(), adder)?;
        let began = Instant::now();
        let mut took = Duration::ZERO;
        let all = async {
            drop(told.wait_for(|(handled, _)| *handled >= count).await);
            took = Instant::now() - began;
        };
        consumer.run(all).await;
        Ok(took)
    }

    /// How long it takes from before a publish until the handler has its event, when nothing else
    /// happens: of so many, in order.
    async fn idle(&self, count: usize) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
        let (handled, mut told) = watch::channel((0, Instant::now()));
        let adder = Adder {
            handled,
            failing: 0,
            failed: Mutex::default(),
        };
        let group = Group::new("idle").from(backlot_messaging::engine::Begin::Newest);
        let consumer = Consumer::consuming(&self.setup, group, self.store.clone(), adder)?;
        let mut times = Vec::new();
        let all = async {
            // Until the group is there, what is published is not for it.
            while told.borrow_and_update().0 == 0 {
                drop(self.bus.publish(&cx(), &rated(0)).await);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            for number in 0..count as u64 {
                // Until what was handled before is settled as well.
                tokio::time::sleep(Duration::from_millis(20)).await;
                let (before, _) = *told.borrow_and_update();
                let began = Instant::now();
                if self.bus.publish(&cx(), &rated(number)).await.is_err() {
                    return;
                }
                let handled = told.wait_for(|(handled, _)| *handled > before).await;
                times.extend(handled.map(|handled| handled.1 - began));
            }
        };
        consumer.run(all).await;
        times.sort();
        Ok(times)
    }
}

fn rated(number: u64) -> Rated {
    Rated {
        number,
        film: number % FILMS,
        stars: number % 5 + 1,
    }
}

fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(600))
}

fn say(what: &str, count: u64, took: Duration) {
    let each = took.as_secs_f64() / count as f64;
    println!(
        "{what}: {:.0} a second, {:.2} µs each",
        1.0 / each,
        each * 1e6
    );
}

/// The store that was asked for, and the server it is on.
async fn open(
    folder: &Path,
    env: &Env,
) -> Result<(Option<Server>, Store), Box<dyn std::error::Error>> {
    let clock = env.clock.clone();
    let wanted = std::env::args().nth(1);
    let kind = match wanted.as_deref() {
        None => {
            let (path, options) = (folder.join("service.db"), sqlite::Options::default());
            let store = sqlite::open(path, options, MIGRATIONS, clock)?;
            begin(&store).await?;
            return Ok((None, store));
        }
        Some("postgres") => Kind::Postgres,
        Some("mariadb") => Kind::Mariadb,
        Some(other) => return Err(format!("{other:?}: say postgres, mariadb or nothing").into()),
    };
    let server = Server::start(kind).await.ok_or("it is not installed")?;
    let url = server.url(&server.database().await);
    let options = postgres::Options::default();
    let store = match kind {
        Kind::Postgres => postgres::open(&url, options, MIGRATIONS, clock).await?,
        Kind::Mariadb => mysql::open(&url, options, MIGRATIONS, clock).await?,
    };
    begin(&store).await?;
    Ok((Some(server), store))
}

async fn begin(store: &Store) -> Result<(), backlot_core::Error> {
    let begun = store.write(&cx(), |tx| {
        Box::pin(async move {
            for film in 0..FILMS.cast_signed() {
                tx.execute(BEGIN, params![film]).await?;
            }
            Ok::<_, backlot_core::Error>(())
        })
    });
    begun.await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let (env, metrics) = (Env::real(), Metrics::new());
    let tasks = Tasks::with_metrics(&env, &metrics);
    let path = folder.path().join("broker.db");
    let engine = Embedded::file(path, Options::default(), &env, &tasks, &metrics).await?;
    let engine: Arc<dyn Engine> = Arc::new(engine);
    let (_server, store) = open(folder.path(), &env).await?;
    let bench = Bench {
        bus: Bus::new(Arc::clone(&engine), "example", &env),
        setup: Setup {
            engine: Arc::clone(&engine),
            service: "example",
            member: "one".to_owned(),
            env,
            metrics,
        },
        engine,
        store,
    };
    let spec = TopicSpec::new(Rated::TOPIC, Rated::PARTITIONS);
    bench.engine.ensure(&cx(), &spec).await?;

    let events: Vec<Rated> = (0..EVENTS).map(rated).collect();
    let began = Instant::now();
    bench.bus.publish_all(&cx(), &events).await?;
    say("published", EVENTS, Instant::now() - began);

    let times = bench.idle(IDLE).await?;
    println!(
        "published until its handler runs, nothing else going on: half within {:?}, 99 of 100 within {:?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );

    let batches = |name: &str| Group::new(name).batch(BATCH);
    let took = bench.consumed(batches("whole"), 0, EVENTS).await?;
    say("read, handled in batches and settled", EVENTS, took);
    let took = bench.consumed(batches("failing"), 100, EVENTS).await?;
    say("the same, one in a hundred failing once", EVENTS, took);
    // Nothing waits for what failed, which is tried again within 200 ms.
    let unordered = |name: &str| batches(name).order(Order::None).in_flight(32_768);
    let took = bench.consumed(unordered("any-order"), 0, EVENTS).await?;
    say("in batches and in any order", EVENTS, took);
    let took = bench
        .consumed(unordered("any-order-failing"), 100, EVENTS)
        .await?;
    say("the same, one in a hundred failing once", EVENTS, took);
    let took = bench.consumed(Group::new("singles"), 0, SINGLES).await?;
    say("handled one by one", SINGLES, took);
    let again = Group::new("failing-singles");
    let took = bench.consumed(again, 100, SINGLES).await?;
    say("the same, one in a hundred failing once", SINGLES, took);

    bench.engine.close().await?;
    bench.store.close().await?;
    Ok(())
}
