//! Policies that can be changed while they are followed.

use super::{Policies, Policy};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// The policies of a program, which can be changed while they are followed. Clones share them.
#[derive(Clone, Debug)]
pub struct Knobs(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    policies: Mutex<Policies>,
    all: Live,
    /// For each service that is called.
    to: Mutex<BTreeMap<String, Live>>,
}

/// The policy towards one service as it is now. Clones share it.
#[derive(Clone, Debug)]
pub struct Live(Arc<Followed>);

#[derive(Debug)]
struct Followed {
    now: ArcSwap<Policy>,
    changed: watch::Sender<u64>,
}

impl Default for Knobs {
    fn default() -> Self {
        Knobs::new(Policy::default())
    }
}

impl Knobs {
    /// Set to this for all.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Knobs::of(Policies::from(policy))
    }

    /// Set to these.
    #[must_use]
    pub fn of(policies: Policies) -> Self {
        Knobs(Arc::new(Kept {
            all: Live::new(policies.all.clone()),
            policies: Mutex::new(policies),
            to: Mutex::default(),
        }))
    }

    /// How they are set for all.
    #[must_use]
    pub fn now(&self) -> arc_swap::Guard<Arc<Policy>> {
        self.0.all.now()
    }

    /// How they are set, for all and for some.
    #[must_use]
    pub fn policies(&self) -> Policies {
        self.0.policies.lock().clone()
    }

    /// The policy towards a service, which follows what is set.
    #[must_use]
    pub fn towards(&self, service: &str) -> Live {
        let policies = self.0.policies.lock();
        let mut to = self.0.to.lock();
        let live = to
            .entry(service.to_owned())
            .or_insert_with(|| Live::new(policies.towards(service)));
        live.clone()
    }

    /// Sets them anew for all; what is set otherwise for some stays. That they make sense is the
    /// caller's to check.
    pub fn set(&self, policy: Policy) {
        let mut policies = self.policies();
        policies.all = policy;
        self.set_all(policies);
    }

    /// Sets them anew. That they make sense is the caller's to check.
    pub fn set_all(&self, policies: Policies) {
        let mut kept = self.0.policies.lock();
        self.0.all.set(policies.all.clone());
        for (service, live) in self.0.to.lock().iter() {
            live.set(policies.towards(service));
        }
        *kept = policies;
    }
}

impl Live {
    fn new(policy: Policy) -> Self {
        Live(Arc::new(Followed {
            now: ArcSwap::from_pointee(policy),
            changed: watch::Sender::new(0),
        }))
    }

    /// How it is set.
    #[must_use]
    pub fn now(&self) -> arc_swap::Guard<Arc<Policy>> {
        self.0.now.load()
    }

    /// Moves whenever it is set.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    fn set(&self, policy: Policy) {
        self.0.now.store(Arc::new(policy));
        self.0.changed.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_follows_a_policy_sees_what_is_set_for_all_and_for_its_service() {
        let policies = Policies::default();
        let policies = policies.with(Some("rating"), "eject.on", "off").unwrap();
        let knobs = Knobs::of(policies);
        let (rating, mail) = (knobs.towards("rating"), knobs.towards("mail"));
        let mut changed = rating.watch();
        let seen = |live: &Live| (live.now().eject.on, live.now().retry.attempts);
        assert_eq!((seen(&rating), seen(&mail)), ((false, 3), (true, 3)));
        let mut policy = Policy::clone(&knobs.now());
        policy.retry.attempts = 2;
        knobs.set(policy);
        assert!(changed.has_changed().unwrap());
        changed.mark_unchanged();
        assert_eq!((seen(&rating), seen(&mail)), ((false, 2), (true, 2)));
        let policies = knobs.policies();
        let policies = policies
            .with(Some("rating"), "retry.attempts", "1")
            .unwrap();
        knobs.set_all(policies.without(Some("rating"), "eject.on").unwrap());
        assert!(changed.has_changed().unwrap());
        assert_eq!((seen(&rating), seen(&mail)), ((true, 1), (true, 2)));
        assert!(knobs.now().eject.on);
    }
}
