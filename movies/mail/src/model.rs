//! Who gets mail, and what it is known by.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use backlot::Timestamp;
use std::time::Duration;

/// The first Monday at 7:00 UTC: 1970-01-05.
const MONDAY: i64 = (4 * 24 + 7) * 3_600_000;

/// Somebody who asked for mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    /// How many addresses were tried on which day since 1970.
    pub(crate) tried_on: i64,
    pub(crate) tried: i64,
    pub(crate) note: String,
}

/// Where mail goes, or shall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) token: String,
    pub(crate) user: String,
    pub(crate) address: String,
    /// Whether somebody who reads its mail said yes.
    pub(crate) confirmed: bool,
    /// When the period began whose chart was sent last, or that needs none.
    pub(crate) last_chart: Timestamp,
}

/// What is kept of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// When the period began in which a time lies, of those that are so long; one of a week begins on
/// Monday.
pub(crate) fn period(at: Timestamp, every: Duration) -> Timestamp {
    let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
    Timestamp(
        (at.0 - MONDAY)
            .div_euclid(every)
            .saturating_mul(every)
            .saturating_add(MONDAY),
    )
}

/// The id of a message: the same for the same words, and nothing of them.
pub(crate) fn id(words: &[&str]) -> String {
    hex(digest(&SHA256, words.join("\0").as_bytes()).as_ref())
}

/// What nobody makes up who does not know the key: the same for the same user and address, so that
/// a link that was sent once is good whenever that address is asked for.
pub(crate) fn token(key: &hmac::Key, user: &str, address: &str) -> String {
    hex(hmac::sign(key, format!("{user}\0{address}").as_bytes()).as_ref())
}

/// Sixteen bytes are enough.
fn hex(bytes: &[u8]) -> String {
    let some = bytes.iter().take(16);
    some.map(|byte| format!("{byte:02x}")).collect()
}

/// An address so that who has it knows it again, and nobody else learns it.
pub(crate) fn masked(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
    let end = domain.rsplit_once('.').map_or("", |(_, end)| end);
    format!("{}…@{}….{end}", first(local), first(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday_at_seven() {
        let week = Duration::from_secs(7 * 24 * 3600);
        // 2026-11-23, a Monday.
        let seven = Timestamp::of_seconds(1_795_417_200);
        let of = |at: i64| period(Timestamp(at), week);
        assert_eq!(of(seven.0), seven);
        assert_eq!(of(seven.0 + 6 * 24 * 3_600_000), seven);
        assert_eq!(of(seven.0 - 1), Timestamp(seven.0 - 7 * 24 * 3_600_000));
    }

    #[test]
    fn ids_and_tokens_tell_nothing_and_are_the_same_for_the_same() {
        assert_eq!(id(&["a", "b"]), id(&["a", "b"]));
        assert_ne!(id(&["ab", ""]), id(&["a", "b"]));
        let key = |byte| hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32]);
        let of = |byte, user, address| token(&key(byte), user, address);
        assert_eq!(of(1, "ann", "a@x"), of(1, "ann", "a@x"));
        assert_ne!(of(1, "ann", "a@x"), of(2, "ann", "a@x"));
        assert_ne!(of(1, "ann", "a@x"), of(1, "bob", "a@x"));
        assert_eq!(of(1, "ann", "a@x").len(), 32);
    }

    #[test]
    fn an_address_is_known_again_by_its_owner_alone() {
        assert_eq!(masked("ann.lee@mail.example.com"), "a…@m….com");
        assert_eq!(masked("ann@localhost"), "a…@l….");
    }
}
