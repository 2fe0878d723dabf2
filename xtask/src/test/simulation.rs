//! Many seeds of the simulated world: fixed ones, then fresh ones for a while.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{Outcome, Run, steps};
use crate::machine::{self, Stopwatch};

const BINARY: &str = "movies-sim";
/// The same in every run, so that a change that breaks one of them is caught by whoever made it.
const FIXED: Seeds = Seeds {
    from: 1,
    count: 100,
};
/// How long to try seeds nobody tried before, in batches of this many.
const FRESH: (Duration, u64) = (Duration::from_secs(45), 5);

#[derive(Clone, Copy, Debug)]
struct Seeds {
    from: u64,
    count: u64,
}

pub(super) fn run(run: &Run) -> Result<Outcome> {
    let binaries = run
        .workspace
        .members
        .values()
        .flat_map(|member| &member.binaries);
    if !binaries.into_iter().any(|binary| binary == BINARY) {
        bail!("no package of the workspace has the binary {BINARY}");
    }
    steps::build(run)?;
    let binary = run.workspace.target.join("debug").join(BINARY);
    let program = || Command::new(&binary);

    let before = machine::children_cpu();
    batch(program(), FIXED)?;
    let cpu = machine::children_cpu()
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before));
    let (watch, mut seeds) = (
        Stopwatch::start(),
        Seeds {
            from: machine::fresh_number(),
            count: FRESH.1,
        },
    );
    let mut fresh = 0;
    while watch.elapsed() < FRESH.0 {
        batch(program(), seeds)?;
        fresh += seeds.count;
        seeds.from += seeds.count;
    }
    let cpu = cpu.map_or_else(String::new, |cpu| format!(" in {} CPU s", cpu.as_secs()));
    Ok(Outcome::Noted(format!(
        "{} fixed seeds{cpu}, {fresh} fresh ones",
        FIXED.count
    )))
}

/// Runs a batch and passes on what it prints; a failure names the seed and how to run it again.
fn batch(mut program: Command, seeds: Seeds) -> Result<()> {
    let Seeds { from, count } = seeds;
    println!("seeds {from} to {}", from + count - 1);
    program.args([
        "batch",
        "--from",
        &from.to_string(),
        "--count",
        &count.to_string(),
    ]);
    let mut child = program
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{BINARY} does not start"))?;
    let (mut failing, mut silent) = (None, true);
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.with_context(|| format!("{BINARY} cannot be read"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            silent = false;
            failing = failing.or_else(|| failing_seed(&line));
        }
    }
    let status = child
        .wait()
        .with_context(|| format!("{BINARY} cannot be waited for"))?;
    if status.success() {
        // A program that does nothing succeeds too.
        if silent {
            bail!("{BINARY} printed no verdict");
        }
        return Ok(());
    }
    let again = |seed: u64| format!("replay: cargo run --package {BINARY} -- run --seed {seed}");
    match failing {
        Some(seed) => bail!("seed {seed} failed; {}", again(seed)),
        None if count == 1 => bail!("seed {from} failed; {}", again(from)),
        None => bail!(
            "{BINARY} ended with {status} in seeds {from} to {}",
            from + count - 1
        ),
    }
}

/// The seed of a line that reports a failure: `seed 17 failed: ...`, `FAIL seed=17`.
fn failing_seed(line: &str) -> Option<u64> {
    let line = line.to_lowercase();
    if !line.contains("fail") && !line.contains("violated") {
        return None;
    }
    let (_, rest) = line.split_once("seed")?;
    let digits = rest.trim_start_matches([' ', '=', ':', '-']);
    let end = digits
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        // What follows the script is its own arguments, which it ignores.
        command.args(["-c", script, "sh"]);
        command
    }

    #[test]
    fn the_failing_seed_is_read_off_its_line() {
        assert_eq!(failing_seed("seed 17 FAILED: a rating was lost"), Some(17));
        assert_eq!(failing_seed("failure at seed=4711, step 3"), Some(4711));
        assert_eq!(failing_seed("seed 18 ok"), None);
        assert_eq!(failing_seed("2 seeds failed"), None);
    }

    #[test]
    fn a_failing_batch_names_its_seed_and_how_to_run_it_again() {
        let script = "echo seed 3 ok; echo seed 4 failed; echo seed 5 failed; exit 1";
        let error = batch(shell(script), Seeds { from: 3, count: 3 }).expect_err("the batch fails");
        assert_eq!(
            error.to_string(),
            "seed 4 failed; replay: cargo run --package movies-sim -- run --seed 4"
        );
    }

    #[test]
    fn a_batch_that_dies_without_a_word_names_its_range() {
        let error =
            batch(shell("exit 3"), Seeds { from: 10, count: 5 }).expect_err("the batch fails");
        assert!(error.to_string().contains("seeds 10 to 14"));
    }

    #[test]
    fn a_good_batch_passes() {
        assert!(batch(shell("echo 2 of 2 passed"), Seeds { from: 1, count: 2 }).is_ok());
    }

    #[test]
    fn a_program_that_says_nothing_has_not_simulated() {
        assert!(batch(shell("exit 0"), Seeds { from: 1, count: 2 }).is_err());
    }
}
