//! Where an engine keeps its messages, across restarts.

use crate::Engine;
use async_trait::async_trait;
use backlot_core::Clock;
use std::sync::Arc;

/// Where an engine keeps its messages. What it removes by age it should remove within a second.
#[async_trait]
pub trait Place: Send + Sync {
    /// An engine on this place, by this clock. The one before was closed, or dropped as if its
    /// process had died: its own tasks may still be ending.
    async fn open(&self, clock: Clock) -> Arc<dyn Engine>;
}
