//! Who calls: what a client takes from outside, and what it goes by.

use super::set::Shared;
use super::view::Target;
use crate::policy::Knobs;
use backlot_core::Env;
use backlot_service::tasks::Tasks;
use backlot_service::telemetry::Metrics;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// The metadata of an instance that names its zone.
pub const ZONE: &str = "zone";

/// What the clients of one program share. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    pub(super) metrics: Metrics,
    pub(super) env: Env,
    pub(super) tasks: Tasks,
    pub(super) knobs: Knobs,
    pub(super) zone: Option<Arc<str>>,
    /// Those who are called.
    targets: Arc<Mutex<Vec<Weak<Shared>>>>,
}

impl Caller {
    /// One that counts into these metrics and whose connections are kept by these tasks, by the
    /// default policy and in no zone.
    #[must_use]
    pub fn new(metrics: &Metrics, env: &Env, tasks: &Tasks) -> Self {
        Caller {
            metrics: metrics.clone(),
            env: env.clone(),
            tasks: tasks.clone(),
            knobs: Knobs::default(),
            zone: None,
            targets: Arc::default(),
        }
    }

    /// The policy.
    #[must_use]
    pub fn knobs(&self) -> &Knobs {
        &self.knobs
    }

    /// The services that are called, in order of name, each once for every contract of its that is
    /// called.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        let known = self.targets.lock().clone();
        let known = known.iter().filter_map(Weak::upgrade);
        let mut targets: Vec<_> = known.map(|shared| shared.view()).collect();
        targets.sort_by(|one, other| one.service.cmp(&other.service));
        targets
    }

    /// These are called from now on.
    pub(super) fn calls(&self, shared: &Arc<Shared>) {
        let mut targets = self.targets.lock();
        targets.retain(|target| target.strong_count() > 0);
        targets.push(Arc::downgrade(shared));
    }

    /// By this policy, which may change.
    #[must_use]
    pub fn with_knobs(mut self, knobs: &Knobs) -> Self {
        self.knobs = knobs.clone();
        self
    }

    /// In this zone: instances that announce the same (`zone` in their metadata) are preferred. An
    /// empty name is none.
    #[must_use]
    pub fn in_zone(mut self, zone: &str) -> Self {
        self.zone = (!zone.is_empty()).then(|| zone.into());
        self
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller")
            .field("knobs", &self.knobs)
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}
