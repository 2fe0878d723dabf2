//! What an import has done so far, in numbers.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::AddAssign;

/// How many of one kind there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Written {
    /// Not there before.
    pub new: u64,
    /// There, with something else in them.
    pub changed: u64,
    /// There, just so.
    pub unchanged: u64,
}

/// What an import has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Films.
    pub films: Written,
    /// Ratings that users gave.
    pub ratings: Written,
    /// Ratings published as events: what they change is seen by whoever takes them in.
    pub submitted: u64,
    /// Ratings taken back.
    pub deleted: u64,
    /// Ratings to take back that were not there.
    pub missing: u64,
    /// Averages that others publish.
    pub outside: u64,
    /// Rows that came again, a little later in the same file: the last one counted.
    pub repeated: u64,
    /// Rows that are well formed and not meant for this catalogue, such as episodes.
    pub left_out: u64,
    /// Lines taken with a part of them cut.
    pub cut: u64,
    /// Bad lines, left out.
    pub bad: u64,
    /// Files whose end could not be read: what was before it is in.
    pub damaged: u64,
}

impl Written {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.new + self.changed + self.unchanged
    }
}

impl AddAssign for Written {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.films += other.films;
        self.ratings += other.ratings;
        self.submitted += other.submitted;
        self.deleted += other.deleted;
        self.missing += other.missing;
        self.outside += other.outside;
        self.repeated += other.repeated;
        self.left_out += other.left_out;
        self.cut += other.cut;
        self.bad += other.bad;
        self.damaged += other.damaged;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = |f: &mut fmt::Formatter<'_>, name: &str, of: &Written| {
            writeln!(
                f,
                "  {name:<9}{:>12}   {} new, {} changed, {} unchanged",
                digits(of.total()),
                digits(of.new),
                digits(of.changed),
                digits(of.unchanged)
            )
        };
        written(f, "films", &self.films)?;
        if self.submitted == 0 || self.ratings.total() > 0 {
            written(f, "ratings", &self.ratings)?;
        }
        let more = [
            ("submitted", self.submitted, "ratings published as events"),
            ("outside", self.outside, "averages that others publish"),
            ("deleted", self.deleted, "ratings taken back"),
            (
                "missing",
                self.missing,
                "ratings to take back that were not there",
            ),
            (
                "repeated",
                self.repeated,
                "rows that came again: the last one counts",
            ),
            (
                "left out",
                self.left_out,
                "rows that are no films for this catalogue",
            ),
            ("cut", self.cut, "lines taken with a part of them cut"),
        ];
        for (name, count, what) in more {
            if count > 0 {
                writeln!(f, "  {name:<9}{:>12}   {what}", digits(count))?;
            }
        }
        write!(f, "  bad lines{:>12}", digits(self.bad))
    }
}

/// A number with its digits in groups of three.
#[must_use]
pub fn digits(number: u64) -> String {
    let plain = number.to_string();
    let mut out = String::with_capacity(plain.len() + plain.len() / 3);
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && (plain.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_groups() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(digits(number), text);
        }
    }

    #[test]
    fn what_did_not_happen_is_not_mentioned() {
        let mut tally = Tally::default();
        tally.films.new = 3;
        tally += Tally {
            bad: 2,
            outside: 1,
            ..Tally::default()
        };
        assert_eq!(
            tally.to_string(),
            "  films               3   3 new, 0 changed, 0 unchanged
  ratings             0   0 new, 0 changed, 0 unchanged
  outside             1   averages that others publish
  bad lines           2"
        );
    }
}
