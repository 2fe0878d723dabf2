//! Who calls: what a client takes from outside, and what it goes by.

use crate::policy::Knobs;
use backlot_core::Env;
use backlot_service::tasks::Tasks;
use backlot_service::telemetry::Metrics;
use std::sync::Arc;

/// The metadata of an instance that names its zone.
pub const ZONE: &str = "zone";

/// What the clients of one program share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(super) metrics: Metrics,
    pub(super) env: Env,
    pub(super) tasks: Tasks,
    pub(super) knobs: Knobs,
    pub(super) zone: Option<Arc<str>>,
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
        }
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
