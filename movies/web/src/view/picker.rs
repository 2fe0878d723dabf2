//! The ten half stars that one is chosen of.

use crate::stars::HalfStars;

/// The control, and what is chosen in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picker {
    pub(crate) chosen: Option<HalfStars>,
}

impl Picker {
    pub(crate) fn choices(&self) -> Vec<HalfStars> {
        HalfStars::all().collect()
    }

    pub(crate) fn is_chosen(&self, stars: &HalfStars) -> bool {
        self.chosen == Some(*stars)
    }
}
