//! The page as people use it, in headless Chromium: Movies runs embedded on an empty folder, and
//! `xtask/browser/page.mjs` searches, rates, sorts and looks as people do.

use anyhow::Result;

use super::{Outcome, Run, steps};
use crate::browser;
use crate::movies::Movies;
use crate::tools::run as command;

/// From the root; also where `page.mjs` leaves what it saw when it failed.
const SCREENSHOTS: &str = "target/screenshots";

pub(super) fn run(run: &Run) -> Result<Outcome> {
    let tools = match run.tools.browser()? {
        Ok(tools) => tools,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    steps::build(run)?;
    let (root, target) = (&run.workspace.root, &run.workspace.target);
    let movies = Movies::start(&target.join("debug/movies"), &target.join("xtask/page"))?;
    let script = root.join("xtask/browser/page.mjs");
    let mut node = browser::look(&tools, &script, &movies.page, &root.join(SCREENSHOTS));
    command(&mut node)?;
    Ok(Outcome::Noted(format!("screenshots in {SCREENSHOTS}")))
}
