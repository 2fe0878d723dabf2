//! The endpoints of one service: follows the instances, keeps a connection to each, picks one: the
//! less busy of two drawn at random, which needs no look at all of them and sends no crowd to the
//! one that is idle (Mitzenmacher, *The Power of Two Choices in Randomized Load Balancing*, 2001).

use super::endpoint::{Endpoint, State};
use super::exchange::Call;
use crate::binding::Unmade;
use arc_swap::ArcSwap;
use backlot_core::discovery::InstanceSet;
use backlot_core::{Deadline, Dice, Env, Error};
use backlot_service::tasks::{Task, Tasks};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
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
    dice: Dice,
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
/// registry answers what it was asked. Its endpoint counts it as awaited until it is said how it
/// ended, or this is dropped.
pub(super) struct Ready {
    call: Option<Call>,
    held: Held,
    endpoint: Arc<Endpoint>,
    began: Instant,
    has_ended: bool,
}

impl Ready {
    fn new(kept: &Kept, call: Call, now: Instant) -> Self {
        kept.endpoint.load.begin();
        Ready {
            call: Some(call),
            held: Arc::clone(&kept.keeper),
            endpoint: Arc::clone(&kept.endpoint),
            began: now,
            has_ended: false,
        }
    }

    /// Where the call goes.
    pub(super) fn address(&self) -> &str {
        &self.endpoint.address
    }

    /// What to make the call with, once.
    pub(super) fn call(&mut self) -> Option<Call> {
        self.call.take()
    }

    /// What keeps the connection.
    pub(super) fn held(&self) -> Held {
        Arc::clone(&self.held)
    }

    /// It is answered; whether that says that the instance is sick.
    pub(super) fn ended(&mut self, failed: bool) {
        if !self.has_ended {
            self.has_ended = true;
            let now = Instant::now();
            let took = now.saturating_duration_since(self.began);
            self.endpoint.load.answered(took, failed, now);
        }
    }
}

impl Ready {
    /// It is over, and how long it took says nothing of the instance.
    pub(super) fn left(&mut self) {
        if !self.has_ended {
            self.has_ended = true;
            self.endpoint.load.left();
        }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        if !self.has_ended {
            let now = Instant::now();
            let waited = now.saturating_duration_since(self.began);
            self.endpoint.load.given_up(waited, now);
        }
    }
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
            dice: env.dice.branch(&format!("choices of {target}")),
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

    /// A call over the next ready endpoint in turn, another than that at `avoid` if there is one.
    pub(super) async fn ready(
        &self,
        deadline: Deadline,
        avoid: Option<&str>,
    ) -> Result<Ready, Error> {
        if let Some(ready) = self.shared.pick(avoid) {
            return Ok(ready);
        }
        let mut changed = self.shared.changed.subscribe();
        let wait = async {
            loop {
                changed.mark_unchanged();
                if let Some(ready) = self.shared.pick(avoid) {
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
    /// Whether every endpoint takes calls.
    #[cfg(test)]
    pub(super) fn all_ready(&self) -> bool {
        let endpoints = self.shared.endpoints.load();
        endpoints.iter().all(|kept| kept.endpoint.call().is_some())
    }

    fn nobody(&self, what: &str) -> Error {
        Error::unavailable(format!("no instance of {} {what}", self.target)).with_source(Unmade)
    }
}

impl Shared {
    fn pick(&self, avoid: Option<&str>) -> Option<Ready> {
        let endpoints = self.endpoints.load();
        let now = Instant::now();
        let is_avoided = |kept: &Kept| avoid == Some(kept.endpoint.address.as_str());
        let ready = |kept: &Kept| Some(Ready::new(kept, kept.endpoint.call()?, now));
        let count = endpoints.len();
        if count < 2 {
            return ready(endpoints.first()?);
        }
        let draw = |below: usize| usize::try_from(self.dice.below(below as u64)).unwrap_or(0);
        let start = draw(count);
        let second = (start + 1 + draw(count - 1)) % count;
        let first = start;
        let (first, second) = (&endpoints[first], &endpoints[second]);
        let cost = |kept: &Kept| (is_avoided(kept), kept.endpoint.load.now(now));
        let (less, more) = match cost(second) < cost(first) {
            true => (second, first),
            false => (first, second),
        };
        // Where neither takes calls, or only the one to be avoided does, any other.
        let drawn = [less, more].into_iter().filter(|kept| !is_avoided(kept));
        let in_turn = || (0..count).map(|offset| &endpoints[(start + offset) % count]);
        let others = in_turn().filter(|kept| !is_avoided(kept));
        let avoided = in_turn().filter(|kept| is_avoided(kept));
        drawn.chain(others).chain(avoided).find_map(ready)
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
