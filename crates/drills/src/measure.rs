//! What a drill came to, on one line.

use std::fmt;
use std::time::Duration;

/// One call as its caller saw it.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// When it began, in simulated time.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
    /// Whether it went well.
    pub well: bool,
    /// The number that it was to write down, if it was a write.
    pub wrote: Option<u64>,
}

/// The figures of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Of the calls since the trouble began so many went well, in a hundred.
    pub success: f64,
    /// The latency that one call in a hundred exceeded since then, beside that of before.
    pub p99: f64,
    /// From the end of the trouble to the end of the last call that failed or took over a second.
    pub recovery: f64,
    /// Calls that came to an instance, beside calls that were made, since it began.
    pub attempts: f64,
    /// Writes that were acknowledged and are not there.
    pub lost: u64,
    /// Writes that are there twice.
    pub doubled: u64,
}

/// A call that takes longer is as bad as one that fails, to whoever waits.
const SLOW: Duration = Duration::from_secs(1);

impl Figures {
    /// Of these calls. `came` tells how many came to an instance since `from`.
    #[must_use]
    pub fn of(
        calls: &[Call],
        (from, until): (Duration, Duration),
        came: u64,
        written: impl Fn(u64) -> u32,
    ) -> Figures {
        let (before, since): (Vec<Call>, Vec<Call>) =
            calls.iter().partition(|call| call.began < from);
        let is_bad = |call: &&Call| !call.well || call.took > SLOW;
        let ended = |call: &Call| call.began + call.took;
        let last = since.iter().filter(is_bad).map(ended).max();
        let recovery = last.unwrap_or_default().saturating_sub(until);
        let wrote = |call: &Call| Some((call.wrote?, call.well));
        let writes: Vec<_> = calls.iter().filter_map(wrote).collect();
        let lost = writes
            .iter()
            .filter(|(number, well)| *well && written(*number) == 0);
        let doubled = writes.iter().filter(|(number, _)| written(*number) > 1);
        let well = since.iter().filter(|call| call.well).count();
        Figures {
            success: 100.0 * ratio(well, since.len()),
            p99: p99(&since).as_secs_f64() / p99(&before).as_secs_f64(),
            recovery: recovery.as_secs_f64(),
            attempts: ratio(usize::try_from(came).unwrap_or(usize::MAX), since.len()),
            lost: lost.count() as u64,
            doubled: doubled.count() as u64,
        }
    }

    /// Whether these are no worse than those, but for a little: what was changed elsewhere moves the
    /// draws. Where no call failed none may.
    #[must_use]
    pub fn holds_to(&self, baseline: &Figures) -> bool {
        let failed = 100.0 - baseline.success;
        self.success >= baseline.success - 0.001 - (0.5 * failed).min(0.2)
            && self.p99 <= baseline.p99 * 1.25 + 0.1
            && self.recovery <= baseline.recovery * 1.25 + 0.3
            && self.attempts <= baseline.attempts * 1.05 + 0.01
            && self.lost <= baseline.lost
            && self.doubled <= baseline.doubled
    }

    /// Reads what `Display` wrote.
    #[must_use]
    pub fn parse(line: &str) -> Option<Figures> {
        let words: Vec<_> = line.split_whitespace().collect();
        let after = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1)
        };
        let number = |name| after(name)?.parse::<f64>().ok();
        let count = |name| after(name)?.parse::<u64>().ok();
        Some(Figures {
            success: number("success")?,
            p99: number("p99")?,
            recovery: number("recovery")?,
            attempts: number("attempts")?,
            lost: count("lost")?,
            doubled: count("doubled")?,
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "success {:7.3} %  p99 {:7.2} x  recovery {:5.1} s  attempts {:.3}  lost {}  doubled {}",
            self.success, self.p99, self.recovery, self.attempts, self.lost, self.doubled
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
fn ratio(some: usize, all: usize) -> f64 {
    some as f64 / all.max(1) as f64
}

/// What one in a hundred exceeds.
fn p99(calls: &[Call]) -> Duration {
    let mut took: Vec<_> = calls.iter().map(|call| call.took).collect();
    took.sort_unstable();
    let at = (took.len() * 99).div_ceil(100).saturating_sub(1);
    took.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn call(at: u32, took: u32, well: bool, wrote: Option<u64>) -> Call {
        Call {
            began: at * MS,
            took: took * MS,
            well,
            wrote,
        }
    }

    #[test]
    fn figures_are_of_what_came_after_beside_what_was_before() {
        let mut calls: Vec<_> = (0..100).map(|at| call(at, 2, true, None)).collect();
        calls.extend((100..199).map(|at| call(at, 4, true, None)));
        calls.push(call(199, 1, false, Some(1)));
        calls.extend([call(50, 2, true, Some(2)), call(60, 2, true, Some(3))]);
        let written = |number| if number == 3 { 2 } else { 0 };
        let figures = Figures::of(&calls, (100 * MS, 150 * MS), 110, written);
        let expected = Figures {
            success: 99.0,
            p99: 2.0,
            recovery: 0.05,
            attempts: 1.1,
            lost: 1,
            doubled: 1,
        };
        assert_eq!(figures, expected);
    }

    #[test]
    fn a_line_is_read_as_it_is_written() {
        let figures = Figures {
            success: 99.125,
            p99: 1.25,
            recovery: 0.5,
            attempts: 1.125,
            lost: 0,
            doubled: 2,
        };
        assert_eq!(Figures::parse(&format!("kill  {figures}")), Some(figures));
        assert_eq!(Figures::parse("kill success"), None);
    }

    #[test]
    fn worse_than_the_baseline_does_not_hold() {
        let good = Figures {
            success: 99.9,
            p99: 1.0,
            recovery: 0.0,
            attempts: 1.0,
            lost: 0,
            doubled: 0,
        };
        assert!(good.holds_to(&good));
        for worse in [
            Figures {
                success: 99.5,
                ..good
            },
            Figures { p99: 2.0, ..good },
            Figures {
                recovery: 1.0,
                ..good
            },
            Figures {
                attempts: 1.1,
                ..good
            },
            Figures { lost: 1, ..good },
            Figures { doubled: 1, ..good },
            Figures {
                p99: f64::NAN,
                ..good
            },
        ] {
            assert!(!worse.holds_to(&good), "{worse}");
        }
    }
}
