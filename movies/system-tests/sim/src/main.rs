//! Runs Movies in the simulated world: one seed, told in full, or many.

mod batch;

use clap::{Parser, Subcommand, ValueEnum};
use movies_sim::{Defence, Faults, Plan, report, shrink};
use std::io::{self, Write};
use std::process::{Command, ExitCode, Stdio};

/// Runs Movies in a simulated world, where things go wrong by a seed
#[derive(Debug, Parser)]
#[command(name = "movies-sim")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run one seed and tell what happened
    Run(One),
    /// Run many seeds, each in a process of its own
    Batch(batch::Many),
}

#[derive(Debug, clap::Args)]
struct One {
    /// What everything is drawn from
    #[arg(long)]
    seed: u64,
    /// What goes wrong
    #[arg(long, value_enum, default_value_t = Trouble::All)]
    faults: Trouble,
    /// Of the faults drawn only these, counted from 1
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    only: Vec<usize>,
    /// Tell everyday work and the services' logs as well
    #[arg(long, short)]
    verbose: bool,
    /// Print nothing but the verdict
    #[arg(long, conflicts_with = "verbose")]
    brief: bool,
    /// Do not look for fewer faults that break the same
    #[arg(long)]
    no_shrink: bool,
    /// Switch a defence off, to see that the oracle notices
    #[arg(long, value_enum, hide = true)]
    without: Option<Defence>,
    /// Let true randomness in, to see that the comparison of traces notices
    #[arg(long, hide = true)]
    leak: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Trouble {
    /// Nothing
    None,
    /// Whatever the seed draws
    All,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::Run(one) => run(&one),
        Task::Batch(many) => batch::run(&many),
    };
    // Nobody reads what is printed any more: there is nobody to tell.
    done.unwrap_or(ExitCode::FAILURE)
}

fn run(one: &One) -> io::Result<ExitCode> {
    let faults = match (one.faults, one.only.as_slice()) {
        (Trouble::None, _) => Faults::These(Vec::new()),
        (Trouble::All, []) => Faults::Drawn,
        (Trouble::All, only) => Faults::Only(only.to_vec()),
    };
    let plan = Plan {
        seed: one.seed,
        faults,
        without: one.without,
        leak: one.leak,
        logs: one.verbose,
    };
    let outcome = movies_sim::run(&plan);
    let mut out = io::stdout().lock();
    if !one.brief {
        write!(out, "{}", report::timeline(&outcome, one.verbose))?;
    }
    writeln!(out, "{}", report::verdict(&outcome))?;
    if outcome.holds() {
        return Ok(ExitCode::SUCCESS);
    }
    let mut replay = format!("movies-sim run --seed {}", one.seed);
    if one.only.is_empty() && !one.no_shrink && outcome.faults.len() > 1 {
        let left = shrink::shrink(outcome.faults.len(), |only| still_breaks(one, only));
        if left.len() < outcome.faults.len() {
            writeln!(out, "the same with fewer faults:")?;
            for (number, fault) in (1..)
                .zip(&outcome.faults)
                .filter(|(number, _)| left.contains(number))
            {
                writeln!(
                    out,
                    "  fault {number}, at {:.3} s: {fault}",
                    fault.at.as_secs_f64()
                )?;
            }
            replay.push_str(&format!(" --only {}", listed(&left)));
        }
    } else if !one.only.is_empty() {
        replay.push_str(&format!(" --only {}", listed(&one.only)));
    }
    for word in without(one) {
        replay.push_str(&format!(" {word}"));
    }
    writeln!(out, "replay: {replay}")?;
    Ok(ExitCode::FAILURE)
}

/// Whether these faults alone break a promise too, found out in a process of its own.
fn still_breaks(one: &One, only: &[usize]) -> bool {
    let Ok(program) = std::env::current_exe() else {
        return false;
    };
    let mut again = Command::new(program);
    again.args([
        "run",
        "--brief",
        "--no-shrink",
        "--seed",
        &one.seed.to_string(),
        "--only",
        &listed(only),
    ]);
    again
        .args(without(one))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    again.status().is_ok_and(|status| status.code() == Some(1))
}

fn listed(numbers: &[usize]) -> String {
    numbers
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

/// The defence that is switched off, as arguments.
fn without(one: &One) -> Vec<String> {
    let defence = one.without.and_then(|defence| defence.to_possible_value());
    defence
        .map(|defence| vec!["--without".to_owned(), defence.get_name().to_owned()])
        .unwrap_or_default()
}
