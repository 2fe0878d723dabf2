//! Everything a service takes from outside, in one bundle of seams.

use crate::net::{Network, Tcp};
use crate::{Clock, Dice, Offload};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// The seams to the outside. Embedded, fleet and simulated differ in what this holds.
#[derive(Clone, Debug)]
pub struct Env {
    /// Wall time.
    pub clock: Clock,
    /// Randomness.
    pub dice: Dice,
    /// The network.
    pub net: Arc<dyn Network>,
    /// Where long computations run.
    pub offload: Offload,
    /// Environment variables, read once at the start.
    pub variables: Arc<BTreeMap<String, String>>,
    /// When to stop.
    pub shutdown: Shutdown,
}

impl Env {
    /// The machine this process runs on. The shutdown is triggered by nobody yet: the composition
    /// connects it to signals.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    pub fn real() -> Self {
        Env {
            clock: Clock::real(),
            dice: Dice::from_entropy(),
            net: Tcp::network(),
            offload: Offload::threads(),
            // Variables that are not Unicode are nobody's configuration.
            variables: Arc::new(
                std::env::vars_os()
                    .filter_map(|(key, value)| {
                        Some((key.into_string().ok()?, value.into_string().ok()?))
                    })
                    .collect(),
            ),
            shutdown: Shutdown::new(),
        }
    }
}

/// Tells the parts of a process to stop, and how far that has come. Clones share it.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<Phase>>);

/// How far a shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Running,
    /// Still answering, but no longer announced: new callers should go elsewhere.
    Leaving,
    /// Listeners close; live streams tell their callers to reconnect; calls in flight finish.
    Draining,
    /// What is left is cut.
    Stopped,
}

impl Default for Shutdown {
    fn default() -> Self {
        Shutdown::new()
    }
}

impl Shutdown {
    /// Nothing is stopping yet.
    #[must_use]
    pub fn new() -> Self {
        Shutdown(Arc::new(watch::Sender::new(Phase::Running)))
    }

    /// Moves on to `phase`; never back.
    pub fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|current| {
            let later = phase > *current;
            if later {
                *current = phase;
            }
            later
        });
    }

    /// How far it has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Waits until at least `phase`.
    pub async fn reached(&self, phase: Phase) {
        let mut receiver = self.0.subscribe();
        // The sender lives in self: waiting cannot fail.
        drop(receiver.wait_for(|current| *current >= phase).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shutdown_never_goes_back() {
        let shutdown = Shutdown::new();
        shutdown.advance(Phase::Draining);
        shutdown.advance(Phase::Leaving);
        assert_eq!(shutdown.phase(), Phase::Draining);
        shutdown.reached(Phase::Leaving).await;
    }
}
