//! Gathers what is shown: often while somebody looks, now and then otherwise, so that there is a
//! past to show.

use crate::history::History;
use crate::snapshot::{
    self, CacheRow, CallsRow, InstanceRow, PanelRow, Part, ServiceRow, Snapshot,
};
use backlot_app::admin::client::{self, Client, Health, Pass};
use backlot_app::admin::{Calls, Turned};
use backlot_cache::Report;
use backlot_cluster::Registry;
use backlot_core::discovery::{Instance, InstanceSet};
use backlot_core::net::Network;
use backlot_core::{Clock, Env, Error};
use backlot_messaging::Engine;
use futures_util::future::join_all;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Between two samples while somebody looks.
const OFTEN: Duration = Duration::from_millis(500);
/// The same while nobody does.
const SELDOM: Duration = Duration::from_secs(10);
/// How long an instance may take to say how it is.
const PROBE: Duration = Duration::from_millis(800);
/// How many instances are asked at once.
const AT_ONCE: usize = 32;

/// Gathers snapshots. Clones share it.
#[derive(Clone)]
pub(crate) struct Sampler(Arc<Inner>);

struct Inner {
    engine: Arc<dyn Engine>,
    registry: Arc<dyn Registry>,
    net: Arc<dyn Network>,
    /// What operators show instances.
    pass: Pass,
    clock: Clock,
    latest: watch::Sender<Arc<Snapshot>>,
    viewers: AtomicUsize,
    came: Notify,
    state: tokio::sync::Mutex<State>,
    history: Mutex<History>,
}

#[derive(Default)]
struct State {
    /// When the last sample began.
    began: Option<Instant>,
    /// The instances of each service that was ever seen.
    watches: BTreeMap<String, watch::Receiver<InstanceSet>>,
    /// Connections to the operators' ports of instances.
    probes: BTreeMap<String, Client>,
}

/// What an instance says of itself.
struct Said {
    health: Health,
    caches: Vec<Report>,
    calls: Option<Calls>,
    panels: Vec<PanelRow>,
}

/// What the instances of all services say.
#[derive(Default)]
struct All {
    services: Vec<ServiceRow>,
    caches: Vec<CacheRow>,
    calls: Vec<CallsRow>,
    panels: Vec<PanelRow>,
}

/// Somebody who looks, until it is dropped.
pub(crate) struct Viewer(Arc<Inner>, pub(crate) watch::Receiver<Arc<Snapshot>>);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sampler {
    pub(crate) fn new(
        engine: Arc<dyn Engine>,
        registry: Arc<dyn Registry>,
        secret: [u8; 32],
        env: &Env,
    ) -> Self {
        let nothing = Snapshot {
            at: env.clock.wall(),
            services: Ok(Vec::new()),
            caches: Vec::new(),
            calls: Vec::new(),
            panels: Vec::new(),
            groups: Ok(Vec::new()),
            dead: Ok(Vec::new()),
            queues: Ok(Vec::new()),
        };
        Sampler(Arc::new(Inner {
            engine,
            registry,
            net: Arc::clone(&env.net),
            pass: Pass::new(secret, env.clock.clone()),
            clock: env.clock.clone(),
            latest: watch::Sender::new(Arc::new(nothing)),
            viewers: AtomicUsize::new(0),
            came: Notify::new(),
            state: tokio::sync::Mutex::default(),
            history: Mutex::default(),
        }))
    }

    /// Looks on: samples come often from now on.
    pub(crate) fn look(&self) -> Viewer {
        self.0.viewers.fetch_add(1, Ordering::Relaxed);
        self.0.came.notify_one();
        Viewer(Arc::clone(&self.0), self.0.latest.subscribe())
    }

    /// What is known now.
    pub(crate) async fn sample(&self) -> Arc<Snapshot> {
        let came = Instant::now();
        let mut state = self.0.state.lock().await;
        // Of those who waited for each other one looks, and the others take what that one saw.
        if state.began.is_some_and(|began| began >= came) {
            return Arc::clone(&self.0.latest.borrow());
        }
        state.began = Some(Instant::now());
        let engine = &*self.0.engine;
        let (services, groups, dead, queues) = tokio::join!(
            self.0.services(&mut state),
            snapshot::groups(engine),
            snapshot::dead(engine),
            snapshot::queues(engine),
        );
        let groups = groups.map(|mut groups| {
            let mut history = self.0.history.lock();
            history.add(groups.iter().map(|row| (&*row.topic, &*row.group, row.lag)));
            for row in &mut groups {
                row.line = history.line(&row.topic, &row.group);
            }
            groups
        });
        let (all, away) = match services {
            Ok(all) => (all, None),
            Err(why) => (All::default(), Some(why)),
        };
        let sampled = Arc::new(Snapshot {
            at: self.0.clock.wall(),
            services: away.map_or(Ok(all.services), Err),
            caches: all.caches,
            calls: all.calls,
            panels: all.panels,
            groups,
            dead,
            queues,
        });
        self.0.latest.send_replace(Arc::clone(&sampled));
        sampled
    }

    /// Samples for ever.
    pub(crate) async fn run(&self) {
        loop {
            self.sample().await;
            match self.0.viewers.load(Ordering::Relaxed) {
                0 => {
                    tokio::select! {
                        biased;
                        () = self.0.came.notified() => {}
                        () = tokio::time::sleep(SELDOM) => {}
                    }
                }
                _ => tokio::time::sleep(OFTEN).await,
            }
        }
    }
}

/// What became of asking an instance for something.
pub(crate) struct Answered<T> {
    pub(crate) instance: String,
    pub(crate) outcome: Result<T, Error>,
}

