//! The scenarios of the whole system, played twice in one simulated world: over the simulated
//! network with the simulated database, and bound directly within one process. What was seen has to
//! be the same, word for word.

use backlot::app::cli::{Configuration, Options, Product};
use backlot::app::embedded::Embedded;
use backlot::app::service::Prepared;
use backlot::app::store::Stores;
use backlot::cluster::Memory;
use backlot::identity::SigningKey;
use backlot::rpc::contract::Service;
use backlot::rpc::{Binding, Local};
use backlot::storage::{Migrations, Store, StoreConfig, StoreError, sqlite};
use backlot::{BoxFuture, Env};
use backlot_sim::{Host, Outcome, Program, World, simulate};
use movies_system_tests::clients::{Power, Turn};
use movies_system_tests::tokens::Tokens;
use movies_system_tests::transcript::Transcript;
use movies_system_tests::{Clients, scenarios, services};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Some scenarios wait for deadlines, in simulated time.
const LIMIT: Duration = Duration::from_secs(300);
/// When all services have found each other.
const SETTLED: Duration = Duration::from_secs(3);
/// The first port of the services that share a process.
const FIRST_PORT: u16 = 9000;

const PRODUCT: Product = Product {
    name: "scenarios",
    variables: "SCENARIOS",
    data: "data",
    services,
};

/// What was seen of one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub scenario: &'static str,
    /// Word for word.
    pub lines: Vec<String>,
}

/// Both plays.
#[derive(Debug)]
pub struct Plays {
    /// The run: a scenario that failed is a violation of it.
    pub outcome: Outcome,
    /// Seen over the simulated network.
    pub simulated: Vec<Seen>,
    /// Seen within one process.
    pub direct: Vec<Seen>,
}

type Notes = Arc<parking_lot::Mutex<Vec<Seen>>>;

/// Plays every scenario both ways.
#[must_use]
pub fn play(seed: u64) -> Plays {
    let (simulated, direct) = (Notes::default(), Notes::default());
    let options = backlot_sim::Options {
        limit: LIMIT,
        ..backlot_sim::Options::default()
    };
    let outcome = simulate(seed, options, |world| {
        if let Err(problem) = build(world, &simulated, &direct) {
            world
                .trace()
                .violation("world", format!("it cannot be built: {problem:#}"));
        }
    });
    let (simulated, direct) = (simulated.lock().clone(), direct.lock().clone());
    Plays {
        outcome,
        simulated,
        direct,
    }
}

fn build(world: &mut World, simulated: &Notes, direct: &Notes) -> anyhow::Result<()> {
    world.database(None);
    world.registry();
    let mut switches = Switches::default();
    for service in services() {
        let name = service.name();
        let program = Program::load(&PRODUCT, name, name, &[])
            .map_err(|problems| anyhow::anyhow!("{problems}"))?;
        world.service(name, program);
        switches
            .0
            .extend(world.power(name).map(|power| (name, power)));
    }
    let secret = world.secret(movies_auth::KEY);
    // Checked here, so that a refusal is told before anything runs.
    SigningKey::from_seed(&secret)?;

    let notes = Arc::clone(simulated);
    world.client("outside", move |host| async move {
        let caller = host.caller();
        let binding = |service: &'static Service| caller.binding(service);
        tokio::time::sleep(SETTLED).await;
        play_all(&host, &binding, &secret, Arc::new(switches), &notes).await;
    });
    let notes = Arc::clone(direct);
    world.client("together", move |host| async move {
        match together(&host, secret).await {
            Ok((together, local)) => {
                let dice = host.dice("client");
                let binding = |service: &'static Service| {
                    Binding::Direct(local.binding(service, dice.clone()))
                };
                let together = Arc::new(together);
                let power: Arc<dyn Power> = Arc::<Together>::clone(&together);
                tokio::time::sleep(SETTLED).await;
                play_all(&host, &binding, &secret, power, &notes).await;
                if let Some(running) = together.running.lock().await.take() {
                    running.stop().await;
                }
            }
            Err(problem) => host
                .trace()
                .violation("together", format!("does not start: {problem:#}")),
        }
    });
    Ok(())
}

