//! What can be set.

use backlot::cache;
use backlot::config::{Problems, Validate};
use serde::{Deserialize, Serialize};

/// The largest weight that makes sense: more than the ratings of any film.
const MAX_WEIGHT: f64 = 1e9;

/// Configuration of the movie service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The charts.
    pub chart: Chart,
    /// Films as they are held for when the catalogue is away.
    pub films: cache::Options,
}

/// Configuration of the charts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chart {
    /// How many ratings weigh as much as the mean of all films, 0 to 1,000,000,000: the `m` of the
    /// Bayesian average (v/(v+m))R + (m/(v+m))C. The larger it is, the more ratings a film needs
    /// for a score far from the mean.
    pub weight: f64,
}

impl Default for Chart {
    fn default() -> Self {
        Chart { weight: 25.0 }
    }
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        self.films.validate(&format!("{at}.films"), problems);
        let weight = self.chart.weight;
        // Not a number is in no range.
        if !(0.0..=MAX_WEIGHT).contains(&weight) {
            problems.push(
                at,
                "chart.weight",
                format!("is {weight}"),
                "set a number of ratings, 0 to 1000000000",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_that_is_no_number_of_ratings_is_refused_by_its_key() {
        for weight in [f64::NAN, -1.0, f64::INFINITY, 2e9] {
            let mut problems = Problems::default();
            let config = Config {
                chart: Chart { weight },
                ..Config::default()
            };
            config.validate("movie", &mut problems);
            assert!(
                problems.to_string().starts_with("movie.chart.weight: is "),
                "{problems}"
            );
        }
        let mut problems = Problems::default();
        Config::default().validate("movie", &mut problems);
        assert_eq!(problems, Problems::default());
    }
}
