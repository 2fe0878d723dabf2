//! One running service: bound, started, serving, announced; and on the way back deregistered,
//! drained, stopped.

use crate::admin::access::Access;
use crate::service::Prepared;
use crate::startup::Owned;
use crate::{StartError, Startup, World, admin};
use backlot_broker::Slot;
use backlot_cluster::Registration;
use backlot_core::Env;
use backlot_core::discovery::Instance;
use backlot_core::env::{Phase, Shutdown};
use backlot_core::net::Listener;
use backlot_messaging::Engine;
use backlot_rpc::identity::{Keys, Verifier, contract::KeySetClient};
use backlot_rpc::policy::Knobs;
use backlot_rpc::server::{Limits, Outcome};
use backlot_rpc::{Caller, Edge, Guard, Local, Server, ZONE, admin as rpc_admin};
use backlot_service::drain::{self, Work};
use backlot_service::health::Health;
use backlot_service::tasks::Tasks;
use backlot_service::telemetry::Metrics;
use backlot_storage::Store;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a log of events may take to be closed.
const CLOSE_LOG: Duration = Duration::from_secs(1);

/// A running service.
#[derive(Debug)]
pub struct Node {
    name: &'static str,
    address: SocketAddr,
    admin: SocketAddr,
    shutdown: Shutdown,
    health: Health,
    metrics: Metrics,
    tasks: Tasks,
    registration: Registration,
    served: watch::Receiver<Option<Outcome>>,
    stores: Vec<Store>,
    /// How much of its own work goes on.
    owned: watch::Sender<usize>,
    provided: Option<Provided>,
    local: Option<(Local, Vec<&'static backlot_rpc::contract::Service>)>,
    drain: Duration,
}

/// A log of events that the service keeps, and where others of the process find it.
#[derive(Debug)]
struct Provided {
    engine: Arc<dyn Engine>,
    slot: Option<Slot>,
}

impl Provided {
    /// Takes nothing new, finishes what was accepted.
    async fn close(self) {
        if let Some(slot) = &self.slot {
            slot.withdraw(&self.engine);
        }
        match tokio::time::timeout(CLOSE_LOG, self.engine.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = %backlot_core::error::chain(&error), "the log of events did not close cleanly");
            }
            Err(_elapsed) => tracing::warn!("the log of events took too long to close"),
        }
    }
}

/// How a service ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Connections whose calls did not finish in time.
    pub cut: usize,
    /// Tasks that did not end by themselves.
    pub aborted: usize,
}

impl Ended {
    /// Whether nothing was cut.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.cut == 0
    }
}

impl Node {
    /// Starts a service: listens, runs its `start`, serves, and only then announces it.
    ///
    /// # Errors
    /// When an address is taken, or `start` fails; nothing keeps running then.
    pub async fn start(prepared: &Prepared, world: World) -> Result<Node, StartError> {
        let shutdown = Shutdown::new();
        // Each start has dice of its own: two services of one process, or one before and after a
        // restart, must not make up the same ids and idempotency keys.
        let start_id = world.env.dice.next_u64();
        let env = Env {
            dice: world
                .env
                .dice
                .branch(&format!("{} {start_id:x}", prepared.name)),
            shutdown: shutdown.clone(),
            ..world.env.clone()
        };
        let metrics = Metrics::new();
        let tasks = Tasks::with_metrics(&env, &metrics);
        let started = start(prepared, world, &env, &metrics, &tasks).await;
        if started.is_err() {
            shutdown.advance(Phase::Stopped);
            tasks.shutdown(Duration::ZERO).await;
        }
        started
    }

    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it takes calls.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it answers the operator.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Its health.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Its metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Drains: leaves the registry, waits `spread` for callers to notice, closes the listeners,
    /// lets calls and its own work finish, closes the log it keeps, ends the tasks, closes the
    /// stores.
    pub async fn stop(self, spread: Duration) -> Ended {
        let Node {
            shutdown,
            health,
            tasks,
            registration,
            mut served,
            stores,
            owned,
            provided,
            local,
            drain,
            metrics,
            name,
            ..
        } = self;
        let began = Instant::now();
        let mut working = owned.subscribe();
        let mut aborted = 0;
        let steps = vec![
            Work::new(drain::DEREGISTER, async {
                health.draining();
                shutdown.advance(Phase::Leaving);
                registration.deregister().await;
            }),
            Work::new(drain::SPREAD, tokio::time::sleep(spread)),
            Work::new(drain::CLOSE, async { shutdown.advance(Phase::Draining) }),
            Work::new(drain::CALLS, async {
                // The server bounds itself; it tells what it cut.
                drop(served.wait_for(Option::is_some).await);
            })
            .with_limit(drain + Duration::from_millis(500)),
            Work::new(drain::CONSUMERS, async {
                drop(working.wait_for(|working| *working == 0).await);
            }),
            Work::new(drain::ABORT, async {
                // Its tasks have to be there still.
                if let Some(provided) = provided {
                    provided.close().await;
                }
                shutdown.advance(Phase::Stopped);
                aborted = tasks
                    .shutdown(Duration::from_millis(200))
                    .await
                    .aborted
                    .len();
                if let Some((local, services)) = &local {
                    services.iter().for_each(|service| local.withdraw(service));
                }
                for store in &stores {
                    if let Err(error) = store.close().await {
                        tracing::warn!(error = %backlot_core::error::chain(&error), "the store did not close cleanly");
                    }
                }
            }),
        ];
        let late = drain::run(steps, &metrics).await;
        let outcome = *served.borrow();
        let ended = Ended {
            cut: outcome.map_or(1, |outcome| outcome.cut),
            aborted,
        };
        let late: Vec<_> = late.iter().map(|step| step.name).collect();
        let took = Instant::now().saturating_duration_since(began);
        if ended.is_clean() && late.is_empty() {
            tracing::debug!(service = name, ?took, "{name} has drained");
        } else {
            tracing::warn!(
                service = name,
                ?took,
                connections_cut = ended.cut,
                tasks_aborted = ended.aborted,
                steps_cut = late.join(", "),
                "{name} has drained, and something was cut"
            );
        }
        ended
    }
}

