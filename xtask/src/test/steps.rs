//! The steps, in their order, and those that are one or two cargo commands.

use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Outcome, Run, Step, page, simulation};
use crate::tools::run as command;
use crate::{check, machine, workspace};

/// From the quickest to the slowest, so that a run fails early.
pub(super) const ALL: &[Step] = &[
    Step {
        name: "fmt",
        does: "every file is formatted",
        run: fmt,
    },
    Step {
        name: "check",
        does: "the rules no compiler knows",
        run: |_| check::run().map(|()| Outcome::Passed),
    },
    Step {
        name: "clippy",
        does: "no lint warns, tests and examples included",
        run: clippy,
    },
    Step {
        name: "doc",
        does: "the documentation builds without a warning",
        run: doc,
    },
    Step {
        name: "engines",
        does: "the database servers that tests start are there",
        run: engines,
    },
    Step {
        name: "tests",
        does: "every test but those of the whole system",
        run: tests,
    },
    Step {
        name: "doctests",
        does: "the examples in the documentation",
        run: doctests,
    },
    Step {
        name: "facade",
        does: "the facade builds with each of its features alone",
        run: facade,
    },
    Step {
        name: "system",
        does: "the whole system, in one process, as processes, simulated",
        run: system,
    },
    Step {
        name: "simulation",
        does: "many seeds of the simulated world",
        run: simulation::run,
    },
    Step {
        name: "deny",
        does: "licences, duplicates and sources of what we depend on",
        run: deny,
    },
    Step {
        name: "page",
        does: "the page, in headless Chromium",
        run: page::run,
    },
];

/// Packages whose tests need the whole system.
const WHOLE_SYSTEM: &[&str] = &["movies-system-tests", "movies-sim"];

fn fmt(run: &Run) -> Result<Outcome> {
    if machine::answer(cargo(run).args(["fmt", "--version"])).is_none() {
        return Ok(Outcome::Skipped(
            "rustfmt is not installed (rustup component add rustfmt)".to_owned(),
        ));
    }
    command(cargo(run).args(["fmt", "--all", "--check"]))?;
    Ok(Outcome::Passed)
}

fn clippy(run: &Run) -> Result<Outcome> {
    if machine::answer(cargo(run).args(["clippy", "--version"])).is_none() {
        return Ok(Outcome::Skipped(
            "clippy is not installed (rustup component add clippy)".to_owned(),
        ));
    }
    command(cargo(run).args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(Outcome::Passed)
}

fn doc(run: &Run) -> Result<Outcome> {
    command(
        cargo(run)
            .args(["doc", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    Ok(Outcome::Passed)
}

/// Builds what tests start besides what they link: the binaries. The same choice of packages
/// throughout, because another choice means other features and everything built twice.
pub(super) fn build(run: &Run) -> Result<()> {
    command(cargo(run).args([
        "build",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
        "--examples",
    ]))
}

/// Without them the tests that start them pass without running: this step says so.
fn engines(run: &Run) -> Result<Outcome> {
    Ok(match run.tools.engines()? {
        Ok(()) => Outcome::Passed,
        Err(reason) => Outcome::Skipped(reason),
    })
}

fn tests(run: &Run) -> Result<Outcome> {
    build(run)?;
    let packages = WHOLE_SYSTEM
        .iter()
        .map(|package| format!("package({package})"));
    let filter = format!("not ({})", packages.collect::<Vec<_>>().join(" | "));
    let exclude: Vec<&str> = WHOLE_SYSTEM
        .iter()
        .flat_map(|package| ["--exclude", package])
        .collect();
    nextest(
        run,
        &filter,
        &[&["--workspace"], exclude.as_slice()].concat(),
    )
}

fn system(run: &Run) -> Result<Outcome> {
    build(run)?;
    let packages = WHOLE_SYSTEM
        .iter()
        .map(|package| format!("package({package})"));
    let include: Vec<&str> = WHOLE_SYSTEM
        .iter()
        .flat_map(|package| ["--package", package])
        .collect();
    nextest(run, &packages.collect::<Vec<_>>().join(" | "), &include)
}

/// Runs tests with nextest, or else with cargo's own runner, and says so.
fn nextest(run: &Run, filter: &str, packages: &[&str]) -> Result<Outcome> {
    match run.tools.nextest()? {
        Ok(()) => {
            // A package need not have a test yet.
            command(cargo(run).args([
                "nextest",
                "run",
                "--workspace",
                "--no-tests",
                "pass",
                "-E",
                filter,
            ]))?;
            Ok(Outcome::Passed)
        }
        Err(reason) => {
            println!("skipped: nextest not installed, using cargo test");
            command(
                cargo(run)
                    .arg("test")
                    .args(packages)
                    .args(["--lib", "--bins", "--tests"]),
            )?;
            Ok(Outcome::Lesser(format!("with cargo test: {reason}")))
        }
    }
}

fn doctests(run: &Run) -> Result<Outcome> {
    command(cargo(run).args(["test", "--workspace", "--doc"]))?;
    Ok(Outcome::Passed)
}

fn facade(run: &Run) -> Result<Outcome> {
    let facade = run
        .workspace
        .members
        .get("backlot")
        .context("there is no package `backlot`")?;
    let check = ["check", "--package", "backlot", "--no-default-features"];
    command(cargo(run).args(check))?;
    let features = facade
        .features
        .iter()
        .filter(|feature| *feature != "default");
    for feature in features.clone() {
        command(cargo(run).args(check).args(["--features", feature]))?;
    }
    Ok(Outcome::Noted(match features.count() {
        0 => "it has no features yet".to_owned(),
        count => format!("{count} features"),
    }))
}

fn deny(run: &Run) -> Result<Outcome> {
    match run.tools.deny()? {
        // Advisories live in a repository that CI cannot count on reaching; SECURITY.md says more.
        Ok(()) => command(cargo(run).args([
            "deny",
            "--workspace",
            "check",
            "licenses",
            "bans",
            "sources",
        ]))?,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    }
    Ok(Outcome::Passed)
}

pub(super) fn cargo(run: &Run) -> Command {
    run.tools.command(workspace::cargo())
}
