//! The contract of a registry.
//!
//! * A registered instance MUST become visible to every watcher without any call passing, and
//!   MUST disappear when it deregisters, or when its time to live has passed without a heartbeat.
//! * A registration MUST keep itself alive until it is ended, and MUST register again by itself
//!   when the registry lost it (a restart, a takeover).
//! * A resolver MUST keep the last set for ever, marked `stale`, while the registry cannot be
//!   asked; and MUST NOT drop instances merely because a restarted registry does not know them
//!   yet (static stability).
//! * A set MUST be in order of id and MUST hold each id once.
//! * A list of services MUST name each that has an instance, and none that lost its last one.
//! * Ids MUST be unique among all instances ever; registering an id again replaces it.

use backlot_core::discovery::{Instance, Resolver};
use backlot_core::{BoxFuture, Error};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// Knows who is there.
pub trait Registry: Send + Sync + fmt::Debug + 'static {
    /// Announces an instance and keeps announcing it until the registration ends. Never waits:
    /// ask [`Registration::registered`] when it matters that the registry has it.
    fn register(&self, instance: Instance) -> Registration;

    /// Who answers questions about instances.
    fn resolver(&self) -> Arc<dyn Resolver>;

    /// The names of all services that have instances now, in order: for people. The caller brings
    /// the deadline.
    ///
    /// # Errors
    /// `Unavailable` while the registry cannot be asked.
    fn services(&self) -> BoxFuture<'_, Result<Vec<String>, Error>>;
}

/// How a registration fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The registry has not answered yet.
    Pending,
    /// The registry has it.
    Registered,
    /// The registry cannot be reached now; the registration keeps trying.
    Unreachable,
    /// The registry refuses it, for this reason; the registration keeps trying, slowly.
    Refused(String),
    /// It has ended.
    Left,
}

/// An announced instance. Ending or dropping this takes the announcement back; a drop does so
/// without waiting for the registry's answer.
pub struct Registration {
    leave: Option<Leave>,
    status: watch::Receiver<Status>,
}

enum Leave {
    /// Taking it back is immediate.
    Now(Box<dyn FnOnce() + Send + Sync>),
    /// A task does it.
    Ask(oneshot::Sender<()>),
}

/// The backend's end of a registration.
#[derive(Debug)]
pub struct Membership {
    /// Resolves, either way, when the registration ends.
    pub leave: oneshot::Receiver<()>,
    /// How it fares. Send [`Status::Left`], or drop this, when it has been taken back.
    pub status: watch::Sender<Status>,
}

impl Registration {
    /// A registration that a task of the backend keeps alive, and what that task holds.
    #[must_use]
    pub fn kept() -> (Registration, Membership) {
        let (ask, leave) = oneshot::channel();
        let (status, receiver) = watch::channel(Status::Pending);
        (
            Registration {
                leave: Some(Leave::Ask(ask)),
                status: receiver,
            },
            Membership { leave, status },
        )
    }

    /// A registration that is already known and is taken back by a call.
    #[must_use]
    pub fn immediate(take_back: impl FnOnce() + Send + Sync + 'static) -> Registration {
        let (_gone, status) = watch::channel(Status::Registered);
        Registration {
            leave: Some(Leave::Now(Box::new(take_back))),
            status,
        }
    }

    /// How it fares now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// How it fares, now and later.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Waits until the registry has it. The caller brings the deadline.
    pub async fn registered(&self) {
        let mut status = self.status.clone();
        let known = status
            .wait_for(|status| *status == Status::Registered)
            .await
            .is_ok();
        if !known {
            // Its task was aborted: it never will be.
            std::future::pending::<()>().await;
        }
    }

    /// Takes the announcement back and waits for the registry's answer, at most about two
    /// seconds. The caller may bring a shorter deadline: the work goes on without it.
    pub async fn deregister(mut self) {
        self.end();
        let mut status = self.status.clone();
        // An error means that the task has ended, which is just as good.
        drop(
            status
                .wait_for(|status| *status == Status::Left)
                .await
                .map(|status| status.clone()),
        );
    }

    fn end(&mut self) {
        match self.leave.take() {
            Some(Leave::Now(take_back)) => take_back(),
            // The task may have been aborted: then the time to live does it.
            Some(Leave::Ask(ask)) => drop(ask.send(())),
            None => {}
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registration").field(&self.status()).finish()
    }
}
