//! Half stars, as the page writes and reads them.

/// A rating: 1 to 10 half stars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HalfStars(u8);

impl HalfStars {
    /// All ten, from half a star to five.
    pub(crate) fn all() -> impl DoubleEndedIterator<Item = HalfStars> {
        (1..=10).map(HalfStars)
    }

    /// From the wire; anything but 1 to 10 is no rating.
    pub(crate) fn new(half_stars: i32) -> Option<Self> {
        u8::try_from(half_stars)
            .ok()
            .filter(|half_stars| (1..=10).contains(half_stars))
            .map(HalfStars)
    }

    /// From a form, in stars: `0.5` to `5` by halves.
    pub(crate) fn parse(stars: &str) -> Option<Self> {
        HalfStars::all().find(|half_stars| {
            let exact = half_stars.value();
            stars == exact || (!half_stars.is_half() && stars.strip_suffix(".0") == Some(exact))
        })
    }

    /// 1 to 10.
    pub(crate) fn get(self) -> u8 {
        self.0
    }

    /// In stars, for a form: `4.5`.
    pub(crate) fn value(self) -> &'static str {
        ["0.5", "1", "1.5", "2", "2.5", "3", "3.5", "4", "4.5", "5"][usize::from(self.0 - 1)]
    }

    /// In stars, for people: `4½`.
    pub(crate) fn label(self) -> &'static str {
        ["½", "1", "1½", "2", "2½", "3", "3½", "4", "4½", "5"][usize::from(self.0 - 1)]
    }

    /// In words: `4½ stars`.
    pub(crate) fn words(self) -> String {
        let unit = if self.0 <= 2 { "star" } else { "stars" };
        format!("{} {unit}", self.label())
    }

    /// As a share of five stars, in per cent.
    pub(crate) fn percent(self) -> String {
        (10 * u32::from(self.0)).to_string()
    }

    /// Whether it ends in the middle of a star.
    pub(crate) fn is_half(self) -> bool {
        !self.0.is_multiple_of(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_from_its_form() {
        for half_stars in HalfStars::all() {
            assert_eq!(HalfStars::parse(half_stars.value()), Some(half_stars));
        }
        assert_eq!(HalfStars::parse("4.0").map(HalfStars::get), Some(8));
        for wrong in [
            "", "0", "0.25", "5.5", "6", "-1", "NaN", "4,5", "4.5.0", " 4",
        ] {
            assert_eq!(HalfStars::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_wire_knows_one_to_ten() {
        assert!(
            HalfStars::new(0).is_none()
                && HalfStars::new(11).is_none()
                && HalfStars::new(-3).is_none()
        );
        assert_eq!(
            HalfStars::new(9).map(HalfStars::words).as_deref(),
            Some("4½ stars")
        );
    }
}
