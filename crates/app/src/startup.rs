//! What `start` is handed: everything a service takes from outside.

use crate::admin::{Offered, Show};
use crate::outdating::Outdating;
use crate::{StartError, StoreConfig, World, relay};
use backlot_broker::contract::{BrokerClient, QueueClient};
use backlot_cache::{Cache, Source};
use backlot_cluster::Registry;
use backlot_core::{BoxFuture, Clock, Dice, Env};
use backlot_messaging::consume::{Consume, Consumer, Group, Setup, Work};
use backlot_messaging::follow::{Follow, Follower};
use backlot_messaging::outbox::Carrier;
use backlot_messaging::pull::{self, Queues};
use backlot_messaging::{Bus, Engine, Event};
use backlot_rpc::{Binding, Caller, Client, Mount, Remote};
use backlot_service::Finishing;
use backlot_service::health::Health;
use backlot_service::tasks::Tasks;
use backlot_service::telemetry::Metrics;
use backlot_storage::outbox::{self, Relay};
use backlot_storage::{Dialect, Migrations, Store};
use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long a relay sends what waits when the service stops: what is left is sent after its next
/// start, and its consumers have only as long.
const RELAY_DRAIN: Duration = Duration::from_secs(3);

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
    /// The name of this instance among others of the service.
    instance: String,
    /// Where it listens.
    address: SocketAddr,
    world: World,
    env: Env,
    tasks: Tasks,
    metrics: Metrics,
    health: Health,
    /// What clients of other services share.
    caller: Caller,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) pages: axum::Router,
    pub(crate) stores: Vec<Store>,
    pub(crate) owned: Vec<Owned>,
    /// What it has for operators.
    pub(crate) offered: Offered,
    /// The log that this service keeps.
    pub(crate) provided: Option<(Arc<dyn Engine>, Arc<dyn Queues>)>,
    /// The log that this service uses.
    engine: OnceLock<Arc<dyn Engine>>,
}

