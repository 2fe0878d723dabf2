//! The pages as people use them, in headless Chromium: Movies runs embedded on an empty folder, and
//! `xtask/browser/page.mjs` searches, rates, sorts and looks as people do; `docs.mjs` tries the
//! ratings' API as a developer does.

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
    for (script, url) in [("page.mjs", &movies.page), ("docs.mjs", &movies.rating)] {
        let script = root.join("xtask/browser").join(script);
        command(&mut browser::look(
            &tools,
            &script,
            url,
            &root.join(SCREENSHOTS),
        ))?;
    }
    Ok(Outcome::Noted(format!("screenshots in {SCREENSHOTS}")))
}
