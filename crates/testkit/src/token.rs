//! Tokens of any shape, signed: what an issuer would never make has to be refused too.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Signs whatever it is given with an Ed25519 key.
pub struct Forge {
    pair: Ed25519KeyPair,
    kid: String,
}

impl std::fmt::Debug for Forge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Forge").field(&self.kid).finish()
    }
}

impl Forge {
    /// A forge that holds the key with this seed.
    ///
    /// # Panics
    /// When the library refuses the seed.
    #[must_use]
    #[expect(clippy::expect_used, reason = "any 32 bytes are a seed")]
    pub fn new(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed");
        let kid = URL_SAFE_NO_PAD.encode(&pair.public_key().as_ref()[..12]);
        Forge { pair, kid }
    }

    /// The name under which the system publishes this key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The header of a good token.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.kid })
    }

    /// The claims of a good token: for `subject`, to all of `audience`, from `now` (seconds since
    /// 1970 UTC) for ten minutes.
    #[must_use]
    pub fn claims(issuer: &str, subject: &str, audience: &[&str], now: i64) -> Value {
        json!({
            "iss": issuer, "sub": subject, "aud": audience, "exp": now + 600, "iat": now, "nbf": now,
            "jti": format!("{subject}-{now}"), "roles": [],
        })
    }

    /// A token of these parts, each as it stands, signed.
    #[must_use]
    pub fn sign(&self, header: &str, claims: &str) -> String {
        let unsigned = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(unsigned.as_bytes()));
        format!("{unsigned}.{signature}")
    }

    /// A token of these parts, signed.
    #[must_use]
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        self.sign(&header.to_string(), &claims.to_string())
    }
}

/// One part of a token: base64url without padding.
#[must_use]
pub fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}
