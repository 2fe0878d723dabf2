//! Endpoints.

use crate::signature::Secret;
use backlot_core::{Error, Timestamp};
use std::time::Duration;

/// How many deliveries run at once unless it is said.
const CONCURRENCY: u32 = 8;
/// The attempts of a message unless it is said: with the pauses between them they take about four hours, and at
/// most eight.
const ATTEMPTS: u32 = 12;
/// How long a delivery may take unless it is said.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where messages of a topic are pushed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) target: Target,
    pub(crate) secret: Secret,
    /// The one before, and until when it signs too.
    pub(crate) old: Option<(Secret, Timestamp)>,
    /// Why nothing is pushed, and since when.
    pub(crate) disabled: Option<(String, Timestamp)>,
    /// Rises with every change.
    pub(crate) revision: i64,
}

/// What is pushed, where to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) topic: String,
    pub(crate) url: String,
    pub(crate) concurrency: u32,
    pub(crate) attempts: u32,
    pub(crate) timeout: Duration,
    pub(crate) ordered: bool,
}

impl Target {
    /// With what is usual for whatever is 0.
    pub(crate) fn usual(mut self) -> Self {
        if self.concurrency == 0 {
            self.concurrency = CONCURRENCY;
        }
        if self.attempts == 0 {
            self.attempts = ATTEMPTS;
        }
        if self.timeout.is_zero() {
            self.timeout = TIMEOUT;
        }
        self
    }
}

impl Endpoint {
    /// The group that it reads for.
    pub(crate) fn group(&self) -> String {
        group(&self.name)
    }

    /// The secrets that sign now.
    pub(crate) fn secrets(&self, now: Timestamp) -> Vec<&Secret> {
        let old = self.old.iter();
        let old = old.filter(|(_, until)| *until > now);
        let secrets = old.map(|(secret, _)| secret);
        std::iter::once(&self.secret).chain(secrets).collect()
    }
}

/// The group that the endpoint of this name reads for.
pub(crate) fn group(name: &str) -> String {
    format!("webhook.{name}")
}

/// A name is part of the name of a group and of its topics.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(is_part) {
        return Ok(());
    }
    let cure = "take 1 to 64 letters, digits, '-' and '_'";
    Err(
        Error::invalid_argument(format!("name: {name:?} cannot be: {cure}"))
            .with_violation("name", cure),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_before_signs_until_its_time_is_over() {
        let secret = |text: &str| Secret::kept(text);
        let endpoint = Endpoint {
            name: "shop".into(),
            target: Target {
                topic: "orders".into(),
                url: "https://example.com/".into(),
                concurrency: 0,
                attempts: 0,
                timeout: Duration::ZERO,
                ordered: false,
            }
            .usual(),
            secret: secret("new"),
            old: Some((secret("old"), Timestamp(100))),
            disabled: None,
            revision: 1,
        };
        assert_eq!(
            endpoint.secrets(Timestamp(99)),
            [&secret("new"), &secret("old")]
        );
        assert_eq!(endpoint.secrets(Timestamp(100)), [&secret("new")]);
        assert_eq!(
            (endpoint.target.concurrency, endpoint.target.attempts),
            (8, 12)
        );
    }

    #[test]
    fn a_name_is_part_of_other_names() {
        for name in ["a", "shop-1", "SHOP_2"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "x".repeat(65);
        for name in ["", "a.b", "a b", "ä", "a/b", &long] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
