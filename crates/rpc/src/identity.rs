//! Who calls: tokens verified offline by the issuer's public keys.
//!
//! A token is a JWT signed with EdDSA. It holds iff it is at most 8 KiB; its header has exactly
//! `alg`, `typ` (`at+jwt`) and `kid`; the key set knows the `kid`; the signature is right; `iss` is
//! the configured issuer; `aud` names this service; `exp`, `iat`, `nbf`, `sub` and `jti` are there;
//! it lives at most 15 minutes; and now is inside, give or take 30 seconds. The library checks the
//! signature alone: its claim checks are laxer than these rules (RFC 9068, RFC 8725).

pub mod contract {
    //! The contract of whoever publishes a key set.
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

mod keys;
mod token;
mod verified;

pub use keys::{KeySource, Keys};
pub(crate) use token::expired;
pub use token::{Claims, MAX_LIFETIME, SigningKey};

use backlot_core::{Clock, Error, Principal};
use std::sync::Arc;
use verified::Verified;

/// Verifies tokens for one service.
#[derive(Debug)]
pub struct Verifier {
    issuer: String,
    audience: &'static str,
    keys: Keys,
    clock: Clock,
    verified: Verified,
}

impl Verifier {
    /// A verifier of tokens that `issuer` made for the service `audience`.
    #[must_use]
    pub fn new(issuer: String, audience: &'static str, keys: Keys, clock: Clock) -> Self {
        Verifier {
            issuer,
            audience,
            keys,
            clock,
            verified: Verified::default(),
        }
    }

    /// The principal of a token verified lately.
    pub(crate) fn known(&self, token: &str) -> Option<Principal> {
        self.verified.get(token, self.clock.wall().seconds())
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// `Unauthenticated` when it does not hold, saying which rule it breaks; `Unavailable` when the
    /// issuer's keys were never to be had.
    pub async fn verify(&self, token: &str) -> Result<Principal, Error> {
        let parts = token::Parts::split(token)?;
        let Some(key) = self.keys.get(parts.kid()).await? else {
            return Err(Error::unauthenticated(
                "the token is signed with a key that its issuer does not publish",
            ));
        };
        let now = self.clock.wall().seconds();
        let claims = parts.verify(&key, &self.issuer, self.audience, now)?;
        let user = Arc::new(claims.into_user(token));
        self.verified
            .put(token, Arc::clone(&user), parts.expires(), now);
        Ok(Principal::User(user))
    }
}
