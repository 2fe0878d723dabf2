//! `cargo xtask bench`: builds Movies and what measures it, and measures.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::workspace::{Workspace, cargo};

/// What `cargo xtask bench` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Fewer requests: figures for a first look
    #[arg(long)]
    quick: bool,
    /// Measure only this: details, constant, embedded, hop, aggregate, put or start; may be repeated
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// Where the figures go as JSON; target/bench.json unless set
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also build Movies from nothing, which takes minutes
    #[arg(long)]
    cold_build: bool,
}

/// Fails when a must is missed.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::read()?;
    // One after the other: built together, the product would get the features of the bare system.
    for package in ["movies-system", "movies-bench"] {
        let status = cargo()
            .args(["build", "--release", "--package", package])
            .status()
            .context("cargo build does not start")?;
        if !status.success() {
            bail!("{package} does not build");
        }
    }
    let mut measure = std::process::Command::new(workspace.target.join("release").join("measure"));
    if options.quick {
        measure.arg("--quick");
    }
    if options.cold_build {
        measure.arg("--cold-build");
    }
    for row in &options.only {
        measure.args(["--only", row]);
    }
    let json = options.json.clone();
    measure
        .arg("--json")
        .arg(json.unwrap_or_else(|| workspace.target.join("bench.json")));
    let status = measure.status().context("measure does not start")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