async fn play_all(
    host: &Host,
    binding: &impl Fn(&'static Service) -> Binding,
    secret: &[u8; 32],
    power: Arc<dyn Power>,
    notes: &Notes,
) {
    let tokens = Tokens::new(secret, host.env().clock.clone(), host.dice("tokens"));
    let clients = Clients::new(binding, tokens, Some(power));
    for scenario in scenarios::all() {
        let clients = Clients {
            transcript: Transcript::default(),
            ..clients.clone()
        };
        host.trace()
            .note(host.name(), format!("plays {}", scenario.name));
        (scenario.run)(&clients).await;
        notes.lock().push(Seen {
            scenario: scenario.name,
            lines: clients.transcript.lines(),
        });
    }
}

/// The switches of the hosts, by service.
#[derive(Default)]
struct Switches(BTreeMap<&'static str, backlot_sim::Power>);

impl Switches {
    fn of(&self, service: &str) -> &backlot_sim::Power {
        match self.0.get(service) {
            Some(power) => power,
            None => panic!("no host runs {service}"),
        }
    }
}

impl Power for Switches {
    fn stop<'a>(&'a self, service: &'a str) -> Turn<'a> {
        Box::pin(self.of(service).stop())
    }

    fn start<'a>(&'a self, service: &'a str) -> Turn<'a> {
        Box::pin(self.of(service).start())
    }
}

/// Services in one process, each of which can be stopped and started.
struct Together {
    running: tokio::sync::Mutex<Option<Embedded>>,
    services: Vec<Prepared>,
    world: backlot::World,
}

impl Power for Together {
    fn stop<'a>(&'a self, service: &'a str) -> Turn<'a> {
        Box::pin(async move {
            if let Some(running) = self.running.lock().await.as_mut() {
                assert!(running.stop_one(service).await, "{service} ran");
            }
        })
    }

    fn start<'a>(&'a self, service: &'a str) -> Turn<'a> {
        Box::pin(async move {
            let prepared = self.services.iter().find(|it| it.name() == service);
            if let (Some(running), Some(prepared)) = (self.running.lock().await.as_mut(), prepared)
                && let Err(error) = running.start_one(prepared, self.world.clone()).await
            {
                panic!("{service} does not start again: {}", error.chain());
            }
        })
    }
}

/// All services in the process of one host.
async fn together(host: &Host, secret: [u8; 32]) -> anyhow::Result<(Together, Local)> {
    let mut options = Options::default();
    for (service, port) in services().iter().zip((FIRST_PORT..).step_by(2)) {
        let name = service.name();
        for (key, port) in [("listen", port), ("admin", port + 1)] {
            options
                .set
                .push(format!("{name}.server.{key}=0.0.0.0:{port}"));
        }
    }
    let configuration = Configuration::load(&PRODUCT, &options, host.env())
        .map_err(|problems| anyhow::anyhow!("{problems}"))?;
    let local = Local::new();
    let world = backlot::World {
        env: host.env().clone(),
        registry: Arc::new(Memory::new()),
        local: Some(local.clone()),
        broker: None,
        stores: Arc::new(Kept::default()),
        secrets: Arc::new(move |_name| Ok(secret)),
        identity: configuration.platform.identity.clone(),
    };
    let running = Embedded::start(&configuration.services, world.clone()).await?;
    let together = Together {
        running: tokio::sync::Mutex::new(Some(running)),
        services: configuration.services,
        world,
    };
    Ok((together, local))
}

/// Stores in memory, inline on the one thread; a service that starts again finds its own.
#[derive(Debug, Default)]
struct Kept(parking_lot::Mutex<BTreeMap<&'static str, sqlite::Memory>>);

impl Stores for Kept {
    fn open<'a>(
        &'a self,
        service: &'static str,
        _config: &'a StoreConfig,
        migrations: Migrations,
        env: &'a Env,
    ) -> BoxFuture<'a, Result<Store, StoreError>> {
        let memory = self.0.lock().entry(service).or_default().clone();
        Box::pin(async move { memory.open(migrations, env.clock.clone()) })
    }
}
