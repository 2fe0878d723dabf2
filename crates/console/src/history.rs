//! How far groups were behind in the last minutes.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

/// How many samples are kept of a group: five minutes of two a second.
const SAMPLES: usize = 600;
/// Of how many groups; of more, those that come later in the order of names are shown without.
const GROUPS: usize = 500;
/// How wide and high a line is drawn, in its own units.
const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 24.0;
/// How many points a line has at most.
const POINTS: usize = 60;

/// Lag by topic and group.
#[derive(Debug, Default)]
pub(crate) struct History(BTreeMap<(String, String), VecDeque<u64>>);

impl History {
    /// Takes in how far each group is behind now; groups that are gone are forgotten.
    pub(crate) fn add<'g>(&mut self, now: impl Iterator<Item = (&'g str, &'g str, u64)>) {
        let mut kept = std::mem::take(&mut self.0);
        for (topic, group, lag) in now.take(GROUPS) {
            let name = (topic.to_owned(), group.to_owned());
            let mut samples = kept.remove(&name).unwrap_or_default();
            if samples.len() == SAMPLES {
                samples.pop_front();
            }
            samples.push_back(lag);
            self.0.insert(name, samples);
        }
    }

    /// The points of a line, for `polyline`: the highest sample of each stretch, so that no peak is
    /// lost. Nothing while there is nothing to see.
    pub(crate) fn line(&self, topic: &str, group: &str) -> String {
        let name = (topic.to_owned(), group.to_owned());
        let Some(samples) = self.0.get(&name).filter(|samples| samples.len() > 1) else {
            return String::new();
        };
        let stretch = samples.len().div_ceil(POINTS).max(1);
        let all: Vec<u64> = samples.iter().copied().collect();
        let peaks: Vec<u64> = all
            .chunks(stretch)
            .map(|stretch| stretch.iter().copied().max().unwrap_or_default())
            .collect();
        let most = peaks.iter().copied().max().unwrap_or_default();
        if most == 0 || peaks.len() < 2 {
            return String::new();
        }
        let step = WIDTH / (peaks.len() - 1) as f64;
        let mut line = String::new();
        for (place, lag) in peaks.iter().enumerate() {
            let (x, y) = (
                place as f64 * step,
                HEIGHT - 1.0 - (HEIGHT - 2.0) * *lag as f64 / most as f64,
            );
            // Writing to a string does not fail.
            let _written = write!(line, "{}{x:.1},{y:.1}", if place == 0 { "" } else { " " });
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_peaks_and_forgets_groups_that_are_gone() {
        let mut history = History::default();
        for sample in 0..700_u64 {
            let lag = if sample == 400 { 100 } else { 1 };
            history.add([("t", "g", lag)].into_iter());
        }
        let line = history.line("t", "g");
        assert_eq!(line.split(' ').count(), POINTS);
        assert_eq!(line.matches(",1.0").count(), 1, "{line}");
        assert!(line.starts_with("0.0,"));
        history.add([("t", "other", 1)].into_iter());
        assert_eq!(history.line("t", "g"), "");
        assert_eq!(history.line("t", "other"), "");
    }
}
