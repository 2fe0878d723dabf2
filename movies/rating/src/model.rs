//! The words of ratings. What cannot be, cannot be written down.

use backlot::Timestamp;
use serde::{Deserialize, Serialize};

/// How good: 1 to 10 half stars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HalfStars(u8);

impl HalfStars {
    pub(crate) fn new(half_stars: i32) -> Option<Self> {
        u8::try_from(half_stars)
            .ok()
            .filter(|half_stars| (1..=10).contains(half_stars))
            .map(HalfStars)
    }

    pub(crate) fn get(self) -> u8 {
        self.0
    }
}

/// What is rated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    /// For example `movie`.
    pub(crate) kind: String,
    /// The film's id.
    pub(crate) id: String,
}

/// One user's rating of one record.
#[derive(Clone, Debug)]
pub(crate) struct Rating {
    pub(crate) record: Record,
    pub(crate) user: String,
    pub(crate) value: HalfStars,
    /// When it was given; nothing for now.
    pub(crate) rated_at: Option<Timestamp>,
}

/// One of a user's ratings, as the user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnRating {
    pub(crate) record: Record,
    pub(crate) value: HalfStars,
    pub(crate) rated_at: Timestamp,
}

/// What a record's ratings come to since they last changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) record_id: String,
    pub(crate) count: u32,
    /// In half stars.
    pub(crate) sum: u64,
    pub(crate) version: u32,
    pub(crate) changed_at: Timestamp,
}

/// An average that somebody else publishes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OutsideRating {
    pub(crate) record_id: String,
    /// Who publishes it.
    pub(crate) source: String,
    /// In stars.
    pub(crate) mean: f64,
    pub(crate) votes: u32,
}

/// All ratings of one record in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Aggregate {
    pub(crate) count: u32,
    /// In half stars.
    pub(crate) sum: u64,
    /// How many ratings of 1, 2, ... 10 half stars.
    pub(crate) histogram: [u32; 10],
    /// One more with each change.
    pub(crate) version: u32,
}

impl Aggregate {
    /// In stars; nothing without ratings.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / f64::from(self.count) / 2.0)
    }
}

/// What one write does to an aggregate: exactly the difference of before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) count: i64,
    pub(crate) sum: i64,
    pub(crate) histogram: [i64; 10],
}

impl Difference {
    /// `None` when nothing changes.
    pub(crate) fn between(before: Option<HalfStars>, after: Option<HalfStars>) -> Option<Self> {
        if before == after {
            return None;
        }
        let mut difference = Difference::default();
        for (value, sign) in [(before, -1), (after, 1)] {
            let Some(HalfStars(value)) = value else {
                continue;
            };
            difference.count += sign;
            difference.sum += sign * i64::from(value);
            difference.histogram[usize::from(value) - 1] += sign;
        }
        Some(difference)
    }

    /// Both, one after the other.
    pub(crate) fn add(&mut self, other: &Difference) {
        self.count += other.count;
        self.sum += other.sum;
        for (cell, other) in self.histogram.iter_mut().zip(other.histogram) {
            *cell += other;
        }
    }

    /// An aggregate after it, with one version more. Nothing when it takes away what was never
    /// there, which no writer does.
    pub(crate) fn applied_to(&self, before: &Aggregate) -> Option<Aggregate> {
        let mut after = Aggregate {
            count: cell(before.count, self.count)?,
            sum: before.sum.checked_add_signed(self.sum)?,
            histogram: before.histogram,
            version: before.version.checked_add(1)?,
        };
        for (value, difference) in after.histogram.iter_mut().zip(self.histogram) {
            *value = cell(*value, difference)?;
        }
        Some(after)
    }
}

fn cell(before: u32, difference: i64) -> Option<u32> {
    u32::try_from(i64::from(before) + difference).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_stars_are_one_to_ten() {
        assert!(HalfStars::new(1).is_some() && HalfStars::new(10).is_some());
        for out in [i32::MIN, -1, 0, 11, 256, 257, i32::MAX] {
            assert!(HalfStars::new(out).is_none(), "{out}");
        }
    }

    #[test]
    fn a_replaced_rating_counts_once() {
        let difference = Difference::between(HalfStars::new(4), HalfStars::new(9)).unwrap();
        assert_eq!((difference.count, difference.sum), (0, 5));
        assert_eq!((difference.histogram[3], difference.histogram[8]), (-1, 1));
        assert_eq!(
            Difference::between(HalfStars::new(4), HalfStars::new(4)),
            None
        );
    }

    #[test]
    fn a_difference_never_leaves_less_than_nothing() {
        let one = Difference::between(None, HalfStars::new(4)).unwrap();
        let after = one.applied_to(&Aggregate::default()).unwrap();
        assert_eq!((after.count, after.sum, after.version), (1, 4, 1));
        let back = Difference::between(HalfStars::new(4), None).unwrap();
        assert_eq!(
            back.applied_to(&after)
                .map(|after| (after.count, after.sum)),
            Some((0, 0))
        );
        assert_eq!(back.applied_to(&Aggregate::default()), None);
    }

    #[test]
    fn nobody_is_not_zero_stars() {
        assert_eq!(Aggregate::default().mean(), None);
    }
}
