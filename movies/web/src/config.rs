//! What can be set.

use backlot::config::{Duration, Problems, Validate};
use serde::{Deserialize, Serialize};

/// Configuration of the page.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Films on one page of the list, 1 to 200.
    pub films_per_page: u8,
    /// How long a page waits for the services behind it.
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
            patience: Duration::from(std::time::Duration::from_secs(3)),
            names: 10_000,
            viewers: 10_000,
            secure_cookie: false,
        }
    }
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        if !(1..=200).contains(&self.films_per_page) {
            problems.add(format!("{at}.films_per_page"), "is out of range", "set 1 to 200");
        }
        if self.patience.get().is_zero() {
            problems.add(format!("{at}.patience"), "is zero, so that every page fails", "set for example 3s");
        }
        for (key, value) in [("names", self.names), ("viewers", self.viewers)] {
            if !(1..=1_000_000).contains(&value) {
                problems.add(format!("{at}.{key}"), "is out of range", "set 1 to 1000000");
            }
        }
    }
}
