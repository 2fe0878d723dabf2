//! What was found, for people and for programs.

use crate::alternate::Measured;
use anyhow::Result;
use movies_bench::figures::Figures;
use serde::Serialize;
use std::fmt::Write as _;

/// Everything found so far.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    measurements: Vec<Measurement>,
    facts: Vec<Fact>,
    bounds: Vec<Bound>,
}

/// The figures of one system at one level.
#[derive(Debug, Serialize)]
struct Measurement {
    row: &'static str,
    system: String,
    #[serde(flatten)]
    figures: Figures,
}

/// One number by itself.
#[derive(Debug, Serialize)]
struct Fact {
    row: &'static str,
    what: String,
    value: f64,
    unit: &'static str,
}

/// How hard a bound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Weight {
    /// Missing it is a failure.
    Must,
    /// Worth the work, not a failure.
    Goal,
}

/// What was asked and what was found.
#[derive(Debug, Serialize)]
struct Bound {
    weight: Weight,
    what: String,
    asked: String,
    found: f64,
    met: bool,
}

impl Report {
    pub(crate) fn measured(&mut self, row: &'static str, measured: &[Measured]) {
        self.measurements
            .extend(
                measured
                    .iter()
                    .map(|Measured { name, figures, .. }| Measurement {
                        row,
                        system: name.clone(),
                        figures: *figures,
                    }),
            );
    }

    pub(crate) fn fact(
        &mut self,
        row: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) {
        self.facts.push(Fact {
            row,
            what: what.into(),
            value,
            unit,
        });
    }

    pub(crate) fn at_least(
        &mut self,
        weight: Weight,
        what: impl Into<String>,
        found: f64,
        least: f64,
    ) {
        let asked = format!("at least {least}");
        self.bounds.push(Bound {
            weight,
            what: what.into(),
            asked,
            found,
            met: found >= least,
        });
    }

    pub(crate) fn at_most(
        &mut self,
        weight: Weight,
        what: impl Into<String>,
        found: f64,
        most: f64,
    ) {
        let asked = format!("at most {most}");
        self.bounds.push(Bound {
            weight,
            what: what.into(),
            asked,
            found,
            met: found <= most,
        });
    }

    /// Whether every must is met.
    pub(crate) fn is_met(&self) -> bool {
        self.bounds
            .iter()
            .all(|bound| bound.met || bound.weight == Weight::Goal)
    }

    pub(crate) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        // Writing into a string cannot fail.
        let mut page = String::new();
        let _written = self.write(&mut page);
        page
    }

    fn write(&self, page: &mut String) -> std::fmt::Result {
        if !self.measurements.is_empty() {
            writeln!(
                page,
                "\n{:<10} {:<34} {:>6} {:>10} {:>10} {:>10} {:>10}",
                "row", "system", "flight", "req/s", "p50 ms", "p99 ms", "CPU us"
            )?;
        }
        let mut last = ("", 0);
        for Measurement {
            row,
            system,
            figures,
        } in &self.measurements
        {
            if last != (*row, figures.in_flight) && !last.0.is_empty() {
                writeln!(page)?;
            }
            last = (row, figures.in_flight);
            writeln!(
                page,
                "{row:<10} {system:<34} {:>6} {:>10.0} {:>10.3} {:>10.3} {:>10.1}",
                figures.in_flight,
                figures.per_second,
                figures.p50_us / 1000.0,
                figures.p99_us / 1000.0,
                figures.cpu_us
            )?;
        }
        if !self.facts.is_empty() {
            writeln!(page)?;
        }
        for Fact {
            row,
            what,
            value,
            unit,
        } in &self.facts
        {
            writeln!(page, "{row:<10} {what:<52} {value:>12.2} {unit}")?;
        }
        if !self.bounds.is_empty() {
            writeln!(page)?;
        }
        for Bound {
            weight,
            what,
            asked,
            found,
            met,
        } in &self.bounds
        {
            let weight = if *weight == Weight::Must {
                "must"
            } else {
                "goal"
            };
            let met = if *met { "met" } else { "MISSED" };
            writeln!(
                page,
                "{weight} {what:<58} {asked:>14}  found {found:>8.2}  {met}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_goal_is_no_failure_a_missed_must_is() {
        let mut report = Report::default();
        report.at_most(Weight::Goal, "microseconds", 11.0, 10.0);
        assert!(report.is_met());
        report.at_least(Weight::Must, "share", 0.79, 0.8);
        assert!(!report.is_met());
        assert!(report.table().contains("MISSED"));
    }
}