impl<T> Answered<T> {
    /// What went wrong, for people.
    pub(crate) fn failure(&self) -> Option<String> {
        let error = self.outcome.as_ref().err()?;
        Some(format!("{} did not: {}", self.instance, error.message()))
    }
}

impl Sampler {
    /// Has every instance of a service forget what a cache holds of a key, or all.
    pub(crate) async fn forget(
        &self,
        service: &str,
        cache: &str,
        key: Option<&str>,
    ) -> Vec<Answered<u64>> {
        let holds = |instance: &Instance| client::caches(instance).any(|name| name == cache);
        self.ask_all(service, holds, |mut client| async move {
            client.forget(cache, key, PROBE).await
        })
        .await
    }

    /// Has every instance of a service turn a knob of its calls; to what its configuration says
    /// where no value is given.
    pub(crate) async fn turn(
        &self,
        service: &str,
        knob: (&str, Option<&str>),
        value: Option<&str>,
    ) -> Vec<Answered<Turned>> {
        self.ask_all(service, client::makes_calls, |mut client| async move {
            client.turn(knob, value, PROBE).await
        })
        .await
    }

    /// Asks every instance of a service of which something is so.
    async fn ask_all<T, F>(
        &self,
        service: &str,
        is_asked: impl Fn(&Instance) -> bool,
        ask: impl Fn(Client) -> F,
    ) -> Vec<Answered<T>>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let sample = self.sample().await;
        let services = sample.services.iter().flatten();
        let instances = services
            .filter(|row| row.name == service)
            .flat_map(|row| &row.instances)
            .map(|row| &row.instance)
            .filter(|instance| is_asked(instance));
        let mut asking = Vec::new();
        for instance in instances {
            let answer = client::address(instance).map(|at| ask(self.0.client(at)));
            let instance = instance.id.clone();
            asking.push(async move {
                let outcome = match answer {
                    Some(answer) => answer.await,
                    None => Err(Error::unavailable("it does not say where it is asked")),
                };
                Answered { instance, outcome }
            });
        }
        join_all(asking).await
    }
}

impl Inner {
    async fn services(&self, state: &mut State) -> Part<All> {
        let names = tokio::time::timeout(PROBE, self.registry.services()).await;
        // Those that are known already are shown while the registry is away.
        if let Ok(Ok(names)) = names {
            let resolver = self.registry.resolver();
            for name in names {
                state
                    .watches
                    .entry(name)
                    .or_insert_with_key(|name| resolver.watch(name));
            }
        } else if state.watches.is_empty() {
            return Err("the registry does not answer".to_owned());
        }
        let sets: Vec<(String, InstanceSet)> = state
            .watches
            .iter()
            .map(|(name, watch)| (name.clone(), watch.borrow().clone()))
            .filter(|(_, set)| !set.instances.is_empty())
            .collect();
        let mut said = self.ask(state, &sets).await;
        let mut all = All::default();
        for (name, set) in sets {
            let mut instances = Vec::new();
            for instance in set.instances.iter() {
                let address = client::address(instance);
                let said = address.and_then(|address| said.remove(address));
                let said = said.unwrap_or(Said {
                    health: Health::Unknown,
                    caches: Vec::new(),
                    calls: None,
                    panels: Vec::new(),
                });
                let health = said.health;
                snapshot::add_caches(&mut all.caches, instance, &said.caches);
                if client::makes_calls(instance) {
                    snapshot::add_calls(&mut all.calls, instance, said.calls);
                }
                snapshot::add_panels(&mut all.panels, said.panels);
                let instance = instance.clone();
                instances.push(InstanceRow { instance, health });
            }
            all.services.push(ServiceRow {
                name,
                is_stale: set.stale,
                instances,
            });
        }
        Ok(all)
    }

    /// Asks every instance how it is, a few at a time; what they say, by where they were asked.
    async fn ask(
        &self,
        state: &mut State,
        sets: &[(String, InstanceSet)],
    ) -> BTreeMap<String, Said> {
        let instances = sets.iter().flat_map(|(_, set)| set.instances.iter());
        let mut asked: Vec<(String, &Instance, Client)> = Vec::new();
        let mut known = std::mem::take(&mut state.probes);
        for instance in instances {
            if let Some(address) = client::address(instance) {
                let probe = known.remove(address);
                let probe = probe.unwrap_or_else(|| self.client(address));
                asked.push((address.to_owned(), instance, probe));
            }
        }
        let mut said = BTreeMap::new();
        for some in asked.chunks_mut(AT_ONCE) {
            let asking = some.iter_mut().map(|(address, instance, probe)| async {
                (address.clone(), says(probe, instance).await)
            });
            said.extend(join_all(asking).await);
        }
        let probes = asked
            .into_iter()
            .map(|(address, _, probe)| (address, probe));
        state.probes.extend(probes);
        said
    }

    fn client(&self, address: &str) -> Client {
        Client::new(Arc::clone(&self.net), address, self.pass.clone())
    }
}

/// What an instance says within the time that one probe may take.
async fn says(probe: &mut Client, instance: &Instance) -> Said {
    let end = Instant::now() + PROBE;
    let left = || end.saturating_duration_since(Instant::now());
    let mut said = Said {
        health: probe.health(left()).await,
        caches: Vec::new(),
        calls: None,
        panels: Vec::new(),
    };
    if said.health == Health::Silent {
        return said;
    }
    if client::has_caches(instance) {
        // What cannot be had is not known.
        said.caches = probe.caches(left()).await.unwrap_or_default();
    }
    if client::makes_calls(instance) {
        said.calls = probe.calls(left()).await.ok();
    }
    for name in client::panels(instance) {
        let panel = probe.panel(name, left()).await;
        said.panels.push(PanelRow {
            service: instance.service.clone(),
            name: name.to_owned(),
            panel: panel.map_err(|error| error.message().to_owned()),
        });
    }
    said
}
