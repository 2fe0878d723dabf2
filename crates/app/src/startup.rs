//! What `start` is handed: everything a service takes from outside.

use crate::{StartError, StoreConfig, World};
use backlot_core::{Clock, Dice, Env};
use backlot_rpc::{Binding, Client, Mount, Remote};
use backlot_service::health::Health;
use backlot_service::tasks::Tasks;
use backlot_service::telemetry::Metrics;
use backlot_storage::{Migrations, Store};

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
