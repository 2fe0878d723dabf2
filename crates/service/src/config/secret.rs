//! Text that is never printed.

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// What is printed instead.
pub(super) const MASK: &str = "***";

/// A password, key or token. Written as text, or as `{ file = "/run/secrets/password" }` to be
/// read from a file (a line break at its end is left out). Printed as `***`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The secret itself: for whoever it is meant for, never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether none was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // That none was given is no secret.
        serializer.serialize_str(if self.is_empty() { "" } else { MASK })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

const EXPECTED: &str = "a secret must be text in quotes or { file = \"PATH\" }";

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
        if text == MASK {
            return Err(E::custom(
                "\"***\" is how a secret is printed, not the secret: write the secret itself",
            ));
        }
        Ok(Secret::new(text))
    }

    // Other types are refused without repeating the value.
    fn visit_bool<E: de::Error>(self, _value: bool) -> Result<Secret, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_i64<E: de::Error>(self, _value: i64) -> Result<Secret, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_u64<E: de::Error>(self, _value: u64) -> Result<Secret, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_f64<E: de::Error>(self, _value: f64) -> Result<Secret, E> {
        Err(E::custom(EXPECTED))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
        let mut path: Option<String> = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "file" {
                return Err(de::Error::custom(format!(
                    "unknown key {key:?}: {EXPECTED}"
                )));
            }
            path = Some(map.next_value()?);
        }
        let path = path.ok_or_else(|| de::Error::custom(EXPECTED))?;
        let text = std::fs::read_to_string(&path).map_err(|error| {
            de::Error::custom(format!(
                "the secret's file {path:?} cannot be read: {error}"
            ))
        })?;
        Ok(Secret::new(
            text.strip_suffix('\n')
                .map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line)),
        ))
    }
}
