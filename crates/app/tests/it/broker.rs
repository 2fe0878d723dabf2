//! The log of events among the services of one process, and between processes.

use backlot_app::cli::{Configuration, Options, Product};
use backlot_app::embedded::Embedded;
use backlot_app::service::Prepared;
use backlot_app::{Node, Service, StartError, Startup, World, owners, process};
use backlot_broker::Remote;
use backlot_broker::contract::{BROKER_SERVICE, BrokerClient};
use backlot_cluster::Memory;
use backlot_core::{Context, Env};
use backlot_messaging::engine::{Input, Outgoing, Settle, Subscription, TopicSpec};
use backlot_messaging::{Engine, Error, Record};
use backlot_rpc::{Binding, Client};
use backlot_service::config::Validate;
use backlot_service::{Metrics, Tasks};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const TOPIC: &str = "orders";
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Config {}

impl Validate for Config {}

/// What the readers of this test process saw, each under the name of its group.
static SEEN: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// A service that reads until it has to stop, and says so.
async fn start(_config: Config, cx: &mut Startup) -> Result<(), StartError> {
    let engine = cx.engine()?;
    let group = cx.secret("group")?;
    let group = format!("g{}", group[0]);
    cx.own("reader", move |stop| async move {
        let reading = read(engine, group.clone());
        tokio::select! {
            biased;
            () = stop => {}
            () = reading => {}
        }
        SEEN.lock().push((group, "stopped".to_owned()));
    });
    Ok(())
}

async fn read(engine: Arc<dyn Engine>, group: String) {
    loop {
        let cx = Context::system("reader");
        let spec = TopicSpec::new(TOPIC, 1);
        let ready = engine.ensure(&cx, &spec).await;
        let subscription = Subscription::new(TOPIC, &group);
        let attached = engine.attach(&cx, &subscription).await;
        let (Ok(()), Ok(mut source)) = (ready, attached) else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        loop {
            match source.next(10).await {
                Ok(Input::Deliveries(deliveries)) => {
                    let done = deliveries
                        .iter()
                        .map(|delivery| (delivery.token, Settle::Done));
                    let settled = source.settle(done.collect()).await;
                    if settled.is_ok_and(|stale| stale.is_empty()) {
                        let ids = deliveries.into_iter().map(|delivery| delivery.record.id);
                        let ids = ids.map(|id| (group.clone(), id));
                        SEEN.lock().extend(ids);
                    }
                }
                Ok(_) => {}
                Err(Error::Closed) => break,
                Err(_passing) => {}
            }
        }
    }
}

fn services() -> Vec<Service> {
    vec![
        backlot_app::broker::service(),
        Service::new("reader", owners!("test"), start),
    ]
}

fn prepared(data: &Path, env: &Env) -> (Configuration, Vec<Prepared>) {
    let product = Product {
        name: "test",
        variables: "TEST",
        data: "data",
        services,
    };
    let options = Options {
        data: Some(data.to_owned()),
        set: vec!["identity.issuer=".to_owned()],
        ..Options::default()
    };
    let configuration = Configuration::load(&product, &options, env).unwrap();
    let services = configuration.services.iter().cloned();
    let services = services.map(|service| service.listening("127.0.0.1:0", "127.0.0.1:0"));
    let services = services.collect();
    (configuration, services)
}

/// The outside of these services; their readers are of the group `g` and this number.
fn world(configuration: &Configuration, env: &Env, group: u8) -> World {
    let world = process::world(&configuration.platform, env, Arc::new(Memory::new()));
    let secrets = Arc::clone(&world.secrets);
    World {
        secrets: Arc::new(move |name| match name {
            "group" => Ok([group; 32]),
            name => secrets(name),
        }),
        ..world
    }
}

async fn publish(engine: &dyn Engine, id: &str) -> Result<(), Error> {
    let cx = Context::background();
    engine.ensure(&cx, &TopicSpec::new(TOPIC, 1)).await?;
    let record = Record::new(id, "OrderPlaced", "test", "{}");
    let messages = vec![Outgoing::new(TOPIC, record).deduplicated()];
    engine.append(&cx, messages).await.map(drop)
}

/// Publishes as soon as the broker is there again.
async fn published(engine: &dyn Engine, id: &str) {
    let publishing = async {
        while publish(engine, id).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, publishing).await.unwrap();
}

/// A way to the broker from outside of all services.
fn writer(world: &World) -> Remote {
    let (tasks, metrics) = (Tasks::new(&world.env), Metrics::new());
    let instances = world.registry.resolver().watch("broker");
    let way = backlot_rpc::Remote::new(
        &BROKER_SERVICE,
        "broker",
        instances,
        &backlot_rpc::Caller::new(&metrics, &world.env, &tasks),
    );
    let secret = (world.secrets)(backlot_app::broker::KEY).unwrap();
    let client = BrokerClient::bind(Binding::Remote(way));
    Remote::new(client, secret, &world.env, &tasks)
}

async fn seen(group: &str, what: &str) {
    let wanted = (group.to_owned(), what.to_owned());
    let waiting = async {
        while !SEEN.lock().contains(&wanted) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("{wanted:?} is not in {:?}", SEEN.lock()));
}

#[tokio::test]
async fn services_of_one_process_share_its_log_while_the_broker_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let env = Env::real();
    let (configuration, services) = prepared(folder.path(), &env);
    let world = world(&configuration, &env, 1);
    let mut running = Embedded::start(&services, world.clone()).await.unwrap();
    let log = running.broker().clone();
    publish(&log, "one").await.unwrap();
    seen("g1", "one").await;
    assert!(folder.path().join("broker.db").exists());

    assert!(running.stop_one("broker").await);
    let away = publish(&log, "two").await;
    assert!(matches!(away, Err(Error::Away { .. })), "{away:?}");
    running.start_one(&services[0], world).await.unwrap();
    publish(&log, "two").await.unwrap();
    seen("g1", "two").await;
    let ended = running.stop().await;
    assert_eq!((ended.cut, ended.aborted), (0, 0));
    seen("g1", "stopped").await;
    let away = publish(&log, "three").await;
    assert!(matches!(away, Err(Error::Away { .. })), "{away:?}");
}

#[tokio::test]
async fn services_of_other_processes_reach_the_log_over_the_wire() {
    let folder = tempfile::tempdir().unwrap();
    let env = Env::real();
    let (configuration, services) = prepared(folder.path(), &env);
    let world = world(&configuration, &env, 2);
    // The reader comes first, and waits for a broker.
    let reader = Node::start(&services[1], world.clone()).await.unwrap();
    let broker = Node::start(&services[0], world.clone()).await.unwrap();
    let writer = writer(&world);
    publish(&writer, "one").await.unwrap();
    seen("g2", "one").await;
    assert!(broker.stop(Duration::ZERO).await.is_clean());
    let broker = Node::start(&services[0], world.clone()).await.unwrap();
    published(&writer, "two").await;
    seen("g2", "two").await;
    let ended = reader.stop(Duration::ZERO).await;
    assert_eq!((ended.cut, ended.aborted), (0, 0));
    seen("g2", "stopped").await;
    assert!(broker.stop(Duration::ZERO).await.is_clean());
}
