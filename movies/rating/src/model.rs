//! The words of ratings. What cannot be, cannot be written down.

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
    fn nobody_is_not_zero_stars() {
        assert_eq!(Aggregate::default().mean(), None);
    }
}
