//! Effects exactly once, where twice would show: a service that books what was published, and dies
//! while it cannot say what it has booked.

use async_trait::async_trait;
use backlot::app::broker::KEY;
use backlot::app::cli::Product;
use backlot::broker::Remote;
use backlot::broker::contract::BrokerClient;
use backlot::config::{Problems, Validate};
use backlot::messaging::Record;
use backlot::messaging::consume::sabotage::Sabotage;
use backlot::messaging::consume::{Consume, Failure, Group, Order};
use backlot::messaging::engine::{Engine, Outgoing, TopicSpec};
use backlot::messaging::event::Event;
use backlot::service::tasks::Tasks;
use backlot::storage::{Migration, Migrations, Sql, StoreConfig, Tx, params, sql};
use backlot::{Context, Service, StartError, Startup, owners};
use backlot_sim::{Fault, Host, Options, Outcome, Program, What, simulate};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const MIGRATIONS: Migrations = &[Migration::new(
    1,
    "entries",
    "CREATE TABLE entry (number INTEGER NOT NULL) STRICT;",
)];
const INSERT: Sql = sql!("INSERT INTO entry (number) VALUES (?)");
const ORDERS: i64 = 120;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OrderPlaced {
    number: i64,
}

impl Event for OrderPlaced {
    const NAME: &'static str = "OrderPlaced";
    const TOPIC: &'static str = "orders";
    const PARTITIONS: u32 = 2;
    const VERSION: u32 = 1;

    fn key(&self) -> Option<String> {
        Some((self.number % 5).to_string())
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    store: StoreConfig,
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        self.store.validate(&format!("{at}.store"), problems);
    }
}

/// Books every order it sees: an order that it sees twice is booked twice.
struct Books;

#[async_trait]
impl Consume<OrderPlaced> for Books {
    async fn consume(&self, _cx: &Context, tx: &mut Tx, order: OrderPlaced) -> Result<(), Failure> {
        tx.execute(INSERT, params![order.number]).await?;
        Ok(())
    }

    async fn consume_batch(
        &self,
        _cx: &Context,
        tx: &mut Tx,
        orders: &[OrderPlaced],
    ) -> Result<(), Failure> {
        for order in orders {
            tx.execute(INSERT, params![order.number]).await?;
        }
        Ok(())
    }
}

fn group() -> Group {
    Group::new("books")
        .order(Order::Key)
        .lease(Duration::from_secs(3))
}

const MISTAKEN: Sabotage = Sabotage {
    acknowledges_early: false,
    skips_inbox: true,
    passes_holes: false,
};

fn books(group: fn() -> Group) -> Service {
    let start = async move |config: Config, cx: &mut Startup| -> Result<(), StartError> {
        let store = cx.store(&config.store, MIGRATIONS).await?;
        cx.consume(group(), &store, Books)
    };
    Service::new("books", owners!("books-team"), start).with_store()
}

fn product(services: fn() -> Vec<Service>) -> Product {
    Product {
        name: "ledger",
        variables: "LEDGER",
        data: "data",
        services,
    }
}

fn one_by_one() -> Vec<Service> {
    vec![backlot::broker_service(), books(group)]
}

fn in_batches() -> Vec<Service> {
    vec![backlot::broker_service(), books(|| group().batch(50))]
}

fn one_by_one_and_mistaken() -> Vec<Service> {
    vec![
        backlot::broker_service(),
        books(|| group().sabotaged(MISTAKEN)),
    ]
}

fn in_batches_and_mistaken() -> Vec<Service> {
    vec![
        backlot::broker_service(),
        books(|| group().batch(50).sabotaged(MISTAKEN)),
    ]
}

fn cx() -> Context {
    Context::system("test").with_timeout(Duration::from_secs(2))
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(60)).await;
}

