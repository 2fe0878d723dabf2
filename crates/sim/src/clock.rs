//! Wall time of the simulated world.

use backlot_core::{Clock, Timestamp};
use std::time::Duration;

/// When every simulation begins: midnight, 1 January 2025, UTC.
pub const EPOCH: Timestamp = Timestamp(1_735_689_600_000);

/// A clock that shows simulated time on hosts, and the beginning elsewhere.
#[must_use]
pub fn clock() -> Clock {
    Clock::from_fn(|| EPOCH.plus(elapsed()))
}

/// Simulated time since the beginning, as the running host sees it; zero outside of hosts.
#[must_use]
pub fn elapsed() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}
