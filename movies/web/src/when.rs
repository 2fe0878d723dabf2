//! Days, for people.

use std::time::{Duration, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// The last second of the year 9999; later ones have no form that machines read.
const END: u64 = 253_402_300_799;

/// A day of UTC.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Day {
    /// `2026-11-21`.
    pub(crate) machine: String,
    /// `21 Nov 2026`.
    pub(crate) people: String,
}

impl Day {
    /// The day of a time in milliseconds since 1970 UTC; none for what cannot be one.
    pub(crate) fn of(milliseconds: i64) -> Option<Self> {
        let milliseconds = u64::try_from(milliseconds)
            .ok()
            .filter(|since| *since > 0)?;
        let time = Duration::from_secs((milliseconds / 1000).min(END));
        let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + time).to_string();
        let machine = text.get(..10)?.to_owned();
        let mut parts = machine.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
        let people = format!("{} {month} {year}", day.trim_start_matches('0'));
        Some(Day { machine, people })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_day() {
        let day = Day::of(1_793_577_600_000).unwrap();
        assert_eq!(
            (day.machine.as_str(), day.people.as_str()),
            ("2026-11-02", "2 Nov 2026")
        );
        assert_eq!(Day::of(i64::MAX).unwrap().machine, "9999-12-31");
    }

    #[test]
    fn no_time_has_none() {
        assert_eq!((Day::of(0), Day::of(-5)), (None, None));
    }
}
