//! Backlot services as processes of simulated hosts, and the registry they find each other with.

use crate::database::Hosted;
use crate::host::Host;
use backlot_app::cli::{Configuration, Options, Product};
use backlot_app::config::IdentityConfig;
use backlot_app::service::Prepared;
use backlot_app::world::Secrets;
use backlot_app::{Node, Service, World};
use backlot_cluster::Config as RegistryConfig;
use backlot_cluster::embedded::{Client, Server};
use backlot_core::env::{Phase, Shutdown};
use backlot_core::{Dice, Env, Offload};
use backlot_service::config::{Layers, Problems};
use backlot_service::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;

/// The host of the registry.
pub const REGISTRY: &str = "registry";
/// Where services listen on their host.
const PORT: u16 = 8000;
/// How long a stopping service waits for its callers to notice.
const SPREAD: Duration = Duration::from_millis(500);

/// One service of a product, configured for a host.
#[derive(Clone, Debug)]
pub struct Program {
    prepared: Prepared,
    spread: Duration,
    identity: IdentityConfig,
}

impl Program {
    /// The service of this name, with its defaults but for the addresses, and then `set`
    /// (`key=value`).
    ///
    /// # Errors
    /// All problems of the configuration at once; or that the product has no such service.
    pub fn load(
        product: &Product,
        service: &str,
        host: &str,
        set: &[&str],
    ) -> Result<Program, Problems> {
        let mut options = Options::default();
        options.set.extend(addresses(service, host));
        options
            .set
            .extend(set.iter().map(|&assignment| assignment.to_owned()));
        let env = Env {
            clock: crate::clock::clock(),
            dice: Dice::seeded(0),
            net: Arc::new(crate::network::Simulated::new(host, crate::Trace::new())),
            offload: Offload::here(),
            variables: Arc::default(),
            shutdown: Shutdown::new(),
        };
        let configuration = Configuration::load(product, &options, &env)?;
        match configuration.service(service) {
            Some(prepared) => Ok(Program {
                prepared: prepared.clone(),
                spread: SPREAD,
                identity: configuration.platform.identity.clone(),
            }),
            None => {
                let mut problems = Problems::default();
                let names: Vec<&str> = configuration.services.iter().map(Prepared::name).collect();
                problems.push(
                    "",
                    service,
                    "names no service",
                    format!("take one of {}", names.join(", ")),
                );
                Err(problems)
            }
        }
    }
}

impl Program {
    /// A service of no product, with its defaults but for the addresses, and then `set`
    /// (`key=value`). Nobody's tokens are believed.
    ///
    /// # Errors
    /// All problems of the configuration at once.
    pub fn of(service: &Service, host: &str, set: &[String]) -> Result<Program, Problems> {
        let addresses = addresses(service.name(), host);
        let layers = addresses.iter().chain(set);
        let layers = layers.fold(Layers::new(), |layers, set| layers.flag(set));
        let (mut tree, mut problems) = (layers.tree(), Problems::default());
        let prepared = service.prepare(&mut tree, &mut problems);
        tree.finish(&mut problems);
        problems.into_result()?;
        Ok(Program {
            prepared,
            spread: SPREAD,
            identity: IdentityConfig {
                issuer: String::new(),
                ..IdentityConfig::default()
            },
        })
    }
}

impl Program {
    /// The same, waiting so long for its callers to notice that it stops.
    #[must_use]
    pub fn spreading(self, spread: Duration) -> Program {
        Program { spread, ..self }
    }
}

/// Where a service listens on its host.
fn addresses(service: &str, host: &str) -> [String; 3] {
    [
        format!("{service}.server.listen=0.0.0.0:{PORT}"),
        format!("{service}.server.admin=0.0.0.0:{}", PORT + 10),
        format!("{service}.server.advertise={host}:{PORT}"),
    ]
}

/// Secrets that follow the seed.
pub(crate) fn secrets(dice: &Dice) -> Secrets {
    let dice = dice.branch("secrets");
    Arc::new(move |name| {
        let mut secret = [0; 32];
        dice.branch(name).fill(&mut secret);
        Ok(secret)
    })
}

pub(crate) fn registry_config() -> RegistryConfig {
    RegistryConfig {
        address: format!("{REGISTRY}:8070"),
        ..RegistryConfig::default()
    }
}

/// Hosts the registry, which forgets everything when its process dies.
pub(crate) async fn registry(host: Host) -> std::io::Result<()> {
    let listener = host.env().net.bind("0.0.0.0:8070").await?;
    let tasks = Tasks::new(host.env());
    let server = Server::serve(listener, host.env(), &tasks)?;
    host.trace().note(
        host.name(),
        format!("serves the registry, epoch {}", server.epoch()),
    );
    std::future::pending().await
}

/// Runs a service for ever: starts it again when it does not start, and when it was told to stop.
pub(crate) async fn serve(host: Host, program: Program, secrets: Secrets) {
    // A process that crashed told nobody.
    host.power().serves(false);
    let mut orders = host.power().orders();
    loop {
        orders.on().await;
        let host = host.process();
        let (env, trace) = (host.env(), host.trace());
        let tasks = Tasks::new(env);
        let world = World {
            env: env.clone(),
            registry: Arc::new(Client::new(registry_config(), env, &tasks)),
            local: None,
            broker: None,
            stores: Arc::new(Hosted),
            secrets: Arc::clone(&secrets),
            identity: program.identity.clone(),
        };
        match Node::start(&program.prepared, world).await {
            Ok(node) => {
                trace.note(host.name(), "serves");
                host.power().serves(true);
                orders.stop().await;
                trace.note(host.name(), "drains");
                let ended = node.stop(program.spread).await;
                let cut = if ended.is_clean() {
                    String::new()
                } else {
                    format!(", {} connections cut", ended.cut)
                };
                trace.note(host.name(), format!("has stopped{cut}"));
            }
            Err(error) => trace.note(host.name(), format!("does not start: {}", error.chain())),
        }
        env.shutdown.advance(Phase::Stopped);
        tasks.shutdown(Duration::from_millis(200)).await;
        host.power().serves(false);
        if orders.is_off() {
            continue;
        }
        // Whoever supervises it takes a moment to start it again.
        tokio::time::sleep(Duration::from_millis(200 + host.dice("restart").below(600))).await;
    }
}
