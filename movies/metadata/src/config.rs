//! What can be set.

use backlot::config::{Problems, Validate};
use backlot::storage::StoreConfig;
use serde::{Deserialize, Serialize};

/// Configuration of the metadata service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where films are kept.
    pub store: StoreConfig,
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        self.store.validate(&format!("{at}.store"), problems);
    }
}
