//! Effects once, in stores on real database servers: two copies of a service read one group, and
//! both they and the server die in between.

#![expect(
    clippy::unwrap_used,
    reason = "in a test the panic is the report, in its helpers too"
)]

use async_trait::async_trait;
use backlot_core::{Clock, Context, Env, Error};
use backlot_messaging::consume::{Consume, Consumer, Failure, Group, Order, Setup};
use backlot_messaging::engine::{Engine as Log, TopicSpec};
use backlot_messaging::{Bus, Embedded, Event, embedded};
use backlot_service::{Metrics, Tasks};
use backlot_storage::{Migration, Migrations, Sql, Store, Tx, mysql, params, postgres, sql};
use backlot_testkit::engine::Kind;
use backlot_testkit::{Engine, wait_until};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};

/// Nothing in it refuses an order that is there already: what is done twice shows.
const MIGRATIONS: Migrations = &[Migration::new(
    1,
    "entries",
    "CREATE TABLE entry (id BIGINT NOT NULL);",
)];
const PUT: Sql = sql!("INSERT INTO entry (id) VALUES (?)");
const ALL: Sql = sql!("SELECT id FROM entry ORDER BY id");
const COUNT: Sql = sql!("SELECT COUNT(*) FROM entry");
const ORDERS: i64 = 6_000;

#[derive(Serialize, Deserialize)]
struct OrderPlaced {
    number: i64,
}

impl Event for OrderPlaced {
    const NAME: &'static str = "OrderPlaced";
    const TOPIC: &'static str = "orders";
    const PARTITIONS: u32 = 4;
    const VERSION: u32 = 1;

    fn key(&self) -> Option<String> {
        Some((self.number % 50).to_string())
    }
}

struct Books;

#[async_trait]
impl Consume<OrderPlaced> for Books {
    async fn consume(&self, cx: &Context, tx: &mut Tx, order: OrderPlaced) -> Result<(), Failure> {
        self.consume_batch(cx, tx, &[order]).await
    }

    async fn consume_batch(
        &self,
        _cx: &Context,
        tx: &mut Tx,
        orders: &[OrderPlaced],
    ) -> Result<(), Failure> {
        for order in orders {
            tx.execute(PUT, params![order.number]).await?;
        }
        Ok(())
    }
}

fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(20))
}

async fn open(engine: &Engine, database: &str) -> Store {
    let (url, options) = (engine.url(database), postgres::Options::default());
    let opened = match engine.kind() {
        Kind::Mariadb => mysql::open(&url, options, MIGRATIONS, Clock::real()).await,
        Kind::Postgres => postgres::open(&url, options, MIGRATIONS, Clock::real()).await,
    };
    opened.unwrap_or_else(|error| panic!("{}", backlot_core::error::chain(&error)))
}

/// Starts a copy of the service: aborted, it is as if its process had been killed.
fn copy(
    copies: &mut JoinSet<()>,
    log: &Embedded,
    member: &str,
    (group, store): (Group, &Store),
) -> AbortHandle {
    let setup = Setup {
        engine: Arc::new(log.clone()),
        service: "books",
        member: member.to_owned(),
        env: Env::real(),
        metrics: Metrics::new(),
    };
    let consumer = Consumer::consuming(&setup, group, store.clone(), Books).unwrap();
    copies.spawn(consumer.run(std::future::pending()))
}

/// Numbers that the database holds.
async fn ask(store: &Store, sql: Sql) -> Result<Vec<i64>, Error> {
    let read = store.read(&cx(), move |tx| {
        Box::pin(async move {
            let rows = tx.query(sql, params![]).await?;
            rows.iter().map(|row| Ok(row.get(0)?)).collect()
        })
    });
    read.await
}

/// Waits until so many are booked.
async fn booked(store: &Store, many: i64) {
    wait_until("orders are booked", async || {
        match ask(store, COUNT).await {
            Ok(count) if count[0] >= many => Ok(()),
            other => Err(format!("{other:?} of {many}")),
        }
    })
    .await;
}

async fn orders_are_booked_once(mut engine: Engine, group: fn() -> Group) {
    let folder = tempfile::tempdir().unwrap();
    let (env, metrics) = (Env::real(), Metrics::new());
    let tasks = Tasks::with_metrics(&env, &metrics);
    let file = folder.path().join("broker.db");
    let options = embedded::Options::default();
    let log = Embedded::file(file, options, &env, &tasks, &metrics);
    let log = log.await.unwrap();
    let spec = TopicSpec::new(OrderPlaced::TOPIC, OrderPlaced::PARTITIONS);
    log.ensure(&cx(), &spec).await.unwrap();
    let orders: Vec<_> = (0..ORDERS).map(|number| OrderPlaced { number }).collect();
    let bus = Bus::new(Arc::new(log.clone()), "shop", &env);
    bus.publish_all(&cx(), &orders).await.unwrap();

    let database = engine.database().await;
    let stores = [
        open(&engine, &database).await,
        open(&engine, &database).await,
    ];
    let mut copies = JoinSet::new();
    let one = copy(&mut copies, &log, "one", (group(), &stores[0]));
    let other = copy(&mut copies, &log, "other", (group(), &stores[1]));
    booked(&stores[0], ORDERS / 10).await;
    one.abort();
    copy(&mut copies, &log, "one", (group(), &stores[0]));
    booked(&stores[0], ORDERS / 4).await;
    engine.kill().await;
    engine.restart().await;
    booked(&stores[0], ORDERS / 2).await;
    engine.kill().await;
    other.abort();
    engine.restart().await;
    copy(&mut copies, &log, "other", (group(), &stores[1]));
    wait_until("all is settled", async || {
        let report = log.inspect(&cx(), OrderPlaced::TOPIC, Some("books")).await;
        let parts = report.unwrap().groups.remove(0).partitions;
        match parts.iter().map(|part| part.lag).sum::<u64>() {
            0 => Ok(()),
            lag => Err(format!("{lag} are not")),
        }
    })
    .await;
    let found: Vec<i64> = ask(&stores[0], ALL).await.unwrap();
    assert_eq!(found, (0..ORDERS).collect::<Vec<_>>());
    copies.shutdown().await;
    log.close().await.unwrap();
}

fn one_by_one() -> Group {
    Group::new("books")
        .order(Order::Key)
        .concurrency(8)
        .lease(Duration::from_secs(2))
}

fn in_batches() -> Group {
    one_by_one().concurrency(2).batch(100)
}

macro_rules! on_each {
    ($($name:ident: $kind:ident, $group:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(engine) = Engine::start(Kind::$kind).await {
                    orders_are_booked_once(engine, $group).await;
                }
            }
        )*
    };
}

on_each! {
    one_by_one_on_mariadb: Mariadb, one_by_one;
    one_by_one_on_postgres: Postgres, one_by_one;
    in_batches_on_mariadb: Mariadb, in_batches;
    in_batches_on_postgres: Postgres, in_batches;
}
