//! The endpoints of one service: follows the instances, keeps a connection to each, picks one.

use super::endpoint::{Endpoint, State};
use super::exchange::Call;
use crate::binding::Unmade;
use arc_swap::ArcSwap;
use backlot_core::discovery::InstanceSet;
use backlot_core::{Deadline, Env, Error};
use backlot_service::tasks::{Task, Tasks};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a call waits for a connection that is being made, and how long after the last instance
/// left calls wait for the next one to come. Later they fail at once: their callers answer without.
const FIRST_CONNECTION: Duration = Duration::from_millis(1500);

pub(super) struct EndpointSet {
    target: String,
    shared: Arc<Shared>,
    /// Follows the instances; ends with the set.
    _follower: Owned,
}

struct Shared {
    endpoints: ArcSwap<Vec<Kept>>,
    /// Since when no instance is known, if so.
    vacant: Mutex<Option<Instant>>,
    next: AtomicUsize,
    /// Moves whenever an endpoint comes, goes or changes its state.
    changed: watch::Sender<u64>,
}

#[derive(Clone)]
struct Kept {
    endpoint: Arc<Endpoint>,
    state: watch::Receiver<State>,
    /// Ends when neither the set nor a call needs the endpoint.
    keeper: Held,
}

/// A call over one connection, which stays for as long as this does: an instance that leaves the
/// registry answers what it was asked.
pub(super) struct Ready {
    pub(super) call: Call,
    pub(super) held: Held,
}

/// Keeps a connection.
pub(super) type Held = Arc<Owned>;

/// A task that ends with its owner.
pub(super) struct Owned(Task);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl EndpointSet {
    pub(super) fn new(
        target: &str,
        mut instances: watch::Receiver<InstanceSet>,
        env: &Env,
        tasks: &Tasks,
    ) -> Self {
        let shared = Arc::new(Shared {
            endpoints: ArcSwap::default(),
            vacant: Mutex::new(Some(Instant::now())),
            next: AtomicUsize::new(0),
            changed: watch::Sender::new(0),
        });
        let follower = {
            let (shared, env, spawner, target) = (
                Arc::clone(&shared),
                env.clone(),
                tasks.clone(),
                target.to_owned(),
            );
            Owned(
                tasks.spawn_endless(format!("endpoints of {target}"), async move {
                    loop {
                        let set = instances.borrow_and_update().clone();
                        shared.apply(&target, &set, &env, &spawner);
                        if instances.changed().await.is_err() {
                            // The resolver ended: the last set serves on.
                            std::future::pending::<()>().await;
                        }
                    }
                }),
            )
        };
        EndpointSet {
            target: target.to_owned(),
            shared,
            _follower: follower,
        }
    }

    /// A call over the next ready endpoint in turn.
    pub(super) async fn ready(&self, deadline: Deadline) -> Result<Ready, Error> {
        if let Some(ready) = self.shared.pick() {
            return Ok(ready);
        }
        let mut changed = self.shared.changed.subscribe();
        let wait = async {
            loop {
                changed.mark_unchanged();
                if let Some(ready) = self.shared.pick() {
                    return Some(ready);
                }
                if self.shared.all_failed() || changed.changed().await.is_err() {
                    return None;
                }
            }
        };
        let since = (*self.shared.vacant.lock()).unwrap_or_else(Instant::now);
        let until = deadline.min(Deadline::at(since + FIRST_CONNECTION));
        match tokio::time::timeout_at(until.instant(), wait).await {
            Ok(Some(ready)) => Ok(ready),
            Ok(None) => Err(self.nobody("can be reached")),
            Err(_elapsed) => Err(self.nobody("is known")),
        }
    }
}

impl EndpointSet {
    fn nobody(&self, what: &str) -> Error {
        Error::unavailable(format!("no instance of {} {what}", self.target)).with_source(Unmade)
    }
}

impl Shared {
    fn pick(&self) -> Option<Ready> {
        let endpoints = self.endpoints.load();
        let count = endpoints.len();
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        (0..count).find_map(|offset| {
            let kept = &endpoints[(start + offset) % count];
            Some(Ready {
                call: kept.endpoint.call()?,
                held: Arc::clone(&kept.keeper),
            })
        })
    }

    /// Whether there are endpoints and each has failed lately: waiting would help nobody.
    fn all_failed(&self) -> bool {
        let endpoints = self.endpoints.load();
        let failed = |kept: &Kept| match *kept.state.borrow() {
            State::Connecting => false,
            // Its peer takes no more calls: it is leaving, but still answers others.
            State::Ready => kept.endpoint.call().is_none(),
            State::Failed => true,
        };
        !endpoints.is_empty() && endpoints.iter().all(failed)
    }

    /// Keeps what stays, connects what is new, drops what is gone.
    fn apply(self: &Arc<Self>, target: &str, set: &InstanceSet, env: &Env, tasks: &Tasks) {
        let mut old: BTreeMap<String, Kept> = self
            .endpoints
            .load()
            .iter()
            .map(|kept| (kept.endpoint.address.clone(), kept.clone()))
            .collect();
        // An instance that crashed may be listed beside its successor at the same address until its
        // time to live is over: one connection serves both.
        let addresses: BTreeSet<&str> = set
            .instances
            .iter()
            .map(|instance| instance.address.as_str())
            .collect();
        let endpoints: Vec<Kept> = addresses
            .into_iter()
            .map(|address| {
                old.remove(address)
                    .unwrap_or_else(|| self.connect(target, address.to_owned(), env, tasks))
            })
            .collect();
        {
            let mut vacant = self.vacant.lock();
            *vacant = if endpoints.is_empty() {
                vacant.or_else(|| Some(Instant::now()))
            } else {
                None
            };
        }
        self.endpoints.store(Arc::new(endpoints));
        self.changed.send_modify(|count| *count += 1);
    }

    fn connect(self: &Arc<Self>, target: &str, address: String, env: &Env, tasks: &Tasks) -> Kept {
        let endpoint = Arc::new(Endpoint::new(address));
        let (sender, state) = watch::channel(State::Connecting);
        let keeper = {
            let (endpoint, env, mut state, shared) = (
                Arc::clone(&endpoint),
                env.clone(),
                state.clone(),
                Arc::downgrade(self),
            );
            let dice = env.dice.branch(&endpoint.address);
            Owned(tasks.spawn_endless(
                format!("connection to {target} at {}", endpoint.address),
                async move {
                    let told = async {
                        while state.changed().await.is_ok() {
                            let Some(shared) = shared.upgrade() else {
                                return;
                            };
                            shared.changed.send_modify(|count| *count += 1);
                        }
                    };
                    tokio::join!(endpoint.keep(env, dice, sender), told);
                },
            ))
        };
        Kept {
            endpoint,
            state,
            keeper: Arc::new(keeper),
        }
    }
}