async fn start(
    prepared: &Prepared,
    world: World,
    env: &Env,
    metrics: &Metrics,
    tasks: &Tasks,
) -> Result<Node, StartError> {
    let server = &prepared.server;
    let listener = listen(
        prepared,
        env,
        server.listen.as_deref().unwrap_or("127.0.0.1:0"),
        "listen",
    )
    .await?;
    let admin = listen(
        prepared,
        env,
        server.admin.as_deref().unwrap_or("127.0.0.1:0"),
        "admin",
    )
    .await?;
    let (address, admin_address) = (
        local_addr(prepared, &*listener)?,
        local_addr(prepared, &*admin)?,
    );

    let advertised = server.advertise.clone();
    let advertised = advertised.unwrap_or_else(|| address.to_string());
    let announced_admin = reached_at(admin_address, &advertised);
    let health = Health::new();
    let instance = format!("{}-{:08x}", prepared.name, env.dice.next_u64() >> 32);
    let knobs = Knobs::of(prepared.calls.clone());
    let mut startup = Startup::new(
        (prepared.name, instance.clone(), address),
        world.clone(),
        env.clone(),
        tasks.clone(),
        metrics.clone(),
        health.clone(),
        Caller::new(metrics, env, tasks)
            .with_knobs(&knobs)
            .in_zone(&server.zone),
    );
    (prepared.start)(&mut startup).await?;

    let edge = edge(&startup, prepared.name, &world, env, tasks).tracing(env.dice.branch("edge"));
    let mut offered = std::mem::take(&mut startup.offered);
    offered.caller = startup.caller();
    let announced: Vec<_> = offered.announced().collect();
    let admin_edge = edge.clone();
    let limits = Limits {
        drain: server.drain,
        age: (!server.age.is_zero()).then_some(server.age),
        ..Limits::default()
    };
    let reflection = server
        .reflection
        .unwrap_or_else(|| address.ip().is_loopback());
    let mut calls = Server::new(edge, health.clone())
        .pages(startup.pages)
        .reflection(reflection)
        .limits(limits);
    let mut services = Vec::new();
    for mount in startup.mounts {
        let guard = Guard::new(mount.service(), metrics, env).with_silence(server.silence);
        let mount = mount.with_guard(Arc::new(guard));
        health.set_serving(mount.service().name, true);
        services.push(mount.service());
        if let Some(local) = &world.local {
            local.publish(mount.clone());
        }
        calls = calls.mount(mount);
    }
    let (done, served) = watch::channel(None);
    {
        let env = env.clone();
        let calls = calls.prepare()?;
        tasks.spawn("server", async move {
            let outcome = calls.run(listener, &env).await;
            done.send_replace(Some(outcome));
        });
    }
    {
        let env = env.clone();
        let mut router =
            rpc_admin::router(metrics.clone(), health.clone(), prepared.printed.clone());
        if !offered.is_empty() {
            let secret = (world.secrets)(admin::KEY)?;
            let configured = server.admin.clone().unwrap_or_default();
            let at = [configured, announced_admin.clone()];
            let access = Access::new(admin_edge, &secret, at, env.clock.clone());
            router = router.merge(offered.router(access));
        }
        let admin_server = Server::new(Edge::anonymous(), health.clone())
            .pages(router)
            .prepare()?;
        tasks.spawn("admin server", async move {
            admin_server.run(admin, &env).await;
        });
    }
    health.keep_beating(tasks, &env.shutdown);
    health.started();
    let slot = world.broker.clone();
    let provided = startup.provided.map(|(engine, queues)| {
        if let Some(slot) = &slot {
            slot.publish(Arc::clone(&engine), queues);
        }
        Provided { engine, slot }
    });
    let owned = begin(startup.owned, env, tasks);

    let registration = world.registry.register(Instance {
        id: instance,
        service: prepared.name.to_owned(),
        address: advertised,
        version: prepared.owner.version.to_owned(),
        metadata: [
            (admin::client::ADDRESS.to_owned(), announced_admin),
            ("owner".to_owned(), prepared.owner.team.to_owned()),
        ]
        .into_iter()
        .chain((!server.zone.is_empty()).then(|| (ZONE.to_owned(), server.zone.clone())))
        .chain(announced)
        .collect(),
    });
    Ok(Node {
        name: prepared.name,
        address,
        admin: admin_address,
        shutdown: env.shutdown.clone(),
        health,
        metrics: metrics.clone(),
        tasks: tasks.clone(),
        registration,
        served,
        stores: startup.stores,
        owned,
        provided,
        local: world.local.map(|local| (local, services)),
        drain: server.drain,
    })
}

