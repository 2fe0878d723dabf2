//! The endpoints of one service: follows the instances and keeps a connection to each.
//!
//! Changes apply without a call. Where more than half leave the registry at once, those that still
//! take connections are kept for a while: that is a fault of the registry more often than theirs.

use super::caller::{Caller, ZONE};
use super::choose::{Choice, Endpoints, Want};
use super::counts::Counts;
use super::endpoint::{Endpoint, State};
use super::ready::Ready;
use super::subset;
use crate::binding::Unmade;
use crate::policy::{Live, Policy, Rule};
use arc_swap::ArcSwap;
use backlot_core::discovery::InstanceSet;
use backlot_core::{Deadline, Dice, Error};
use backlot_service::tasks::Task;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a call waits for a connection that is being made, and how long after the last instance
/// left calls wait for the next one to come. Later they fail at once: their callers answer without.
const FIRST_CONNECTION: Duration = Duration::from_millis(1500);

pub(super) struct EndpointSet {
    shared: Arc<Shared>,
    /// Follows the instances; ends with the set.
    _follower: Owned,
}

pub(super) struct Shared {
    pub(super) target: String,
    pub(super) endpoints: ArcSwap<Endpoints>,
    pub(super) knobs: Live,
    pub(super) dice: Dice,
    pub(super) counts: Counts,
    /// Held while one is ejected.
    pub(super) ejecting: Mutex<()>,
    /// Whose turn it is.
    turn: AtomicUsize,
    /// How many calls are awaited of all.
    awaited: Arc<AtomicUsize>,
    /// What this client's choice of many instances goes by.
    seed: u64,
    /// Since when no instance is known, if so.
    vacant: Mutex<Option<Instant>>,
    /// Moves whenever an endpoint comes, goes or changes its state.
    changed: watch::Sender<u64>,
}

#[derive(Clone)]
pub(super) struct Kept {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) state: watch::Receiver<State>,
    /// Whether it is in the client's zone.
    pub(super) near: bool,
    /// Since when it is kept although the registry no longer names it.
    doubted: Option<Instant>,
    /// Ends when neither the set nor a call needs the endpoint.
    pub(super) keeper: Held,
}

impl Kept {
    /// Whether it is kept although the registry no longer names it.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.is_some()
    }
}

/// Keeps a connection.
pub(super) type Held = Arc<Owned>;

/// A task that ends with its owner.
pub(super) struct Owned(Task);

impl From<Task> for Owned {
    fn from(task: Task) -> Self {
        Owned(task)
    }
}

