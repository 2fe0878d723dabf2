//! Where calls come in from outside: headers become a [`Context`] with a verified principal.

use crate::contract::Method;
use crate::identity::Verifier;
use crate::wire;
use backlot_core::trace::TraceContext;
use backlot_core::{Context, Deadline, Dice, Error, Principal};
use http::HeaderMap;
use std::sync::Arc;

/// Makes contexts of headers.
#[derive(Clone, Debug)]
pub struct Edge {
    verifier: Option<Arc<Verifier>>,
    /// For traces that begin here.
    dice: Option<Dice>,
}

impl Edge {
    /// An edge that verifies tokens.
    #[must_use]
    pub fn new(verifier: Arc<Verifier>) -> Self {
        Edge {
            verifier: Some(verifier),
            dice: None,
        }
    }

    /// The same edge, where a call that belongs to no trace begins one: what its caller is told of a
    /// failure and what the log says of it can then be brought together.
    #[must_use]
    pub fn tracing(mut self, dice: Dice) -> Self {
        self.dice = Some(dice);
        self
    }

    /// An edge where nobody can have an identity: a token is refused, not ignored.
    #[must_use]
    pub fn anonymous() -> Self {
        Edge {
            verifier: None,
            dice: None,
        }
    }

    /// The context of a call.
    ///
    /// # Errors
    /// `InvalidArgument` for malformed headers, `Unauthenticated` for a token that does not hold,
    /// `Unavailable` when the issuer's keys were never to be had.
    pub async fn context(
        &self,
        headers: &HeaderMap,
        method: &'static Method,
    ) -> Result<Context, Error> {
        self.context_in(self.trace(headers), headers, method).await
    }

    /// The trace a call belongs to, or the one it begins.
    pub(crate) fn trace(&self, headers: &HeaderMap) -> TraceContext {
        let trace = wire::trace(headers);
        match &self.dice {
            Some(dice) if trace.is_none() => trace.child(dice),
            _ => trace,
        }
    }

    /// The context of a call of this trace.
    pub(crate) async fn context_in(
        &self,
        trace: TraceContext,
        headers: &HeaderMap,
        method: &'static Method,
    ) -> Result<Context, Error> {
        let cx = wire::read(headers, method)?.with_trace(trace);
        let Some(token) = wire::bearer(headers)? else {
            return Ok(cx);
        };
        let principal = self.principal(token, cx.deadline()).await?;
        Ok(cx.with_principal(principal))
    }

    /// Who shows this token.
    ///
    /// # Errors
    /// `Unauthenticated` for a token that does not hold, `Unavailable` when the issuer's keys were
    /// never to be had, `DeadlineExceeded` when they do not come in time.
    pub async fn principal(&self, token: &str, deadline: Deadline) -> Result<Principal, Error> {
        let Some(verifier) = &self.verifier else {
            return Err(Error::unauthenticated(
                "this service knows no token issuer: configure 'identity'",
            ));
        };
        match verifier.known(token) {
            Some(principal) => Ok(principal),
            None => deadline.run(verifier.verify(token)).await,
        }
    }
}
