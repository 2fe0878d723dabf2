//! Keys that make a write safe to repeat.
//!
//! A key is the caller's name for one intended effect. Repeating it with the same payload gives
//! the first answer again; with another payload it is refused
//! (IETF draft *The Idempotency-Key HTTP Header Field*).

use crate::Error;

/// The longest key accepted, in bytes.
pub const MAX_KEY_LENGTH: usize = 128;

/// A caller's key, and the fingerprint of what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The caller's key: 1 to 128 printable ASCII characters.
    pub key: String,
    /// The method it came with, so that the same key means nothing to another.
    pub method: &'static str,
    /// XXH3-64 of the encoded request; 0 until a server has seen the request.
    pub fingerprint: u64,
}

impl Idempotency {
    /// Checks a caller's key.
    ///
    /// # Errors
    /// `InvalidArgument` when it is empty, too long or not printable ASCII.
    pub fn parse(key: &str) -> Result<Self, Error> {
        if key.is_empty()
            || key.len() > MAX_KEY_LENGTH
            || !key.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(Error::invalid_argument(format!(
                "idempotency-key must be 1 to {MAX_KEY_LENGTH} printable ASCII characters without blanks; a UUID is a good choice"
            )));
        }
        Ok(Idempotency {
            key: key.to_owned(),
            method: "",
            fingerprint: 0,
        })
    }
}

/// The fingerprint of an encoded request.
#[must_use]
pub fn fingerprint(encoded: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded_and_printable() {
        assert!(Idempotency::parse("a-1").is_ok());
        for key in ["", "a b", "\n", "ä", &"x".repeat(129)] {
            assert!(Idempotency::parse(key).is_err(), "{key:?}");
        }
    }
}
