//! `cargo xtask pictures`: takes the pictures of the README, of Movies as it is.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::browser;
use crate::movies::Movies;
use crate::tools::{Tools, run as command};
use crate::workspace::{Workspace, cargo};

/// From the root.
const PICTURES: &str = "docs/pictures";

/// What `cargo xtask pictures` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where the pictures go; docs/pictures unless set
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
    /// Install what is missing into the cache folder
    #[arg(long)]
    engines: bool,
}

/// Fails when a picture could not be taken.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::read()?;
    let tools = match Tools::new(options.engines).browser()? {
        Ok(tools) => tools,
        Err(reason) => bail!("{reason}"),
    };
    command(cargo().args(["build", "--package", "movies-system"]))?;
    let target = &workspace.target;
    let movies = Movies::start(&target.join("debug/movies"), &target.join("xtask/pictures"))?;
    let into = options.into.clone();
    let into = into.unwrap_or_else(|| workspace.root.join(PICTURES));
    let script = workspace.root.join("xtask/browser/pictures.mjs");
    command(&mut browser::look(&tools, &script, &movies.page, &into))?;
    println!("pictures in {}", into.display());
    Ok(ExitCode::SUCCESS)
}
