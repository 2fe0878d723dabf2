//! What can be set.

use backlot::config::{Problems, Validate};
use serde::{Deserialize, Serialize};

/// Configuration of the movie service: nothing of its own yet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

impl Validate for Config {
    fn validate(&self, _at: &str, _problems: &mut Problems) {}
}
