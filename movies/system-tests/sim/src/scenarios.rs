//! The scenarios of the whole system, played twice in one simulated world: over the simulated
//! network with the simulated database, and bound directly within one process. What was seen has to
//! be the same, word for word.

use backlot::app::cli::{Configuration, Options, Product};
use backlot::app::embedded::Embedded;
use backlot::app::store::Stores;
use backlot::cluster::Memory;
use backlot::identity::SigningKey;
use backlot::rpc::contract::Service;
use backlot::rpc::{Binding, Local};
use backlot::storage::{Migrations, Store, StoreConfig, StoreError, sqlite};
use backlot::{BoxFuture, Env};
use backlot_sim::{Host, Outcome, Program, World, simulate};
use movies_system_tests::tokens::Tokens;
use movies_system_tests::transcript::Transcript;
use movies_system_tests::{Clients, scenarios, services};
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

/// Plays every scenario that needs no switch, both ways.
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
    for service in services() {
        let name = service.name();
        let program = Program::load(&PRODUCT, name, name, &[])
            .map_err(|problems| anyhow::anyhow!("{problems}"))?;
        world.service(name, program);
    }
    let secret = world.secret(movies_auth::KEY);
    // Checked here, so that a refusal is told before anything runs.
    SigningKey::from_seed(&secret)?;

    let notes = Arc::clone(simulated);
    world.client("outside", move |host| async move {
        let caller = host.caller();
        let binding = |service: &'static Service| caller.binding(service);
        tokio::time::sleep(SETTLED).await;
        play_all(&host, &binding, &secret, &notes).await;
    });
    let notes = Arc::clone(direct);
    world.client("together", move |host| async move {
        match together(&host, secret).await {
            Ok((running, local)) => {
                let dice = host.dice("client");
                let binding = |service: &'static Service| {
                    Binding::Direct(local.binding(service, dice.clone()))
                };
                tokio::time::sleep(SETTLED).await;
                play_all(&host, &binding, &secret, &notes).await;
                running.stop().await;
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
    notes: &Notes,
) {
    let tokens = Tokens::new(secret, host.env().clock.clone(), host.dice("tokens"));
    let clients = Clients::new(binding, tokens, None);
    for scenario in scenarios::all() {
        if scenario.needs_power {
            continue;
        }
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

/// All services in the process of one host.
async fn together(host: &Host, secret: [u8; 32]) -> anyhow::Result<(Embedded, Local)> {
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
        stores: Arc::new(Forgetful),
        secrets: Arc::new(move |_name| Ok(secret)),
        identity: configuration.platform.identity.clone(),
    };
    let running = Embedded::start(&configuration.services, world).await?;
    Ok((running, local))
}

/// Stores in memory, inline on the one thread.
#[derive(Debug)]
struct Forgetful;

impl Stores for Forgetful {
    fn open<'a>(
        &'a self,
        _service: &'static str,
        _config: &'a StoreConfig,
        migrations: Migrations,
        env: &'a Env,
    ) -> BoxFuture<'a, Result<Store, StoreError>> {
        Box::pin(async move { sqlite::memory(migrations, env.clock.clone()) })
    }
}
