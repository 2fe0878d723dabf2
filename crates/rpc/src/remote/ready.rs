//! One call's way over one connection.

use super::choose::Chosen;
use super::endpoint::Endpoint;
use super::exchange::Call;
use super::set::{Held, Shared};
use super::standing::{Heard, Turn};
use crate::policy::Policy;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// A call over one connection, which stays for as long as this does: an instance that leaves the
/// registry answers what it was asked. Its endpoint counts it as awaited until it is said how it
/// ended, or this is dropped.
pub(super) struct Ready {
    call: Option<Call>,
    held: Held,
    endpoint: Arc<Endpoint>,
    shared: Arc<Shared>,
    began: Instant,
    /// Whether it tries one that was ejected.
    tries: bool,
    has_ended: bool,
}

impl Ready {
    pub(super) fn new(chosen: Chosen<'_>, shared: &Arc<Shared>, now: Instant) -> Self {
        let endpoint = Arc::clone(&chosen.kept.endpoint);
        endpoint.load.begin(now);
        endpoint.awaited.fetch_add(1, Ordering::Relaxed);
        Ready {
            call: Some(chosen.call),
            held: Arc::clone(&chosen.kept.keeper),
            endpoint,
            shared: Arc::clone(shared),
            began: now,
            tries: chosen.tries,
            has_ended: false,
        }
    }

    /// Where the call goes.
    pub(super) fn address(&self) -> &str {
        &self.endpoint.address
    }

    /// What to make the call with, once.
    pub(super) fn call(&mut self) -> Option<Call> {
        self.call.take()
    }

    /// What keeps the connection.
    pub(super) fn held(&self) -> Held {
        Arc::clone(&self.held)
    }

    /// It is answered; whether that says that the instance is sick, and for how long it asks to be
    /// left alone.
    pub(super) fn ended(&mut self, failed: bool, pushback: Option<Duration>) {
        if !self.end() {
            return;
        }
        let (now, policy) = (Instant::now(), self.shared.knobs.now());
        let decay = policy.balance.decay;
        self.endpoint.load.answered(self.began, failed, decay, now);
        let heard = Heard {
            failed,
            tried: self.tries,
            pushback,
        };
        self.stands(heard, &policy, now);
    }

    /// It began to be answered, which counted as well, and failed after all.
    pub(super) fn failed_late(&self) {
        let (now, policy) = (Instant::now(), self.shared.knobs.now());
        self.endpoint.load.failed(now);
        let heard = Heard {
            failed: true,
            tried: false,
            pushback: None,
        };
        self.stands(heard, &policy, now);
    }

    /// It is over, and neither that nor how long it took says anything of the instance.
    pub(super) fn left(&mut self) {
        if self.end() {
            self.endpoint.load.left(self.began);
            self.untried(Instant::now());
        }
    }

    /// It was refused for what it asks: the instance is there.
    pub(super) fn refused(&mut self) {
        if !self.end() {
            return;
        }
        let (now, policy) = (Instant::now(), self.shared.knobs.now());
        self.endpoint.load.left(self.began);
        let heard = Heard {
            failed: false,
            tried: self.tries,
            pushback: None,
        };
        self.stands(heard, &policy, now);
    }

    /// It was not answered, which may be its caller's haste.
    pub(super) fn given_up(&mut self) {
        if self.end() {
            let now = Instant::now();
            let decay = self.shared.knobs.now().balance.decay;
            self.endpoint.load.given_up(self.began, decay, now);
            self.untried(now);
        }
    }

    /// Whether it had not ended before.
    fn end(&mut self) -> bool {
        let ends = !std::mem::replace(&mut self.has_ended, true);
        if ends {
            self.endpoint.awaited.fetch_sub(1, Ordering::Relaxed);
        }
        ends
    }

    fn untried(&self, now: Instant) {
        if self.tries {
            let policy = self.shared.knobs.now();
            self.endpoint.standing.untried(&policy.eject, now);
        }
    }

    fn stands(&self, heard: Heard, policy: &Policy, now: Instant) {
        let (standing, shared) = (&self.endpoint.standing, &self.shared);
        let eject = &policy.eject;
        // Of two that would be ejected at once the second has to see the first.
        let _one = heard.failed.then(|| shared.ejecting.lock());
        let may_eject = || shared.may_eject(eject.most, &self.endpoint);
        let turn = standing.heard(heard, eject, &shared.dice, now, may_eject);
        let address = self.endpoint.address.as_str();
        match turn {
            Turn::Stays => {}
            Turn::Ejected { why, wait } => {
                shared.counts.ejected(why);
                tracing::info!(
                    service = shared.target,
                    address,
                    ?wait,
                    why = why.name(),
                    "an instance gets no calls for a while"
                );
                shared.counts.stand(shared);
            }
            Turn::Spared => {
                shared.counts.spared();
                tracing::debug!(
                    service = shared.target,
                    address,
                    "an instance fails and gets calls: too many others get none"
                );
            }
            Turn::Returned => {
                tracing::info!(
                    service = shared.target,
                    address,
                    "an instance gets calls again"
                );
                shared.counts.stand(shared);
            }
        }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.given_up();
    }
}