/// Publishes all orders, each until it is acknowledged, and waits until all are settled.
async fn place(host: Host, secret: [u8; 32]) {
    let client: BrokerClient = host.caller().client();
    let log = Remote::new(client, secret, host.env(), &Tasks::new(host.env()));
    let spec = TopicSpec::new(OrderPlaced::TOPIC, OrderPlaced::PARTITIONS);
    while log.ensure(&cx(), &spec).await.is_err() {
        pause().await;
    }
    for number in 0..ORDERS {
        let order = OrderPlaced { number };
        let record = Record::new(
            number.to_string(),
            OrderPlaced::NAME,
            "shop",
            serde_json::to_vec(&order).expect("an order is JSON"),
        );
        let key = order.key().expect("every order has a key");
        let message = Outgoing::new(OrderPlaced::TOPIC, record.with_key(key)).deduplicated();
        while log.append(&cx(), vec![message.clone()]).await.is_err() {
            pause().await;
        }
        pause().await;
    }
    loop {
        let report = log.inspect(&cx(), OrderPlaced::TOPIC, Some("books")).await;
        let lag = report.ok().map(|report| {
            let parts = report.groups.iter().flat_map(|group| &group.partitions);
            parts.map(|part| part.lag).sum::<u64>()
        });
        if lag == Some(0) {
            break;
        }
        pause().await;
    }
}

fn fault(at: u64, lasts_ms: u64, what: What) -> Fault {
    Fault {
        at: Duration::from_secs(at),
        lasts: Duration::from_millis(lasts_ms),
        what,
    }
}

/// What was booked is not said in time: the way to the log is cut, and then the service dies, or
/// what the database has done is not heard of.
fn faults() -> Vec<Fault> {
    let between = || ["books".to_owned(), "broker".to_owned()];
    let cut = |at| fault(at, 1_200, What::Partition(between()));
    let dies = |at| fault(at, 400, What::Crash("books".into()));
    vec![
        cut(2),
        dies(3),
        fault(4, 800, What::LoseAnswers),
        cut(5),
        dies(6),
        fault(7, 400, What::Crash("broker".into())),
        cut(8),
        dies(9),
    ]
}

fn outcome(seed: u64, services: fn() -> Vec<Service>) -> Outcome {
    let options = Options {
        limit: Duration::from_secs(90),
        ..Options::default()
    };
    simulate(seed, options, |world| {
        let database = world.database(None);
        world.registry();
        let product = product(services);
        for name in ["broker", "books"] {
            match Program::load(&product, name, name, &["identity.issuer="]) {
                Ok(program) => world.service(name, program),
                Err(problems) => world.trace().violation("world", problems.to_string()),
            }
        }
        world.faults(faults());
        let secret = world.secret(KEY);
        world.client("shop", move |host| place(host, secret));
        world.at_end(move |trace| {
            let rows = database.committed("books", "SELECT number FROM entry ORDER BY number", &[]);
            let rows = rows.ok().flatten().unwrap_or_default();
            let booked: Result<Vec<i64>, _> = rows.iter().map(|row| row.get(0)).collect();
            let expected: Vec<i64> = (0..ORDERS).collect();
            if booked.as_ref().ok() != Some(&expected) {
                trace.violation("auditor", format!("booked were {booked:?}"));
            }
        });
    })
}

#[test]
fn what_is_published_is_booked_once_however_its_consumer_dies() {
    for services in [one_by_one, in_batches] as [fn() -> Vec<Service>; 2] {
        for seed in [1, 2] {
            let outcome = outcome(seed, services);
            assert!(outcome.holds(), "seed {seed}: {:#?}", outcome.events);
        }
    }
}

#[test]
fn a_consumer_that_does_not_look_whether_it_has_booked_books_twice() {
    for services in [one_by_one_and_mistaken, in_batches_and_mistaken] as [fn() -> Vec<Service>; 2]
    {
        let outcome = outcome(1, services);
        let is_seen = outcome
            .violations()
            .any(|event| event.text.contains("booked were"));
        assert!(is_seen, "{:#?}", outcome.events);
    }
}