/// Begins a service's own work; how much of it goes on.
fn begin(owned: Vec<Owned>, env: &Env, tasks: &Tasks) -> watch::Sender<usize> {
    struct Ended(watch::Sender<usize>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.send_modify(|working| *working -= 1);
        }
    }
    let working = watch::Sender::new(owned.len());
    for Owned { name, work } in owned {
        let shutdown = env.shutdown.clone();
        let ended = Ended(working.clone());
        let work = work(Box::pin(async move {
            shutdown.reached(Phase::Draining).await;
        }));
        tasks.spawn(name, async move {
            // However it ends, also when it is dropped before it began.
            let _ended = ended;
            work.await;
        });
    }
    working
}

fn edge(
    startup: &Startup,
    audience: &'static str,
    world: &World,
    env: &Env,
    tasks: &Tasks,
) -> Edge {
    let identity = &world.identity;
    if identity.issuer.is_empty() {
        return Edge::anonymous();
    }
    let source = startup.client_of::<KeySetClient>(&identity.service);
    let keys = Keys::fetching(source, tasks, env.dice.branch("identity keys"));
    Edge::new(Arc::new(Verifier::new(
        identity.issuer.clone(),
        audience,
        keys,
        env.clock.clone(),
    )))
}

async fn listen(
    prepared: &Prepared,
    env: &Env,
    address: &str,
    key: &'static str,
) -> Result<Box<dyn Listener>, StartError> {
    env.net.bind(address).await.map_err(|source| {
        let key = format!("{}.server.{key}", prepared.name);
        let cure = match source.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!("another program listens there; stop it, or set {key}")
            }
            std::io::ErrorKind::PermissionDenied => {
                format!("this user may not; set {key} to a port above 1023")
            }
            std::io::ErrorKind::AddrNotAvailable => {
                format!("this machine has no such address; set {key}")
            }
            _ => format!("set {key}"),
        };
        StartError::Listen {
            service: prepared.name,
            address: address.to_owned(),
            cure,
            source,
        }
    })
}

/// Where others reach what listens at `address`: everywhere means at the host that calls go to.
fn reached_at(address: SocketAddr, advertised: &str) -> String {
    match advertised.rsplit_once(':') {
        Some((host, _)) if address.ip().is_unspecified() => format!("{host}:{}", address.port()),
        _ => address.to_string(),
    }
}

fn local_addr(prepared: &Prepared, listener: &dyn Listener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Listen {
        service: prepared.name,
        address: "an address".to_owned(),
        cure: "the system cannot tell where it listens".to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_reached_where_calls_go() {
        let at = |address: &str, advertised| reached_at(address.parse().unwrap(), advertised);
        assert_eq!(at("0.0.0.0:8093", "movie-1:8083"), "movie-1:8093");
        assert_eq!(at("[::]:8093", "[fd00::1]:8083"), "[fd00::1]:8093");
        assert_eq!(at("127.0.0.1:8093", "movie-1:8083"), "127.0.0.1:8093");
    }
}
