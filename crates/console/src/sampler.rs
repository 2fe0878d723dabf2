//! Gathers what is shown: often while somebody looks, now and then otherwise, so that there is a
//! past to show.

use crate::history::History;
use crate::snapshot::{self, Health, InstanceRow, Part, ServiceRow, Snapshot};
use backlot_cluster::Registry;
use backlot_cluster::http1::Http;
use backlot_core::discovery::{Instance, InstanceSet};
use backlot_core::net::Network;
use backlot_core::{Clock, Env};
use backlot_messaging::Engine;
use futures_util::future::join_all;
use http::{Method, StatusCode};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};

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
    clock: Clock,
    latest: watch::Sender<Arc<Snapshot>>,
    viewers: AtomicUsize,
    came: Notify,
    state: tokio::sync::Mutex<State>,
    history: Mutex<History>,
}

#[derive(Default)]
struct State {
    /// The instances of each service that was ever seen.
    watches: BTreeMap<String, watch::Receiver<InstanceSet>>,
    /// Connections to the operators' ports of instances.
    probes: BTreeMap<String, Http>,
}

/// Somebody who looks, until it is dropped.
pub(crate) struct Viewer(Arc<Inner>, pub(crate) watch::Receiver<Arc<Snapshot>>);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sampler {
    pub(crate) fn new(engine: Arc<dyn Engine>, registry: Arc<dyn Registry>, env: &Env) -> Self {
        let nothing = Snapshot {
            at: env.clock.wall(),
            services: Ok(Vec::new()),
            groups: Ok(Vec::new()),
            dead: Ok(Vec::new()),
            queues: Ok(Vec::new()),
        };
        Sampler(Arc::new(Inner {
            engine,
            registry,
            net: Arc::clone(&env.net),
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
        let mut state = self.0.state.lock().await;
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
        let sampled = Arc::new(Snapshot {
            at: self.0.clock.wall(),
            services,
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

impl Inner {
    async fn services(&self, state: &mut State) -> Part<Vec<ServiceRow>> {
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
            .collect();
        let admins = sets.iter().flat_map(|(_, set)| set.instances.iter());
        let admins: Vec<String> = admins.filter_map(admin).collect();
        state.probes.retain(|address, _| admins.contains(address));
        let mut healths = BTreeMap::new();
        let mut probes: Vec<(String, Http)> = admins
            .into_iter()
            .map(|address| {
                let known = state.probes.remove(&address);
                let probe = known.unwrap_or_else(|| Http::new(Arc::clone(&self.net), &*address));
                (address, probe)
            })
            .collect();
        for some in probes.chunks_mut(AT_ONCE) {
            let asking = some
                .iter_mut()
                .map(|(address, probe)| async { (address.clone(), health(probe).await) });
            healths.extend(join_all(asking).await);
        }
        state.probes.extend(probes);
        let rows = sets
            .into_iter()
            .filter(|(_, set)| !set.instances.is_empty());
        Ok(rows
            .map(|(name, set)| ServiceRow {
                name,
                is_stale: set.stale,
                instances: set
                    .instances
                    .iter()
                    .map(|instance| InstanceRow {
                        health: admin(instance)
                            .and_then(|address| healths.get(&address).cloned())
                            .unwrap_or(Health::Unknown),
                        instance: instance.clone(),
                    })
                    .collect(),
            })
            .collect())
    }
}

/// Where an instance answers its operator.
fn admin(instance: &Instance) -> Option<String> {
    instance.metadata.get("admin").cloned()
}

async fn health(probe: &mut Http) -> Health {
    let Ok(answer) = probe
        .exchange(Method::GET, "/ready", Vec::new(), PROBE)
        .await
    else {
        return Health::Silent;
    };
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let degraded: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("degraded: "))
        .collect();
    match answer.status {
        StatusCode::OK if degraded.is_empty() => Health::Ready,
        StatusCode::OK => Health::Degraded(degraded.join("; ")),
        _ if degraded.is_empty() => Health::NotReady("it says nothing more".to_owned()),
        _ => Health::NotReady(degraded.join("; ")),
    }
}
