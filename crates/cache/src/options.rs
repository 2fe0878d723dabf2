//! What can be set.

use backlot_service::config::{Problems, Validate, human_duration};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The least memory that makes a cache.
const LEAST: u64 = 64 * 1024;
/// The longest that anything is kept.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long a cache holds what, and how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// For how long what was fetched is served without asking again, give or take a tenth, so that
    /// what was fetched at once is not fetched anew at once. With `0s` the source is asked each time,
    /// and what is held serves when it fails.
    #[serde(with = "human_duration")]
    pub fresh: Duration,
    /// How old what is served may be when the source fails.
    #[serde(with = "human_duration")]
    pub kept: Duration,
    /// How long a caller waits for the source where there is an old answer to give instead.
    #[serde(with = "human_duration")]
    pub patience: Duration,
    /// For how long a source that failed for a key is not asked for it again.
    #[serde(with = "human_duration")]
    pub pause: Duration,
    /// The most memory for values, in bytes; what was used last stays.
    pub bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            fresh: Duration::from_secs(30),
            kept: Duration::from_secs(24 * 3600),
            patience: Duration::from_millis(500),
            pause: Duration::from_secs(1),
            bytes: 16 * 1024 * 1024,
        }
    }
}

impl Validate for Options {
    fn validate(&self, at: &str, problems: &mut Problems) {
        if self.kept > LONGEST || self.kept.is_zero() {
            let cure = "the default is 24h";
            problems.push(at, "kept", "is not between 1ms and 30days", cure);
        }
        if self.fresh > self.kept {
            let cure = "what is fresh is kept: set a shorter time, or a longer 'kept'";
            problems.push(at, "fresh", "is longer than 'kept'", cure);
        }
        for (field, value) in [("patience", self.patience), ("pause", self.pause)] {
            if value > Duration::from_secs(60) {
                problems.push(at, field, "is longer than 60s", "leave it out");
            }
        }
        if self.bytes < LEAST {
            let cure = "the least is 65536, the default 16777216";
            problems.push(at, "bytes", format!("is {}", self.bytes), cure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_by_its_key() {
        let mut problems = Problems::default();
        Options::default().validate("movie.films", &mut problems);
        assert_eq!(problems, Problems::default());

        let hour = Duration::from_secs(3600);
        let wrong = Options {
            fresh: hour,
            kept: Duration::ZERO,
            patience: hour,
            pause: hour,
            bytes: 1,
        };
        wrong.validate("movie.films", &mut problems);
        let text = problems.to_string();
        for key in ["kept", "fresh", "patience", "pause", "bytes"] {
            assert!(text.contains(&format!("movie.films.{key}: is ")), "{text}");
        }
    }
}
