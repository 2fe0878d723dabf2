//! Commands for contributors: `cargo xtask test` runs everything that has to pass, `cargo xtask
//! check` the rules of this repository that no compiler knows.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod browser;
mod check;
mod machine;
mod movies;
mod pictures;
mod release;
mod test;
mod tools;
mod tour;
mod workspace;

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "Commands for people who work on this repository"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything that has to pass, from the quickest step to the slowest; stop at the first failure
    Test(test::Options),
    /// Check the rules no compiler knows: layers, contracts, SQL, links, names, log messages
    Check,
    /// Take today's .proto files over as those of the release; refuses while something breaks callers
    ReleaseContract,
    /// Measure Movies beside a bare tonic system, as processes and embedded
    Bench(bench::Options),
    /// Make the index of the tour of its pages
    Tour,
    /// Take the pictures of the README, of Movies as it is
    Pictures(pictures::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test(options) => test::run(&options),
        Command::Check => check::run().map(|()| ExitCode::SUCCESS),
        Command::ReleaseContract => release::run().map(|()| ExitCode::SUCCESS),
        Command::Bench(options) => bench::run(&options),
        Command::Tour => workspace::Workspace::read()
            .and_then(|workspace| tour::run(&workspace.root))
            .map(|()| ExitCode::SUCCESS),
        Command::Pictures(options) => pictures::run(&options),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
