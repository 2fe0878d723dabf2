//! Where calls come in from outside: headers become a [`Context`] with a verified principal.

use crate::contract::Method;
use crate::identity::Verifier;
use crate::wire;
use backlot_core::{Context, Error};
use http::HeaderMap;
use std::sync::Arc;

/// Makes contexts of headers.
#[derive(Clone, Debug)]
pub struct Edge {
    verifier: Option<Arc<Verifier>>,
}

impl Edge {
    /// An edge that verifies tokens.
    #[must_use]
    pub fn new(verifier: Arc<Verifier>) -> Self {
        Edge {
            verifier: Some(verifier),
        }
    }

    /// An edge where nobody can have an identity: a token is refused, not ignored.
    #[must_use]
    pub fn anonymous() -> Self {
        Edge { verifier: None }
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
        let cx = wire::read(headers, method)?;
        let Some(token) = wire::bearer(headers)? else {
            return Ok(cx);
        };
        let Some(verifier) = &self.verifier else {
            return Err(Error::unauthenticated(
                "this service knows no token issuer: configure 'identity'",
            ));
        };
        let principal = match verifier.known(token) {
            Some(principal) => principal,
            None => cx.deadline().run(verifier.verify(token)).await?,
        };
        Ok(cx.with_principal(principal))
    }
}
