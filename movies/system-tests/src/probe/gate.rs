//! Gates that hold a handler back until it is let through.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, watch};

/// Gates by the name of the call they hold back.
#[derive(Default)]
pub(super) struct Gates(Mutex<BTreeMap<String, Arc<Gate>>>);

impl Gates {
    pub(super) fn of(&self, name: &str) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Gate {
                permits: Semaphore::new(0),
                granted: watch::Sender::new(0),
                taken: watch::Sender::new(0),
            })
        };
        Arc::clone(gates.entry(name.to_owned()).or_insert_with(new))
    }
}

/// What holds back one call.
pub(super) struct Gate {
    permits: Semaphore,
    granted: watch::Sender<u32>,
    taken: watch::Sender<u32>,
}

impl Gate {
    /// Lets the handler take so many more; waits until it has, and tells how many it took in all.
    pub(super) async fn permit(&self, count: u32) -> u32 {
        self.granted.send_modify(|granted| *granted += count);
        // The first one needs no permit.
        let goal = *self.granted.borrow() + 1;
        self.permits.add_permits(count as usize);
        let mut taken = self.taken.subscribe();
        match taken.wait_for(|taken| *taken >= goal).await {
            Ok(taken) => *taken,
            // The gate itself holds the sender.
            Err(_closed) => 0,
        }
    }

    /// Waits for a permit and uses it up.
    pub(super) async fn pass(&self) {
        // The semaphore is never closed.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
    }

    pub(super) fn took(&self) {
        self.taken.send_modify(|taken| *taken += 1);
    }
}
