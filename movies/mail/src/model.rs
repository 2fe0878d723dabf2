//! Who gets mail, and what it is known by.

use aws_lc_rs::digest::{SHA256, digest};
use backlot::{Dice, Timestamp};
use std::time::Duration;

/// The first Monday at 7:00 UTC: 1970-01-05.
const MONDAY: i64 = (4 * 24 + 7) * 3_600_000;

/// Somebody who gets mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscriber {
    pub(crate) user: String,
    /// Empty when nothing but what follows is known of the user.
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) confirmed: bool,
    /// The last period whose chart was sent, or that needs none.
    pub(crate) period: i64,
    /// How many addresses were tried on which day since 1970.
    pub(crate) day: i64,
    pub(crate) tried: i64,
    pub(crate) note: String,
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

/// In which period a time lies, of those that are so long; one of a week begins on Monday.
pub(crate) fn period(at: Timestamp, every: Duration) -> i64 {
    let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
    (at.0 - MONDAY).div_euclid(every)
}

/// The id of a message: the same for the same words, and nothing of them.
pub(crate) fn id(words: &[&str]) -> String {
    let hash = digest(&SHA256, words.join("\0").as_bytes());
    let hash = hash.as_ref().iter().take(16);
    hash.map(|byte| format!("{byte:02x}")).collect()
}

/// What nobody guesses.
pub(crate) fn token(dice: &Dice) -> String {
    format!("{:016x}{:016x}", dice.next_u64(), dice.next_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday_at_seven() {
        let week = Duration::from_secs(7 * 24 * 3600);
        // 2026-11-23, a Monday.
        let seven = Timestamp::of_seconds(1_795_417_200);
        let of = |at: Timestamp| period(at, week);
        assert_eq!(of(Timestamp(seven.0 - 1)) + 1, of(seven));
        assert_eq!(of(seven), of(Timestamp(seven.0 + 6 * 24 * 3_600_000)));
    }

    #[test]
    fn an_id_tells_nothing_and_is_the_same_for_the_same() {
        assert_eq!(id(&["a", "b"]), id(&["a", "b"]));
        assert_ne!(id(&["ab", ""]), id(&["a", "b"]));
        assert_eq!(id(&["ann@example.com"]).len(), 32);
    }
}
