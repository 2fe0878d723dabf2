//! What can be set.

use backlot::config::{Problems, Validate};
use backlot::storage::StoreConfig;
use serde::{Deserialize, Serialize};

/// The most events of one commit.
const MAX_BATCH: usize = 16_384;

/// Configuration of the rating service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where ratings are kept.
    pub store: StoreConfig,
    /// How many submitted ratings may go into one commit, 1 to 16,384: many are cheap each, few
    /// are there sooner when very many wait.
    pub batch: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            store: StoreConfig::default(),
            batch: MAX_BATCH,
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
    }
}
