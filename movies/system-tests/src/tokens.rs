//! Who a scenario may be.

use backlot::identity::{Claims, MAX_LIFETIME, SigningKey};
use backlot::{Clock, Dice, Principal};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The services that tokens are meant for, unless a scenario says otherwise.
pub const AUDIENCE: [&str; 7] = [
    "auth", "broker", "mail", "metadata", "movie", "probe", "rating",
];
/// The issuer that services believe.
pub const ISSUER: &str = "movies";

/// Makes principals with tokens that hold. Clones share it.
#[derive(Clone)]
pub struct Tokens {
    key: Arc<SigningKey>,
    clock: Clock,
    dice: Dice,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tokens").field(&self.key.kid()).finish()
    }
}

impl Tokens {
    /// Signs with the key the auth service has: the secret of its name in this world.
    ///
    /// # Panics
    /// When the library refuses the seed.
    #[must_use]
    pub fn new(seed: &[u8; 32], clock: Clock, dice: Dice) -> Self {
        let key = match SigningKey::from_seed(seed) {
            Ok(key) => Arc::new(key),
            Err(error) => panic!("any 32 bytes are a seed: {}", error.chain()),
        };
        Tokens { key, clock, dice }
    }

    /// A user without roles.
    #[must_use]
    pub fn user(&self, name: &str) -> Principal {
        self.principal(name, &[], &AUDIENCE)
    }

    /// A user who may edit the catalogue.
    #[must_use]
    pub fn editor(&self, name: &str) -> Principal {
        self.principal(name, &["editor"], &AUDIENCE)
    }

    /// Somebody who may do all that the broker can.
    #[must_use]
    pub fn operator(&self, name: &str) -> Principal {
        self.principal(name, &["operator"], &AUDIENCE)
    }

    /// A user with these roles, with a token for these services.
    ///
    /// # Panics
    /// When it cannot be signed.
    #[must_use]
    pub fn principal(&self, name: &str, roles: &[&str], audience: &[&str]) -> Principal {
        self.sign(Claims {
            roles: set(roles),
            ..self.claims(name, audience, MAX_LIFETIME)
        })
    }

    /// A user whose token has ended.
    ///
    /// # Panics
    /// When it cannot be signed.
    #[must_use]
    pub fn expired(&self, name: &str) -> Principal {
        let ago = 2 * i64::try_from(MAX_LIFETIME.as_secs()).unwrap_or_default();
        let mut claims = self.claims(name, &AUDIENCE, MAX_LIFETIME);
        for time in [&mut claims.iat, &mut claims.nbf, &mut claims.exp] {
            *time -= ago;
        }
        self.sign(claims)
    }

    fn sign(&self, claims: Claims) -> Principal {
        match self.key.principal(claims) {
            Ok(principal) => principal,
            Err(error) => panic!("claims can be signed: {}", error.chain()),
        }
    }

    fn claims(&self, name: &str, audience: &[&str], lifetime: Duration) -> Claims {
        Claims::new(
            ISSUER,
            name,
            set(audience),
            lifetime,
            &self.clock,
            &self.dice,
        )
    }
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