impl Startup {
    pub(crate) fn new(
        (service, instance, address): (&'static str, String, SocketAddr),
        world: World,
        env: Env,
        tasks: Tasks,
        metrics: Metrics,
        health: Health,
        caller: Caller,
    ) -> Self {
        Startup {
            service,
            instance,
            address,
            world,
            env,
            tasks,
            metrics,
            health,
            caller,
            mounts: Vec::new(),
            pages: axum::Router::new(),
            stores: Vec::new(),
            owned: Vec::new(),
            offered: Offered::default(),
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
        let store = store.originating(self.service, self.env.dice.split());
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
                Binding::Remote(Remote::new(C::SERVICE, target, instances, &self.caller))
            }
        })
    }

    /// How it calls others over the network, if it does.
    pub(crate) fn caller(&self) -> Option<Caller> {
        let calls = !self.caller.targets().is_empty();
        calls.then(|| self.caller.clone())
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
                let queues = self.client_of::<QueueClient>(crate::broker::NAME);
                Arc::new(remote.with_queues(queues))
            }
        };
        Ok(Arc::clone(self.engine.get_or_init(|| engine)))
    }

    /// Publishes events to the system's log where there is no transaction to publish them with.
    ///
    /// # Errors
    /// As [`engine`](Startup::engine).
    pub fn bus(&self) -> Result<Bus, StartError> {
        Ok(Bus::new(self.engine()?, self.service, &self.env))
    }

    /// Sends what transactions of this store publish, [`topics`](Carrier::topic) made when they are
    /// not there: `cx.relay(&store, |carrier| carrier.topic::<RatingsChanged>())?`. Once for each
    /// store; of several instances over one database one sends at a time.
    ///
    /// # Errors
    /// As [`engine`](Startup::engine).
    pub fn relay(
        &mut self,
        store: &Store,
        topics: impl FnOnce(Carrier) -> Carrier,
    ) -> Result<(), StartError> {
        let carrier = topics(Carrier::new(self.engine()?, self.env.clock.clone()));
        // A file is one instance's, which need not wait for what it held before it was started
        // anew; of a database that others share each instance is one of several.
        let owner = match store.dialect() {
            Dialect::Sqlite => self.service.to_owned(),
            _ => self.instance.clone(),
        };
        let relay = Relay::new(
            store,
            carrier,
            owner,
            self.env.dice.split(),
            outbox::Options {
                drain: RELAY_DRAIN,
                ..outbox::Options::default()
            },
        );
        let (clock, metrics) = (self.env.clock.clone(), self.metrics.clone());
        self.own("relay", |stop| relay::run(relay, stop, clock, metrics));
        Ok(())
    }

    /// Makes the effects of events in this store, each once, from when the service serves until it
    /// drains.
    ///
    /// # Errors
    /// When the log does not promise what the group asks for; and as [`engine`](Startup::engine).
    pub fn consume<E: Event>(
        &mut self,
        group: Group,
        store: &Store,
        handler: impl Consume<E>,
    ) -> Result<(), StartError> {
        let name = format!("consumer {}", group.name());
        let consumer = Consumer::consuming(&self.setup()?, group, store.clone(), handler)
            .map_err(backlot_core::Error::from)?;
        self.own(name, |stop| consumer.run(stop));
        Ok(())
    }

    /// Does the work that events ask for, each at least once. Work in no order is pulled from the
    /// group's queue message by message, by as many instances as there are, and has of the group what
    /// [`Worker`](pull::Worker) says; work in order comes by partitions.
    ///
    /// # Errors
    /// As [`consume`](Startup::consume).
    pub fn work<E: Event>(&mut self, group: Group, worker: impl Work<E>) -> Result<(), StartError> {
        let (name, setup) = (format!("worker {}", group.name()), self.setup()?);
        match setup.engine.queues() {
            Some(queues) if group.is_unordered() => {
                let worker = pull::Worker::new(&setup, queues, group, worker)
                    .map_err(backlot_core::Error::from)?;
                self.own(name, |stop| worker.run(stop));
            }
            _ => {
                let consumer =
                    Consumer::working(&setup, group, worker).map_err(backlot_core::Error::from)?;
                self.own(name, |stop| consumer.run(stop));
            }
        }
        Ok(())
    }

    /// Is told what is published from now on, as every instance is; `name` is for people.
    ///
    /// # Errors
    /// As [`engine`](Startup::engine).
    pub fn follow<E: Event>(
        &mut self,
        name: &str,
        follower: impl Follow<E>,
    ) -> Result<(), StartError> {
        let follower = Follower::new(&self.setup()?, name, follower);
        self.own(format!("follower {name}"), |stop| follower.run(stop));
        Ok(())
    }

    /// A cache in front of a source, announced to operators under the source's name. Its values are
    /// fetched under this service's own name, for nobody in particular: what it holds has to be the
    /// same for everyone who may ask.
    #[must_use]
    pub fn cache<S: Source>(&mut self, source: S, options: &backlot_cache::Options) -> Cache<S> {
        let setup = backlot_cache::Setup {
            env: self.env.clone(),
            tasks: self.tasks.clone(),
            metrics: self.metrics.clone(),
            service: self.service,
        };
        let cache = Cache::new(&setup, source, options.clone());
        self.offered.caches.push(Arc::new(cache.clone()));
        cache
    }

    /// Values of the cache are outdated by events: `changed` says which keys one changed, and to
    /// which version if it is known. While the log is away the cache goes by its times alone;
    /// afterwards everything in it is fetched anew before it is served as fresh.
    ///
    /// # Errors
    /// As [`engine`](Startup::engine).
    pub fn outdate<E: Event, S: Source, K>(
        &mut self,
        cache: &Cache<S>,
        changed: impl Fn(E) -> K + Send + Sync + 'static,
    ) -> Result<(), StartError>
    where
        K: IntoIterator<Item = (S::Key, Option<u64>)>,
    {
        let outdating = Outdating::new(cache.clone(), changed);
        self.follow::<E>(&format!("{}-cache", S::NAME), outdating)
    }

    /// Shows operators a table, under a name that is one of the service's.
    pub fn panel(&mut self, name: &'static str, panel: impl Show) {
        self.offered.panels.push((name, Arc::new(panel)));
    }

    /// What consumers stand on, for those that begin while the service runs.
    ///
    /// # Errors
    /// As [`engine`](Startup::engine).
    pub fn setup(&self) -> Result<Setup, StartError> {
        Ok(self.setup_over(self.engine()?))
    }

    /// What consumers of this log stand on.
    pub(crate) fn setup_over(&self, engine: Arc<dyn Engine>) -> Setup {
        Setup {
            engine,
            service: self.service,
            member: self.instance.clone(),
            env: self.env.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// Gives the services of the same process a log of events, and its queues. It is closed when this
    /// service has answered its last call, before its tasks end.
    pub fn provide(&mut self, engine: Arc<dyn Engine>, queues: Arc<dyn Queues>) {
        self.provided = Some((engine, queues));
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

    /// Work that comes to its end once it has begun, whoever still waits for it: a drain does, as for
    /// the service's other own work.
    pub fn finishing<T: Clone + Send + Sync + 'static>(
        &mut self,
        name: &'static str,
    ) -> Finishing<T> {
        let finishing = Finishing::new(name, &self.tasks);
        let under_way = finishing.clone();
        self.own(name, |stop| async move {
            stop.await;
            under_way.idle().await;
        });
        finishing
    }

    /// A secret of 32 bytes, made on first use and the same ever after.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn secret(&self, name: &str) -> Result<[u8; 32], StartError> {
        (self.world.secrets)(name)
    }

    /// Who knows which instances there are, of every service.
    #[must_use]
    pub fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.world.registry)
    }

    /// Whether the service listens on loopback alone: what anybody may see there who can reach it
    /// needs no more than that.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Where the service listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
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