impl Owned {
    pub(super) fn has_ended(&self) -> bool {
        self.0.has_ended()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl EndpointSet {
    pub(super) fn new(
        target: &str,
        mut instances: watch::Receiver<InstanceSet>,
        caller: &Caller,
    ) -> Self {
        let dice = caller.env.dice.branch(&format!("choices of {target}"));
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            endpoints: ArcSwap::default(),
            knobs: caller.knobs.towards(target),
            counts: Counts::of(&caller.metrics, target),
            ejecting: Mutex::new(()),
            turn: AtomicUsize::new(0),
            awaited: Arc::default(),
            seed: dice.next_u64(),
            vacant: Mutex::new(Some(Instant::now())),
            dice,
            changed: watch::Sender::new(0),
        });
        let follower = {
            let (shared, caller) = (Arc::clone(&shared), caller.clone());
            let mut knobs = shared.knobs.watch();
            let mut changed = shared.changed.subscribe();
            let name = format!("endpoints of {target}");
            Owned(caller.tasks.clone().spawn_endless(name, async move {
                let mut is_told = true;
                loop {
                    changed.mark_unchanged();
                    let set = instances.borrow_and_update().clone();
                    let until = shared.apply(&set, &caller, Instant::now());
                    let over = async {
                        match until {
                            Some(until) => tokio::time::sleep_until(until).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        biased;
                        // Where the resolver ended the last set serves on.
                        told = instances.changed(), if is_told => is_told = told.is_ok(),
                        _moved = changed.changed(), if until.is_some() => {}
                        () = over => {}
                        Ok(()) = knobs.changed() => {}
                    }
                }
            }))
        };
        caller.calls(&shared);
        EndpointSet {
            shared,
            _follower: follower,
        }
    }

    /// A call over an endpoint that takes it.
    pub(super) async fn ready(&self, deadline: Deadline, want: Want<'_>) -> Result<Ready, Error> {
        if let Some(ready) = self.shared.pick(want) {
            return Ok(ready);
        }
        let mut changed = self.shared.changed.subscribe();
        let wait = async {
            loop {
                changed.mark_unchanged();
                if let Some(ready) = self.shared.pick(want) {
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

    /// Whether every endpoint takes calls.
    #[cfg(test)]
    pub(super) fn all_ready(&self) -> bool {
        let endpoints = self.shared.endpoints.load();
        let is_open = |kept: &Kept| kept.endpoint.call().is_some();
        endpoints.all.iter().all(is_open)
    }

    /// All endpoints.
    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<Kept> {
        self.shared.endpoints.load().all.clone()
    }

    /// The addresses of all endpoints, in order.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> Vec<String> {
        let endpoints = self.shared.endpoints.load();
        let address = |kept: &Kept| kept.endpoint.address.clone();
        endpoints.all.iter().map(address).collect()
    }

    fn nobody(&self, what: &str) -> Error {
        let target = &self.shared.target;
        Error::unavailable(format!("no instance of {target} {what}")).with_source(Unmade)
    }
}

impl Shared {
    fn pick(self: &Arc<Self>, want: Want<'_>) -> Option<Ready> {
        let (endpoints, policy, now) = (self.endpoints.load(), self.knobs.now(), Instant::now());
        let choice = Choice {
            endpoints: &endpoints,
            policy: &policy,
            dice: &self.dice,
            turn: &self.turn,
            out: self.counts.out(),
            usable: self.counts.usable(),
            now,
        };
        let chosen = choice.make(want)?;
        Some(Ready::new(chosen, self, now))
    }

    /// Whether one more than those that are may be ejected, of a hundred so many at most.
    pub(super) fn may_eject(&self, most: u32, this: &Arc<Endpoint>) -> bool {
        let endpoints = self.endpoints.load();
        let others = endpoints.all.iter().map(|kept| &kept.endpoint);
        let others = others.filter(|endpoint| !Arc::ptr_eq(endpoint, this));
        let out = others.filter(|endpoint| endpoint.standing.is_out()).count();
        (out + 1) * 100 <= endpoints.all.len() * most as usize
    }

    /// Whether there are endpoints and each has failed lately: waiting would help nobody.
    fn all_failed(&self) -> bool {
        let endpoints = self.endpoints.load();
        let failed = |kept: &Kept| {
            let state = *kept.state.borrow();
            // Whose keeper has ended with the program is connected to no more.
            let is_left = kept.state.has_changed().is_err();
            match state {
                // One that takes no more calls is connected to anew at once.
                State::Connecting | State::Ready => is_left,
                State::Failed => true,
            }
        };
        !endpoints.all.is_empty() && endpoints.all.iter().all(failed)
    }

    /// Keeps what stays, connects what is new, drops what is gone, or keeps it in doubt. When the
    /// first doubt is over.
    fn apply(
        self: &Arc<Self>,
        set: &InstanceSet,
        caller: &Caller,
        now: Instant,
    ) -> Option<Instant> {
        let policy = Policy::clone(&self.knobs.now());
        // An instance that crashed may be listed beside its successor at the same address until its
        // time to live is over: one connection serves both.
        let listed: BTreeMap<&str, bool> = set
            .instances
            .iter()
            .map(|instance| {
                let zone = instance.metadata.get(ZONE).map(String::as_str);
                let near = caller.zone.is_some() && zone == caller.zone.as_deref();
                (instance.address.as_str(), near)
            })
            .collect();
        let wanted = self.wanted(&listed, &policy);
        let before = self.endpoints.load_full();
        let mut old: BTreeMap<String, Kept> = before
            .all
            .iter()
            .map(|kept| (kept.endpoint.address.clone(), kept.clone()))
            .collect();
        // The first that come did not miss what the others know.
        let joins = before.all.iter().any(|kept| kept.endpoint.is_open());
        let mut all: Vec<Kept> = wanted
            .into_iter()
            .map(|address| {
                let near = listed.get(address).copied().unwrap_or_default();
                let known = old.remove(address);
                let known =
                    known.unwrap_or_else(|| self.connect(address.to_owned(), joins, caller));
                Kept {
                    near,
                    doubted: None,
                    ..known
                }
            })
            .collect();
        // Those that are still listed are not of this client's choice any more.
        let gone = old.into_values();
        let gone = gone.filter(|kept| !listed.contains_key(kept.endpoint.address.as_str()));
        all.extend(self.doubted(gone.collect(), &before, &policy, now));
        all.sort_by(|one, other| one.endpoint.address.cmp(&other.endpoint.address));
        let since = all.iter().filter_map(|kept| kept.doubted).min();
        let until = since.map(|since| since + policy.balance.hold);
        let same = |(one, other): (&Kept, &Kept)| {
            Arc::ptr_eq(&one.endpoint, &other.endpoint)
                && (one.near, one.doubted) == (other.near, other.doubted)
        };
        if all.len() == before.all.len() && all.iter().zip(&before.all).all(same) {
            return until;
        }
        {
            let mut vacant = self.vacant.lock();
            *vacant = if all.is_empty() {
                vacant.or_else(|| Some(Instant::now()))
            } else {
                None
            };
        }
        self.endpoints.store(Arc::new(Endpoints::of(all)));
        self.counts.stand(self);
        self.changed.send_modify(|count| *count += 1);
        until
    }

    /// The addresses to connect to.
    fn wanted<'a>(&self, listed: &BTreeMap<&'a str, bool>, policy: &Policy) -> Vec<&'a str> {
        // A key belongs to the same instance whoever asks.
        let most = match policy.balance.rule {
            Rule::ConsistentHash => 0,
            Rule::LeastBusy | Rule::RoundRobin => policy.balance.subset,
        };
        let (near, far): (Vec<_>, Vec<_>) = listed.iter().partition(|(_, near)| **near);
        [near, far]
            .into_iter()
            .flat_map(|pool| {
                let addresses = pool.into_iter().map(|(address, _)| *address).collect();
                subset::of(addresses, most, self.seed)
            })
            .collect()
    }

    /// Which of those that are gone are kept for now.
    fn doubted(
        &self,
        gone: Vec<Kept>,
        before: &Endpoints,
        policy: &Policy,
        now: Instant,
    ) -> Vec<Kept> {
        let is_new = |kept: &&Kept| kept.doubted.is_none();
        let (all, left) = (
            before.all.iter().filter(is_new).count(),
            gone.iter().filter(is_new).count(),
        );
        let are_too_many = left * 2 > all;
        if are_too_many && !policy.balance.hold.is_zero() {
            tracing::warn!(
                service = self.target,
                left,
                of = all,
                "more than half of the instances left the registry at once: those that answer are kept for now"
            );
        }
        let keep = |mut kept: Kept| {
            let since = match kept.doubted {
                Some(since) => since,
                None if are_too_many => now,
                None => return None,
            };
            let until = since + policy.balance.hold;
            kept.doubted = Some(since);
            // That it takes no connections shows that it is gone.
            let has_failed = *kept.state.borrow() == State::Failed;
            (until > now && !has_failed).then_some(kept)
        };
        gone.into_iter().filter_map(keep).collect()
    }

    fn connect(self: &Arc<Self>, address: String, joins: bool, caller: &Caller) -> Kept {
        let endpoint = Arc::new(Endpoint::new(address, Arc::clone(&self.awaited)));
        let (sender, state) = watch::channel(State::Connecting);
        let keeper = {
            let (endpoint, calling, knobs) =
                (Arc::clone(&endpoint), caller.clone(), self.knobs.clone());
            let (mut state, shared) = (state.clone(), Arc::downgrade(self));
            let name = format!("connection to {} at {}", self.target, endpoint.address);
            Owned(caller.tasks.spawn_endless(name, async move {
                let told = async {
                    while state.changed().await.is_ok() {
                        let Some(shared) = shared.upgrade() else {
                            return;
                        };
                        shared.counts.stand(&shared);
                        shared.changed.send_modify(|count| *count += 1);
                    }
                };
                tokio::join!(endpoint.keep((&calling, &knobs), joins, sender), told);
            }))
        };
        Kept {
            endpoint,
            state,
            near: false,
            doubted: None,
            keeper: Arc::new(keeper),
        }
    }
}
