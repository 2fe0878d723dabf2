//! The pages as people use them, in headless Chromium: Movies runs embedded on an empty folder, and
//! `xtask/browser/page.mjs` searches, rates, sorts and looks as people do; `docs.mjs` tries the
//! ratings' API as a developer does; `console.mjs` looks after what failed as an operator does.

use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

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
    let (binary, folder) = (target.join("debug/movies"), target.join("xtask/page"));
    let movies = Movies::start(&binary, &folder)?;
    for film in ["metropolis-1927", "alien-1979"] {
        refuse_poster(&binary, &folder, &movies, film)?;
    }
    for (script, url) in [
        ("page.mjs", &movies.page),
        ("docs.mjs", &movies.rating),
        ("console.mjs", &movies.console),
    ] {
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

/// Uploads what begins like a picture and is none: a dead letter of the makers of posters.
fn refuse_poster(binary: &Path, folder: &Path, movies: &Movies, film: &str) -> Result<()> {
    let file = folder.join(format!("{film}.png"));
    let bytes = format!("\u{89}PNG\r\n\u{1a}\nno picture of {film}");
    // Its first byte is no text.
    let bytes: Vec<u8> = bytes.chars().map(|char| char as u8).collect();
    fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
    let to = movies.movie.trim_start_matches("http://");
    let ended = Command::new(binary)
        .args(["upload", film])
        .arg(&file)
        .args(["--to", to, "--data"])
        .arg(folder.join("data"))
        .output()
        .context("movies upload does not start")?;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(
        said.contains("the file was refused"),
        "it was not refused: {said}"
    );
    Ok(())
}
