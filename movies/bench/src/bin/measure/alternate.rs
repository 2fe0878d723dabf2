//! Loads several targets in turn, round after round: whatever else the machine does meets all.

use crate::Bench;
use anyhow::{Context as _, Result, bail};
use movies_bench::figures::{Figures, median, middle};
use std::path::PathBuf;
use std::process::Command;

/// Something to call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    /// What the table calls it.
    pub(crate) name: String,
    /// `host:port`; empty calls within one process instead.
    pub(crate) address: String,
    pub(crate) method: &'static str,
    /// Processes whose time is counted.
    pub(crate) pids: Vec<u32>,
    /// The one record to read.
    pub(crate) record: Option<String>,
    /// The data folder: of the key for writes, or of the one process.
    pub(crate) data: Option<PathBuf>,
}

/// One target at one level.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    /// Round by round.
    rounds: Vec<Figures>,
    /// The median of each figure.
    pub(crate) figures: Figures,
}

impl Measured {
    /// How many times another's figure this one's is: the median of the rounds' ratios. Two that
    /// are measured right after each other meet the same machine, so this moves less than the ratio
    /// of their medians.
    pub(crate) fn times(&self, other: &Measured, figure: fn(&Figures) -> f64) -> f64 {
        let pairs = self.rounds.iter().zip(&other.rounds);
        middle(
            pairs
                .map(|(own, others)| figure(own) / figure(others))
                .collect(),
        )
    }
}

/// Measures each target at each level (calls in flight), `requests` of each level; in the order of
/// levels, then targets.
pub(crate) fn alternate(
    bench: &Bench,
    targets: &[Target],
    levels: &[usize],
    requests: impl Fn(usize) -> u64,
) -> Result<Vec<Measured>> {
    let mut found = vec![Vec::new(); levels.len() * targets.len()];
    for round in 0..bench.rounds {
        for (level_at, level) in levels.iter().enumerate() {
            for turn in 0..targets.len() {
                // Who goes first changes from round to round.
                let at = if round % 2 == 0 {
                    turn
                } else {
                    targets.len() - 1 - turn
                };
                let figures = load(
                    bench,
                    &targets[at],
                    *level,
                    bench.requests(requests(*level)),
                )
                .with_context(|| format!("{} with {level} in flight", targets[at].name))?;
                found[level_at * targets.len() + at].push(figures);
            }
        }
    }
    let names = levels
        .iter()
        .flat_map(|_| targets)
        .map(|target| target.name.clone());
    Ok(names
        .zip(found)
        .map(|(name, rounds)| Measured {
            name,
            figures: median(&rounds),
            rounds,
        })
        .collect())
}

fn load(bench: &Bench, target: &Target, in_flight: usize, requests: u64) -> Result<Figures> {
    let warm_up = (requests / 8).max(2 * in_flight as u64);
    let within = target.address.is_empty();
    let mut command = Command::new(bench.program(if within { "embedded" } else { "load" }));
    command.args(["--method", target.method]);
    command.args([
        "--requests",
        &requests.to_string(),
        "--warm-up",
        &warm_up.to_string(),
    ]);
    command.args([
        if within { "--callers" } else { "--connections" },
        &in_flight.to_string(),
    ]);
    if !within {
        let pids: Vec<String> = target.pids.iter().map(u32::to_string).collect();
        command.args(["--target", &target.address]);
        if !pids.is_empty() {
            command.args(["--cpu-of", &pids.join(",")]);
        }
    }
    if let Some(record) = &target.record {
        command.args(["--record", record]);
    }
    if let Some(data) = &target.data {
        command.arg("--data").arg(data);
    }
    let output = command
        .output()
        .with_context(|| format!("{command:?} does not start"))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("the figures are malformed")
}
