//! What one measurement found. Programs tell each other in JSON, a line each.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One measurement: so many requests of one kind, with so many in flight.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// Requests answered.
    pub requests: u64,
    /// Requests under way at once.
    pub in_flight: usize,
    /// Requests a second.
    pub per_second: f64,
    /// Half of them took at most this many microseconds.
    pub p50_us: f64,
    /// All but one per cent of them took at most this many microseconds.
    pub p99_us: f64,
    /// Processor time of the measured processes in microseconds a request, the caller's left out
    /// unless it is one of them.
    pub cpu_us: f64,
}

/// Latencies, to three digits.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// None yet.
    ///
    /// # Errors
    /// Never in practice: the bounds are constant.
    pub fn new() -> anyhow::Result<Self> {
        // One microsecond to a minute.
        Ok(Latencies(Histogram::new_with_bounds(1, 60_000_000, 3)?))
    }

    /// Counts one.
    pub fn add(&mut self, took: Duration) {
        self.0
            .saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
    }

    /// Counts those of another as well.
    ///
    /// # Errors
    /// Never in practice: all have the same bounds.
    pub fn merge(&mut self, other: &Latencies) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// The figures of a measurement that took `time` and `cpu`.
    #[must_use]
    pub fn figures(&self, in_flight: usize, time: Duration, cpu: Duration) -> Figures {
        let requests = self.0.len();
        let each = |total: f64| {
            if requests == 0 {
                0.0
            } else {
                total / requests as f64
            }
        };
        Figures {
            requests,
            in_flight,
            per_second: requests as f64 / time.as_secs_f64().max(1e-9),
            p50_us: self.0.value_at_quantile(0.5) as f64,
            p99_us: self.0.value_at_quantile(0.99) as f64,
            cpu_us: each(cpu.as_secs_f64() * 1e6),
        }
    }
}

/// The value in the middle; 0 of none.
#[must_use]
pub fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The median of each figure.
#[must_use]
pub fn median(of: &[Figures]) -> Figures {
    let by = |figure: fn(&Figures) -> f64| middle(of.iter().map(figure).collect());
    Figures {
        requests: of.iter().map(|figures| figures.requests).sum(),
        in_flight: of.first().map_or(0, |figures| figures.in_flight),
        per_second: by(|figures| figures.per_second),
        p50_us: by(|figures| figures.p50_us),
        p99_us: by(|figures| figures.p99_us),
        cpu_us: by(|figures| figures.cpu_us),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_takes_each_figure_by_itself() {
        let one = |per_second: f64, cpu_us: f64| Figures {
            requests: 10,
            in_flight: 4,
            per_second,
            p50_us: 1.0,
            p99_us: 2.0,
            cpu_us,
        };
        let median = median(&[one(1.0, 9.0), one(3.0, 8.0), one(2.0, 7.0)]);
        assert_eq!(
            (median.per_second, median.cpu_us, median.requests),
            (2.0, 8.0, 30)
        );
    }

    #[test]
    fn latencies_become_figures_per_request() {
        let mut latencies = Latencies::new().unwrap();
        (0..100).for_each(|_| latencies.add(Duration::from_micros(250)));
        let figures = latencies.figures(8, Duration::from_secs(1), Duration::from_millis(5));
        assert_eq!(
            (figures.requests, figures.per_second, figures.cpu_us),
            (100, 100.0, 50.0)
        );
        assert_eq!(figures.p50_us, 250.0);
    }
}
