//! What can be set.

use backlot::config::{Problems, Validate, human_duration};
use backlot::identity::MAX_LIFETIME;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// Configuration of the token issuer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The name tokens carry as their issuer; services accept tokens of the issuer they are
    /// configured with.
    pub issuer: String,
    /// The services that tokens are meant for.
    pub audience: BTreeSet<String>,
    /// How long a token lives: 1 second to 15 minutes.
    #[serde(with = "human_duration")]
    pub lifetime: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let audience = ["auth", "mail", "metadata", "movie", "rating", "web"];
        Config {
            issuer: "movies".into(),
            audience: audience.map(String::from).into(),
            lifetime: MAX_LIFETIME,
        }
    }
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        if self.issuer.is_empty() {
            problems.push(
                at,
                "issuer",
                "is empty",
                "give the name that services expect",
            );
        }
        if self.audience.is_empty() {
            problems.push(
                at,
                "audience",
                "is empty",
                "name the services tokens are meant for",
            );
        }
        let lifetime = self.lifetime;
        if lifetime > MAX_LIFETIME || lifetime.as_secs() == 0 {
            problems.push(at, "lifetime", "is out of range", "set 1s to 15m");
        }
    }
}
