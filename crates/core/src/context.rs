//! What travels with every call, on every binding. There is no call without one.

use crate::deadline::DEFAULT_UNARY;
use crate::trace::TraceContext;
use crate::{Deadline, Error, Idempotency, Permission, Principal};
use std::sync::Arc;
use std::time::Duration;

/// How much it matters that a call is served when not all can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Criticality {
    /// Nobody minds if it fails now.
    Sheddable,
    /// Batch work that repeats.
    SheddablePlus,
    /// A person waits.
    Critical,
    /// Fails last.
    CriticalPlus,
}

impl Criticality {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Criticality::Sheddable => "sheddable",
            Criticality::SheddablePlus => "sheddable-plus",
            Criticality::Critical => "critical",
            Criticality::CriticalPlus => "critical-plus",
        }
    }

    /// Reads the name on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Criticality> {
        [
            Criticality::Sheddable,
            Criticality::SheddablePlus,
            Criticality::Critical,
            Criticality::CriticalPlus,
        ]
        .into_iter()
        .find(|criticality| criticality.name() == text)
    }
}

/// Deadline, principal, trace, criticality and idempotency key of a call. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    deadline: Deadline,
    principal: Principal,
    trace: TraceContext,
    criticality: Criticality,
    idempotency: Option<Arc<Idempotency>>,
    attempt: u32,
    affinity: Option<u64>,
}

impl Context {
    /// A context nobody asked for: anonymous, critical, with the default deadline of five seconds.
    #[must_use]
    pub fn background() -> Self {
        Context {
            deadline: Deadline::after(DEFAULT_UNARY),
            principal: Principal::Anonymous,
            trace: TraceContext::NONE,
            criticality: Criticality::Critical,
            idempotency: None,
            attempt: 0,
            affinity: None,
        }
    }

    /// A context of a part of this system that acts for itself.
    #[must_use]
    pub fn system(name: &'static str) -> Self {
        Context {
            principal: Principal::System(name),
            ..Context::background()
        }
    }

    /// The same call with a new deadline, which may be later: for the start of a call alone.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Deadline) -> Self {
        self.deadline = deadline;
        self
    }

    /// The same call, ending `timeout` from now.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        self.with_deadline(Deadline::after(timeout))
    }

    /// The same call for another principal.
    #[must_use]
    pub fn with_principal(mut self, principal: Principal) -> Self {
        self.principal = principal;
        self
    }

    /// The same call in another trace.
    #[must_use]
    pub fn with_trace(mut self, trace: TraceContext) -> Self {
        self.trace = trace;
        self
    }

    /// The same call at another criticality.
    #[must_use]
    pub fn with_criticality(mut self, criticality: Criticality) -> Self {
        self.criticality = criticality;
        self
    }

    /// The same call under an idempotency key.
    #[must_use]
    pub fn with_idempotency(mut self, idempotency: Option<Arc<Idempotency>>) -> Self {
        self.idempotency = idempotency;
        self
    }

    /// The same call after so many attempts that failed. What is called on its behalf is not
    /// repeated by itself: one layer repeats.
    #[must_use]
    pub fn with_attempt(mut self, failed: u32) -> Self {
        self.attempt = failed;
        self
    }

    /// The same call, about what this key names: where clients balance by consistent hashing, calls
    /// about the same go to the same instance. It goes one hop far, and says nothing to the callee.
    #[must_use]
    pub fn with_affinity(mut self, key: impl AsRef<[u8]>) -> Self {
        self.affinity = Some(xxhash_rust::xxh3::xxh3_64(key.as_ref()));
        self
    }

    /// The same call, about nothing in particular.
    #[must_use]
    pub fn without_affinity(mut self) -> Self {
        self.affinity = None;
        self
    }

    /// A number for what the call is about, if its caller said so.
    #[must_use]
    pub fn affinity(&self) -> Option<u64> {
        self.affinity
    }

    /// How many attempts of this call failed before.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Until when.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Who asks.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Which trace.
    #[must_use]
    pub fn trace(&self) -> TraceContext {
        self.trace
    }

    /// How much it matters.
    #[must_use]
    pub fn criticality(&self) -> Criticality {
        self.criticality
    }

    /// The key under which this write is done once.
    #[must_use]
    pub fn idempotency(&self) -> Option<&Arc<Idempotency>> {
        self.idempotency.as_ref()
    }

    /// Checks that the caller may do `permission` to something of `owner`'s.
    ///
    /// # Errors
    /// `Unauthenticated` for nobody, `PermissionDenied` for somebody else.
    pub fn allow(&self, permission: impl Permission, owner: impl AsRef<str>) -> Result<(), Error> {
        self.principal.allow(&permission, owner.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criticality_comes_back_from_its_name() {
        assert_eq!(
            Criticality::parse("sheddable-plus"),
            Some(Criticality::SheddablePlus)
        );
        assert_eq!(Criticality::parse("vip"), None);
    }
}
