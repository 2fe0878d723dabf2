//! Runs Movies in the simulated world: one seed, told in full, or many.

mod batch;

use clap::{Parser, Subcommand, ValueEnum};
use movies_sim::{Defence, Plan, report, shrink};
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
    #[arg(long, value_enum, default_value_t = Faults::All)]
    faults: Faults,
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
enum Faults {
    /// Nothing
    None,
    /// Whatever the seed draws
    All,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Task::Run(one) => run(&one),
        Task::Batch(many) => batch::run(&many),
    }
}

fn run(one: &One) -> ExitCode {
    let plan = Plan {
        seed: one.seed,
        calm: one.faults == Faults::None,
        only: one.only.clone(),
        without: one.without,
        leak: one.leak,
        logs: one.verbose,
    };
    let outcome = movies_sim::run(&plan);
    if !one.brief {
        print!("{}", report::timeline(&outcome, one.verbose));
    }
    println!("{}", report::verdict(&outcome));
    if outcome.holds() {
        return ExitCode::SUCCESS;
    }
    let mut replay = format!("movies-sim run --seed {}", one.seed);
    if one.only.is_empty() && !one.no_shrink && outcome.faults.len() > 1 {
        let left = shrink::shrink(outcome.faults.len(), |only| still_breaks(one, only));
        if left.len() < outcome.faults.len() {
            println!("the same with fewer faults:");
            for (number, fault) in (1..).zip(&outcome.faults).filter(|(number, _)| left.contains(number)) {
                println!("  fault {number}, at {:.3} s: {fault}", fault.at.as_secs_f64());
            }
            let numbers: Vec<String> = left.iter().map(ToString::to_string).collect();
            replay.push_str(&format!(" --only {}", numbers.join(",")));
        }
    }
    if let Some(defence) = one.without.and_then(|defence| defence.to_possible_value()) {
        replay.push_str(&format!(" --without {}", defence.get_name()));
    }
    println!("replay: {replay}");
    ExitCode::FAILURE
}

/// Whether these faults alone break a promise too, found out in a process of its own.
fn still_breaks(one: &One, only: &[usize]) -> bool {
    let numbers: Vec<String> = only.iter().map(ToString::to_string).collect();
    let Ok(program) = std::env::current_exe() else { return false };
    let mut again = Command::new(program);
    again.args(["run", "--brief", "--no-shrink", "--seed", &one.seed.to_string(), "--only", &numbers.join(",")]);
    if let Some(defence) = one.without.and_then(|defence| defence.to_possible_value()) {
        again.args(["--without", defence.get_name()]);
    }
    again.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.code() == Some(1))
}
