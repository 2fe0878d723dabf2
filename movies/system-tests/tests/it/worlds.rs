//! Ways to run all services in this process.

use backlot::app::World;
use backlot::app::cli::{Configuration, Options, Product};
use backlot::app::embedded::Embedded;
use backlot::app::node::Node;
use backlot::app::service::Prepared;
use backlot::app::store::Files;
use backlot::broker::Slot;
use backlot::cluster::{Memory, Registry};
use backlot::rpc::contract::Service;
use backlot::rpc::{Binding, Caller, Local, Remote};
use backlot::service::tasks::Tasks;
use backlot::service::telemetry::Metrics;
use backlot::{Dice, Env};
use movies_system_tests::clients::{Power, Turn};
use movies_system_tests::tokens::{ISSUER, Tokens};
use movies_system_tests::{Clients, services};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Mutex;

/// The secret of the issuer in every world here.
pub(crate) const SEED: [u8; 32] = [7; 32];

/// How services and clients find each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ways {
    /// All bound directly.
    Direct,
    /// All over gRPC, each service on its own.
    Remote,
    /// Services among themselves directly, the clients from outside over gRPC.
    Mixed,
}

/// Running services, and clients of them.
pub(crate) struct Running {
    pub(crate) clients: Clients,
    switch: Arc<Switch>,
    tasks: Tasks,
    _folder: TempDir,
}

impl Running {
    pub(crate) async fn start(ways: Ways) -> Running {
        Running::start_with(ways, Options::default()).await
    }

    /// Starts with the configuration that `options` say.
    pub(crate) async fn start_with(ways: Ways, options: Options) -> Running {
        let folder = backlot_testkit::folder();
        let env = Env {
            dice: Dice::seeded(1),
            variables: Arc::default(),
            ..Env::real()
        };
        let memory = Memory::new();
        let local = Local::new();
        let world = World {
            env: env.clone(),
            registry: Arc::new(memory.clone()),
            local: (ways != Ways::Remote).then(|| local.clone()),
            broker: (ways != Ways::Remote).then(Slot::new),
            stores: Arc::new(Files {
                folder: folder.path().to_owned(),
            }),
            secrets: Arc::new(|_name| Ok(SEED)),
            identity: backlot::app::config::IdentityConfig {
                issuer: ISSUER.to_owned(),
                service: "auth".to_owned(),
            },
        };
        let prepared = prepared(&env, &options);
        let running = match ways {
            Ways::Remote => {
                let mut nodes = Vec::new();
                for service in &prepared {
                    nodes.push(Node::start(service, world.clone()).await.unwrap());
                }
                Services::Alone(nodes)
            }
            Ways::Direct | Ways::Mixed => {
                Services::Together(Embedded::start(&prepared, world.clone()).await.unwrap())
            }
        };
        let tasks = Tasks::new(&env);
        let switch = Arc::new(Switch {
            running: Mutex::new(Some(running)),
            prepared,
            world,
        });
        let (metrics, dice) = (Metrics::new(), env.dice.branch("client"));
        let caller = Caller::new(&metrics, &env, &tasks);
        let binding = |service: &'static Service| match ways {
            Ways::Direct => Binding::Direct(local.binding(service, dice.clone())),
            Ways::Remote | Ways::Mixed => {
                let instances = memory.resolver().watch(service.target);
                Binding::Remote(Remote::new(service, service.target, instances, &caller))
            }
        };
        let tokens = Tokens::new(&SEED, env.clock.clone(), env.dice.branch("tokens"));
        let power: Arc<dyn Power> = Arc::<Switch>::clone(&switch);
        let clients = Clients::new(binding, tokens, Some(power));
        Running {
            clients,
            switch,
            tasks,
            _folder: folder,
        }
    }

    /// Where a service takes calls.
    pub(crate) async fn address(&self, service: &str) -> String {
        self.of(service, Node::address).await.to_string()
    }

    /// Where a service answers the operator.
    pub(crate) async fn admin(&self, service: &str) -> String {
        self.of(service, Node::admin).await.to_string()
    }

    async fn of<T>(&self, service: &str, told: fn(&Node) -> T) -> T {
        let running = self.switch.running.lock().await;
        let node = match running.as_ref().unwrap() {
            Services::Alone(nodes) => nodes.iter().find(|node| node.name() == service),
            Services::Together(embedded) => {
                embedded.nodes().iter().find(|node| node.name() == service)
            }
        };
        node.map(told).unwrap()
    }

    /// Stops the oldest instance of a service, which goes on answering for `spread` after it has
    /// left the registry.
    pub(crate) async fn stop_one(&self, service: &str, spread: Duration) {
        self.switch.stop_oldest(service, spread).await;
    }

    /// Starts one more instance of a service.
    pub(crate) async fn start_another(&self, service: &str) {
        self.clients.power().start(service).await;
    }

    /// Stops all. Nothing may be cut: no scenario leaves a call behind.
    pub(crate) async fn stop(self) {
        self.tasks.shutdown(Duration::ZERO).await;
        match self.switch.running.lock().await.take().unwrap() {
            Services::Alone(nodes) => {
                for node in nodes {
                    let name = node.name();
                    assert!(node.stop(Duration::ZERO).await.is_clean(), "{name} was cut");
                }
            }
            Services::Together(embedded) => {
                assert!(embedded.stop().await.is_clean(), "something was cut")
            }
        }
    }
}

fn prepared(env: &Env, options: &Options) -> Vec<Prepared> {
    let product = Product {
        name: "movies",
        variables: "MOVIES",
        data: "unused",
        services,
    };
    let configuration = Configuration::load(&product, options, env).unwrap();
    configuration
        .services
        .into_iter()
        .map(|service| service.listening("127.0.0.1:0", "127.0.0.1:0"))
        .collect()
}

enum Services {
    /// The oldest first; there may be several of one service.
    Alone(Vec<Node>),
    Together(Embedded),
}

struct Switch {
    running: Mutex<Option<Services>>,
    prepared: Vec<Prepared>,
    world: World,
}

impl Switch {
    async fn stop_oldest(&self, service: &str, spread: Duration) {
        let node = {
            let mut running = self.running.lock().await;
            match running.as_mut().unwrap() {
                Services::Alone(nodes) => {
                    let index = nodes.iter().position(|node| node.name() == service);
                    nodes.remove(index.unwrap())
                }
                Services::Together(embedded) => {
                    assert!(embedded.stop_one(service).await);
                    return;
                }
            }
        };
        assert!(node.stop(spread).await.is_clean(), "{service} was cut");
    }
}

impl Power for Switch {
    fn stop<'a>(&'a self, service: &'a str) -> Turn<'a> {
        Box::pin(self.stop_oldest(service, Duration::ZERO))
    }

    fn start<'a>(&'a self, service: &'a str) -> Turn<'a> {
        Box::pin(async move {
            let prepared = self
                .prepared
                .iter()
                .find(|prepared| prepared.name() == service)
                .unwrap();
            match self.running.lock().await.as_mut().unwrap() {
                Services::Alone(nodes) => {
                    nodes.push(Node::start(prepared, self.world.clone()).await.unwrap());
                }
                Services::Together(embedded) => embedded
                    .start_one(prepared, self.world.clone())
                    .await
                    .unwrap(),
            }
        })
    }
}
