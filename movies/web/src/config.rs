//! What can be set.

use backlot::config::{Problems, Validate, human_duration};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Configuration of the page.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Films on one page of the list, 1 to 200.
    pub films_per_page: u8,
    /// How long a page waits for the services behind it.
    #[serde(with = "human_duration")]
    pub patience: Duration,
    /// For how many names tokens are kept.
    pub names: usize,
    /// How many people may watch live ratings at once.
    pub viewers: usize,
    /// Whether browsers may send the cookie over HTTPS alone: set it where the page is served so.
    pub secure_cookie: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            films_per_page: 24,
            patience: Duration::from_secs(3),
            names: 10_000,
            viewers: 10_000,
            secure_cookie: false,
        }
    }
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        if !(1..=200).contains(&self.films_per_page) {
            problems.push(
                at,
                "films_per_page",
                format!("{} is out of range", self.films_per_page),
                "set 1 to 200",
            );
        }
        if self.patience.is_zero() {
            problems.push(
                at,
                "patience",
                "must be longer than 0s",
                "the default is 3s",
            );
        }
        for (key, value) in [("names", self.names), ("viewers", self.viewers)] {
            if !(1..=1_000_000).contains(&value) {
                problems.push(
                    at,
                    key,
                    format!("{value} is out of range"),
                    "set 1 to 1000000",
                );
            }
        }
    }
}
