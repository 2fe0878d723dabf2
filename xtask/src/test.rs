//! `cargo xtask test`: everything that has to pass, the quickest first, stopping at the first failure.
//!
//! A step may be skipped on a laptop that lacks a program, and says so. Under `--engines`, which
//! `CI=true` implies, what is missing is installed and a step that is skipped all the same fails.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use crate::machine::{self, Stopwatch};
use crate::tools::Tools;
use crate::workspace::Workspace;

mod page;
mod report;
mod simulation;
mod steps;

use report::{Report, Verdict};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Install what is missing into the cache folder; a skipped step is a failure then (implied by CI=true)
    #[arg(long)]
    engines: bool,
    /// Run this step alone (may be given several times)
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Leave this step out (may be given several times)
    #[arg(long, value_name = "STEP")]
    skip: Vec<String>,
}

/// What every step is handed.
pub(crate) struct Run {
    pub(crate) workspace: Workspace,
    pub(crate) tools: Tools,
}

/// How a step that did not fail ended.
pub(crate) enum Outcome {
    Passed,
    /// Passed, in a lesser way or with a figure worth the table.
    Noted(String),
    /// Passed, but not by the means CI asks for.
    Lesser(String),
    Skipped(String),
}

pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) does: &'static str,
    pub(crate) run: fn(&Run) -> Result<Outcome>,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let chosen = chosen(steps::ALL, options)?;
    let strict = options.engines || machine::is_ci();
    let run = Run {
        workspace: Workspace::read()?,
        tools: Tools::new(strict),
    };
    // Steps name files relative to the root.
    std::env::set_current_dir(&run.workspace.root)?;
    let report = execute(&chosen, |step| (step.run)(&run), strict);
    // Nothing is printed after it: its last line is the one that people and programs look for.
    print!(
        "
{report}"
    );
    Ok(if report.failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// A step and whether the caller asked to leave it out.
type Chosen<'a> = (&'a Step, bool);

fn chosen<'a>(all: &'a [Step], options: &Options) -> Result<Vec<Chosen<'a>>> {
    for name in options.only.iter().chain(&options.skip) {
        if !all.iter().any(|step| step.name == name) {
            let known = all.iter().map(|step| {
                format!(
                    "
  {:<10} {}",
                    step.name, step.does
                )
            });
            bail!(
                "there is no step `{name}`; there are:{}",
                known.collect::<String>()
            );
        }
    }
    let named = |list: &[String], step: &Step| list.iter().any(|name| name == step.name);
    let wanted = all
        .iter()
        .filter(|step| options.only.is_empty() || named(&options.only, step));
    Ok(wanted
        .map(|step| (step, named(&options.skip, step)))
        .collect())
}

fn execute(chosen: &[Chosen<'_>], run: impl Fn(&Step) -> Result<Outcome>, strict: bool) -> Report {
    let mut report = Report::default();
    let mut broken = None;
    for (step, left_out) in chosen {
        if let Some(broken) = broken {
            report.add(
                step.name,
                Verdict::Skipped,
                Duration::ZERO,
                None,
                format!("not run: {broken} failed"),
            );
            continue;
        }
        if *left_out {
            report.add(
                step.name,
                Verdict::Skipped,
                Duration::ZERO,
                None,
                "left out by --skip".to_owned(),
            );
            continue;
        }
        println!("\n=== {}: {}", step.name, step.does);
        let (watch, cpu) = (Stopwatch::start(), machine::children_cpu());
        let (verdict, note) = judge(run(step), strict);
        let cpu = machine::children_cpu()
            .zip(cpu)
            .map(|(after, before)| after.saturating_sub(before));
        println!(
            "=== {}: {verdict} in {:.1} s",
            step.name,
            watch.elapsed().as_secs_f64()
        );
        if !note.is_empty() {
            println!("    {note}");
        }
        if verdict == Verdict::Failed {
            broken = Some(step.name);
        }
        report.add(step.name, verdict, watch.elapsed(), cpu, note);
    }
    report
}

/// What an outcome means: where everything must run, less than everything is a failure.
fn judge(outcome: Result<Outcome>, strict: bool) -> (Verdict, String) {
    match outcome {
        Ok(Outcome::Passed) => (Verdict::Passed, String::new()),
        Ok(Outcome::Noted(note)) => (Verdict::Passed, note),
        Ok(Outcome::Lesser(note)) if !strict => (Verdict::Passed, note),
        Ok(Outcome::Skipped(reason)) if !strict => (Verdict::Skipped, reason),
        Ok(Outcome::Lesser(reason) | Outcome::Skipped(reason)) => (
            Verdict::Failed,
            format!("{reason}; with --engines or CI=true everything must run"),
        ),
        Err(error) => (Verdict::Failed, format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests;
