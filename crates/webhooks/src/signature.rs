//! Secrets and what they sign, as [Standard Webhooks](https://www.standardwebhooks.com) says: the id,
//! the time and the body, joined by dots, under HMAC-SHA256.

use aws_lc_rs::{digest, hmac};
use backlot_core::{Dice, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// What a secret's text begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret.
const BYTES: usize = 32;

/// What an endpoint and its caller know.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one: what the dice roll, under a key of 32 bytes that nobody else knows. Who knows one secret,
    /// and perhaps the dice by it, knows no other.
    #[must_use]
    pub fn drawn(key: &[u8; 32], dice: &Dice) -> Self {
        let mut rolled = [0; BYTES];
        dice.fill(&mut rolled);
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let bytes = hmac::sign(&key, &rolled);
        Secret(format!("{PREFIX}{}", STANDARD.encode(bytes)))
    }

    /// One that was kept.
    #[must_use]
    pub fn kept(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// Its text, for who has to know it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What tells it from others, and nothing of it.
    pub(crate) fn fingerprint(&self) -> String {
        let digest = digest::digest(&digest::SHA256, self.0.as_bytes());
        STANDARD.encode(&digest.as_ref()[..16])
    }

    /// The value that goes into the header `webhook-signature`.
    #[must_use]
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let encoded = self.0.strip_prefix(PREFIX).unwrap_or(&self.0);
        // What was kept is what was drawn; anything else is a key as it is.
        let bytes = STANDARD.decode(encoded);
        let bytes = bytes.unwrap_or_else(|_| encoded.as_bytes().to_vec());
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let mut signed = hmac::Context::with_key(&key);
        signed.update(format!("{id}.{}.", seconds(at)).as_bytes());
        signed.update(body);
        format!("v1,{}", STANDARD.encode(signed.sign()))
    }
}

/// The value that goes into the header `webhook-timestamp`: seconds since 1970 UTC.
#[must_use]
pub fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1000)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_others_compute_of_the_same() {
        let dice = Dice::seeded(1);
        for body in ["", "{}", "{\"film\":\"Amélie\"}"] {
            let secret = Secret::drawn(&[7; 32], &dice);
            let theirs = standardwebhooks::Webhook::new(secret.expose()).unwrap();
            let at = Timestamp(1_700_000_000_999);
            let theirs = theirs.sign("msg_1", seconds(at), body.as_bytes()).unwrap();
            assert_eq!(secret.sign("msg_1", at, body.as_bytes()), theirs);
        }
        // The example of the specification.
        let secret = Secret::kept("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let at = Timestamp::of_seconds(1_614_265_330);
        assert_eq!(
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_secret_is_not_printed_and_no_two_are_the_same() {
        let dice = Dice::seeded(1);
        let drawn = |key, dice: &Dice| Secret::drawn(&[key; 32], dice);
        let (one, two) = (drawn(1, &dice), drawn(1, &dice));
        assert_ne!(one, two);
        assert_ne!(drawn(2, &Dice::seeded(1)), drawn(3, &Dice::seeded(1)));
        assert!(one.expose().starts_with("whsec_") && one.expose().len() == 6 + 44);
        assert_eq!(format!("{one:?}"), "Secret(***)");
    }
}
