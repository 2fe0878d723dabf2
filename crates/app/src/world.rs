//! What the outside of a service consists of. Embedded, process and simulated differ in nothing
//! but this.

use crate::StartError;
use crate::config::IdentityConfig;
use crate::store::Stores;
use backlot_broker::Slot;
use backlot_cluster::Registry;
use backlot_core::Env;
use backlot_rpc::Local;
use std::sync::Arc;

/// Gives a service its secrets by name.
pub type Secrets = Arc<dyn Fn(&str) -> Result<[u8; 32], StartError> + Send + Sync>;

/// What a composition hands in.
#[derive(Clone)]
pub struct World {
    /// The seams.
    pub env: Env,
    /// Where instances are announced and found.
    pub registry: Arc<dyn Registry>,
    /// Services of the same process, which are bound directly; `None` binds all remotely.
    pub local: Option<Local>,
    /// The log of events of the same process, while its broker runs; `None` asks the broker of
    /// another process.
    pub broker: Option<Slot>,
    /// Opens stores.
    pub stores: Arc<dyn Stores>,
    /// Makes or finds secrets.
    pub secrets: Secrets,
    /// Whose tokens are believed.
    pub identity: IdentityConfig,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("registry", &self.registry)
            .field("stores", &self.stores)
            .finish_non_exhaustive()
    }
}
