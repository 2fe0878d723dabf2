//! The page as people use it, in headless Chromium: Movies runs embedded on an empty folder, and
//! `xtask/browser/page.mjs` opens it, rates a film by keyboard and watches a second tab.

use std::process::Command;

use anyhow::Result;

use super::movies::Movies;
use super::{Outcome, Run, steps};
use crate::tools::run as command;

/// From the root; also where `page.mjs` leaves what it saw when it failed.
const SCREENSHOTS: &str = "target/screenshots";

pub(super) fn run(run: &Run) -> Result<Outcome> {
    let browser = match run.tools.browser()? {
        Ok(browser) => browser,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    steps::build(run)?;
    let (root, target) = (&run.workspace.root, &run.workspace.target);
    let movies = Movies::start(&target.join("debug/movies"), &target.join("xtask/page"))?;
    let mut node = Command::new(browser.node);
    node.arg(root.join("xtask/browser/page.mjs"))
        .args(["--url", &movies.page]);
    node.arg("--chromium")
        .arg(browser.chromium)
        .arg("--driver")
        .arg(browser.driver);
    node.arg("--screenshots").arg(root.join(SCREENSHOTS));
    command(&mut node)?;
    Ok(Outcome::Noted(format!("screenshots in {SCREENSHOTS}")))
}
