//! What operators see of a cache, and make it forget.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A cache as operators see it, whatever it holds.
pub trait Kept: fmt::Debug + Send + Sync {
    /// Its name, one of its service.
    fn name(&self) -> &'static str;

    /// How it does.
    fn report(&self) -> Report;

    /// Forgets the value of a key, or all, so that they serve in no case any more, and what is
    /// being fetched for them is not kept either.
    fn forget(&self, key: Option<&str>) -> Forgot;
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgot {
    /// So many values.
    Values(usize),
    /// Nothing: this is no key of this cache.
    NoKey,
}

/// How a cache does, since its service was started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Its name.
    pub name: String,
    /// Values held now.
    pub values: u64,
    /// What they weigh, in bytes, and may weigh.
    pub bytes: u64,
    /// The most they may weigh, in bytes.
    pub limit: u64,
    /// For how long a value is fresh, in milliseconds.
    pub fresh_ms: u64,
    /// For how long it serves when the source fails, in milliseconds.
    pub kept_ms: u64,
    /// How often a fresh value was there.
    pub fresh: u64,
    /// How often an older value was given at once.
    pub stale: u64,
    /// How often an older value was given after waiting for a newer one.
    pub late: u64,
    /// How often a caller waited for a fetch that began for it.
    pub fetched: u64,
    /// How often a caller waited for what another fetched.
    pub joined: u64,
    /// How often a caller got an error.
    pub failed: u64,
    /// How often the source was asked.
    pub source_asked: u64,
    /// How often the source failed.
    pub source_failed: u64,
    /// Values that a change made outdated.
    pub outdated: u64,
    /// Values that made room.
    pub evicted: u64,
    /// Values that an operator made it forget.
    pub forgotten: u64,
}

impl Report {
    /// How many callers asked.
    #[must_use]
    pub fn asked(&self) -> u64 {
        let waited = [self.late, self.fetched, self.joined, self.failed];
        let all = [self.fresh, self.stale].into_iter().chain(waited);
        all.fold(0, u64::saturating_add)
    }

    /// The share of callers who got a value at once, 0 to 1; none before the first.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share, for people")]
    pub fn hit_ratio(&self) -> Option<f64> {
        let asked = self.asked();
        (asked > 0).then(|| self.fresh.saturating_add(self.stale) as f64 / asked as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_of_those_who_did_not_wait() {
        let mut report = Report::default();
        assert_eq!(report.hit_ratio(), None);
        report.fresh = 2;
        report.stale = 1;
        report.joined = 1;
        assert_eq!(report.hit_ratio(), Some(0.75));
    }
}
