//! What can be set.

use backlot::config::{Problems, Validate, human_duration};
use backlot::storage::StoreConfig;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most that may be set.
const MAX_BATCH: usize = 32_768;
/// The most events of one commit unless another number is set.
const BATCH: usize = 32_768;

/// Configuration of the rating service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where ratings are kept.
    pub store: StoreConfig,
    /// How many submitted ratings may go into one commit, 1 to 32,768: many are cheap each, few
    /// are there sooner when very many wait.
    pub batch: usize,
    /// How long submitted ratings wait that an instance had when it died, 1 s to 1 h.
    #[serde(with = "human_duration")]
    pub lease: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            store: StoreConfig::default(),
            batch: BATCH,
            lease: Duration::from_secs(30),
        }
    }
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        self.store.validate(&format!("{at}.store"), problems);
        if !(1..=MAX_BATCH).contains(&self.batch) {
            problems.push(
                at,
                "batch",
                format!("is {}, not from 1 to {MAX_BATCH}", self.batch),
                "leave it out for the default",
            );
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&self.lease) {
            problems.push(
                at,
                "lease",
                "is not between 1s and 1h",
                "leave it out for the default",
            );
        }
    }
}
