//! What all calls of a client to one service share.

use super::budget::Budget;
use super::caller::Caller;
use super::set::EndpointSet;
use super::throttle::Throttle;
use crate::policy::Live;
use backlot_core::Dice;
use backlot_core::discovery::InstanceSet;
use std::sync::atomic::AtomicUsize;
use tokio::sync::watch;
use tokio::time::Instant;

/// The way to the instances of a service.
pub(super) struct Way {
    pub(super) target: String,
    pub(super) endpoints: EndpointSet,
    pub(super) budget: Budget,
    pub(super) throttle: Throttle,
    /// How many bytes of requests are kept to be sent again.
    pub(super) kept: AtomicUsize,
    pub(super) knobs: Live,
    pub(super) dice: Dice,
}

impl Way {
    pub(super) fn new(
        target: &str,
        instances: watch::Receiver<InstanceSet>,
        caller: &Caller,
    ) -> Self {
        let now = Instant::now();
        Way {
            target: target.to_owned(),
            endpoints: EndpointSet::new(target, instances, caller),
            budget: Budget::new(now),
            throttle: Throttle::new(now),
            kept: AtomicUsize::new(0),
            knobs: caller.knobs.towards(target),
            dice: caller.env.dice.branch(target),
        }
    }
}
