//! What `start` is handed: everything a service takes from outside.

use crate::{StartError, StoreConfig, World};
use backlot_broker::contract::BrokerClient;
use backlot_core::{BoxFuture, Clock, Dice, Env};
use backlot_messaging::Engine;
use backlot_rpc::{Binding, Client, Mount, Remote};
use backlot_service::health::Health;
use backlot_service::tasks::Tasks;
use backlot_service::telemetry::Metrics;
use backlot_storage::{Migrations, Store};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Ends when a service has to stop: what it does besides answering calls takes nothing new then,
/// and finishes what it has.
pub type Stop = BoxFuture<'static, ()>;

/// Work that a service does besides answering calls.
pub(crate) struct Owned {
    pub(crate) name: Cow<'static, str>,
    pub(crate) work: Box<dyn FnOnce(Stop) -> BoxFuture<'static, ()> + Send>,
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Owned").field(&self.name).finish()
    }
}

/// The outside of a starting service, and what it offers to the outside.
#[derive(Debug)]
pub struct Startup {
    service: &'static str,
    world: World,
    env: Env,
    tasks: Tasks,
    metrics: Metrics,
    health: Health,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) pages: axum::Router,
    pub(crate) stores: Vec<Store>,
    pub(crate) owned: Vec<Owned>,
    /// The log that this service keeps.
    pub(crate) provided: Option<Arc<dyn Engine>>,
    /// The log that this service uses.
    engine: OnceLock<Arc<dyn Engine>>,
}

impl Startup {
    pub(crate) fn new(
        service: &'static str,
        world: World,
        env: Env,
        tasks: Tasks,
        metrics: Metrics,
        health: Health,
    ) -> Self {
        Startup {
            service,
            world,
            env,
            tasks,
            metrics,
            health,
            mounts: Vec::new(),
            pages: axum::Router::new(),
            stores: Vec::new(),
            owned: Vec::new(),
            provided: None,
            engine: OnceLock::new(),
        }
    }

    /// The service's store, with its schema brought up to date.
    ///
    /// # Errors
    /// When it cannot be opened, saying why and what to do.
    pub async fn store(
        &mut self,
        config: &StoreConfig,
        migrations: Migrations,
    ) -> Result<Store, StartError> {
        let opened = self
            .world
            .stores
            .open(self.service, config, migrations, &self.env)
            .await;
        let store = opened.map_err(|source| StartError::Store {
            service: self.service,
            source,
        })?;
        self.stores.push(store.clone());
        Ok(store)
    }

    /// A client of another service, by the name its contract gives it.
    #[must_use]
    pub fn client<C: Client>(&self) -> C {
        self.client_of(C::SERVICE.target)
    }

    /// A client of whoever serves the contract under the discovery name `target`.
    #[must_use]
    pub fn client_of<C: Client>(&self, target: &str) -> C {
        C::bind(match &self.world.local {
            Some(local) => Binding::Direct(local.binding(C::SERVICE, self.env.dice.branch(target))),
            None => {
                let instances = self.world.registry.resolver().watch(target);
                Binding::Remote(Remote::new(
                    C::SERVICE,
                    target,
                    instances,
                    &self.metrics,
                    &self.env,
                    &self.tasks,
                ))
            }
        })
    }

    /// Serves a contract: over gRPC and REST on the service's port, and directly to the services of
    /// the same process.
    pub fn serve(&mut self, mount: Mount) {
        self.mounts.push(mount);
    }

    /// Serves pages on the same port, behind the REST routes of the contracts.
    pub fn routes(&mut self, pages: axum::Router) {
        self.pages = std::mem::take(&mut self.pages).merge(pages);
    }

    /// The system's log of events: that of this process, or the broker's of another.
    ///
    /// While the broker is away its calls say so, and whoever reads attaches anew when it is back.
    ///
    /// # Errors
    /// When the broker's secret cannot be read or made.
    pub fn engine(&self) -> Result<Arc<dyn Engine>, StartError> {
        if let Some(engine) = self.engine.get() {
            return Ok(Arc::clone(engine));
        }
        let engine: Arc<dyn Engine> = match &self.world.broker {
            Some(slot) => Arc::new(slot.clone()),
            None => {
                let client = self.client_of::<BrokerClient>(crate::broker::NAME);
                let secret = self.secret(crate::broker::KEY)?;
                let remote = backlot_broker::Remote::new(client, secret, &self.env, &self.tasks);
                Arc::new(remote)
            }
        };
        Ok(Arc::clone(self.engine.get_or_init(|| engine)))
    }

    /// Gives the services of the same process a log of events. It is closed when this service has
    /// answered its last call, before its tasks end.
    pub fn provide(&mut self, engine: Arc<dyn Engine>) {
        self.provided = Some(engine);
    }

    /// Work that begins when the service serves, and goes on until it has to stop: a consumer, a
    /// relay. It is handed a future that ends then, and has five seconds to finish what it has
    /// before it is aborted; stores are closed after it. Work that ends by itself stays ended.
    pub fn own<F>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        work: impl FnOnce(Stop) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        self.owned.push(Owned {
            name: name.into(),
            work: Box::new(move |stop| Box::pin(work(stop))),
        });
    }

    /// A secret of 32 bytes, made on first use and the same ever after.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn secret(&self, name: &str) -> Result<[u8; 32], StartError> {
        (self.world.secrets)(name)
    }

    /// The seams to the outside. Its shutdown is this service's own.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// Wall time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.env.clock
    }

    /// Randomness for one component.
    #[must_use]
    pub fn dice(&self, label: &str) -> Dice {
        self.env.dice.branch(label)
    }

    /// Owns the service's long-lived work.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// The service's metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The service's health.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }
}
