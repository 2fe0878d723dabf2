//! The ratings of a film in the form the page shows them, rendered and live.

use crate::stars::HalfStars;
use movies_api::Aggregate;
use serde::Serialize;

/// Count, mean and histogram, ready to show.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tally {
    pub(crate) count: u32,
    /// With one decimal; absent without ratings. Rounded here, so that script and template agree.
    pub(crate) mean: Option<String>,
    /// Always ten cells.
    pub(crate) histogram: [u32; 10],
    pub(crate) version: u32,
}

/// One bar of the histogram, in a drawing 200 wide and 100 high.
pub(crate) struct Bar {
    pub(crate) stars: HalfStars,
    pub(crate) count: u32,
    pub(crate) x: u32,
    pub(crate) y: String,
    pub(crate) height: String,
}

impl Tally {
    pub(crate) fn of(aggregate: Option<&Aggregate>) -> Self {
        let Some(aggregate) = aggregate else {
            return Tally {
                count: 0,
                mean: None,
                histogram: [0; 10],
                version: 0,
            };
        };
        let mut histogram = [0; 10];
        for (cell, count) in histogram.iter_mut().zip(&aggregate.histogram) {
            *cell = *count;
        }
        Tally {
            count: aggregate.count,
            mean: aggregate
                .mean
                .filter(|mean| mean.is_finite())
                .map(|mean| format!("{mean:.1}")),
            histogram,
            version: aggregate.version,
        }
    }

    /// The mean as a share of five stars, in per cent.
    pub(crate) fn percent(&self) -> String {
        let stars: f64 = self
            .mean
            .as_deref()
            .and_then(|mean| mean.parse().ok())
            .unwrap_or(0.0);
        format!("{:.0}", stars * 20.0)
    }

    /// `1,234 ratings`.
    pub(crate) fn count_words(&self) -> String {
        match self.count {
            0 => "no ratings yet".to_owned(),
            1 => "1 rating".to_owned(),
            count => format!("{} ratings", grouped(count)),
        }
    }

    pub(crate) fn bars(&self) -> Vec<Bar> {
        let most = self.histogram.iter().copied().max().unwrap_or(0).max(1);
        let bar = |(stars, count): (HalfStars, &u32)| {
            let height = 100.0 * f64::from(*count) / f64::from(most);
            Bar {
                stars,
                count: *count,
                x: 20 * u32::from(stars.get() - 1) + 2,
                y: format!("{:.1}", 100.0 - height),
                height: format!("{height:.1}"),
            }
        };
        HalfStars::all().zip(&self.histogram).map(bar).collect()
    }
}

/// With a comma between thousands.
pub(crate) fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_not_zero_stars() {
        let tally = Tally::of(None);
        assert_eq!(
            (tally.mean.as_deref(), tally.count_words().as_str()),
            (None, "no ratings yet")
        );
        assert_eq!(tally.bars().len(), 10);
    }

    #[test]
    fn the_tallest_bar_fills_the_drawing() {
        let histogram = vec![0, 0, 0, 0, 0, 0, 5, 20, 10, 0];
        let tally = Tally::of(Some(&Aggregate {
            count: 35,
            mean: Some(4.07),
            histogram,
            version: 3,
        }));
        let heights: Vec<_> = tally.bars().into_iter().map(|bar| bar.height).collect();
        assert_eq!(&heights[6..9], ["25.0", "100.0", "50.0"]);
        assert_eq!(
            (tally.mean.as_deref(), tally.percent().as_str()),
            (Some("4.1"), "82")
        );
    }

    #[test]
    fn a_short_histogram_is_filled_up() {
        let tally = Tally::of(Some(&Aggregate {
            count: 1,
            mean: Some(0.5),
            histogram: vec![1],
            version: 1,
        }));
        assert_eq!(tally.histogram, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [grouped(7), grouped(1234), grouped(1_000_000)],
            ["7", "1,234", "1,000,000"]
        );
    }
}
