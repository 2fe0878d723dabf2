//! Instances of a service, and the contract of whoever knows them.

use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// One running copy of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// Unique among all instances ever, for example `rating-5f3c`.
    pub id: String,
    /// The service it is a copy of.
    pub service: String,
    /// `host:port` where it takes calls.
    pub address: String,
    /// The software version it runs.
    pub version: String,
    /// Anything else worth knowing, for example the admin address.
    pub metadata: BTreeMap<String, String>,
}

/// The instances known of one service, in order of id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceSet {
    /// The instances.
    pub instances: Arc<[Instance]>,
    /// Whether the registry could not be asked lately: the last set is kept for ever.
    pub stale: bool,
}

impl InstanceSet {
    /// A fresh set, sorted by id.
    #[must_use]
    pub fn new(mut instances: Vec<Instance>) -> Self {
        instances.sort();
        InstanceSet {
            instances: instances.into(),
            stale: false,
        }
    }
}

/// Knows the instances of services.
///
/// A resolver MUST keep the last set when its source fails (static stability), and MUST apply a
/// change without any call passing.
pub trait Resolver: Send + Sync + std::fmt::Debug + 'static {
    /// Watches a service. The first set may be empty; the receiver sees every later one (or the
    /// latest of several).
    fn watch(&self, service: &str) -> watch::Receiver<InstanceSet>;
}
