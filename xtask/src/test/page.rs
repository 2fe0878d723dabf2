//! The page as people use it, in headless Chromium: Movies runs embedded on an empty folder, and
//! `xtask/browser/page.mjs` opens it, rates a film by keyboard and watches a second tab.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{Outcome, Run, steps};
use crate::machine::Stopwatch;
use crate::tools::run as command;

/// How long Movies may take until it prints where the page is, its sample loaded.
const START: Duration = Duration::from_secs(60);

pub(super) fn run(run: &Run) -> Result<Outcome> {
    let browser = match run.tools.browser()? {
        Ok(browser) => browser,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    steps::build(run)?;
    let target = &run.workspace.target;
    let movies = Movies::start(&target.join("debug/movies"), &target.join("xtask/page"))?;
    let screenshots = run.workspace.root.join("target/screenshots");
    command(
        Command::new(browser.node)
            .arg(run.workspace.root.join("xtask/browser/page.mjs"))
            .arg("--url")
            .arg(&movies.url)
            .arg("--chromium")
            .arg(browser.chromium)
            .arg("--driver")
            .arg(browser.driver)
            .arg("--screenshots")
            .arg(screenshots),
    )?;
    Ok(Outcome::Noted(
        "screenshots in target/screenshots".to_owned(),
    ))
}

/// Movies, running until this is dropped.
struct Movies {
    child: Child,
    url: String,
}

impl Movies {
    /// Starts it on an empty folder and waits until it says where the page is.
    fn start(binary: &Path, folder: &Path) -> Result<Movies> {
        if folder.exists() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let mut program = Command::new(binary);
        // The data folder is a relative path by default. Output goes to a pipe: no colours wanted.
        program
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .env_remove("CI");
        Movies::spawn(program, START)
    }

    fn spawn(mut program: Command, limit: Duration) -> Result<Movies> {
        let mut child = program
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("movies does not start")?;
        let output = child
            .stdout
            .take()
            .context("movies has no output to read")?;
        let mut movies = Movies {
            child,
            url: String::new(),
        };
        // A thread of its own, because reading has no deadline; it ends with the program, and until
        // then it keeps the pipe from filling up.
        let (lines, receive) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output)
                .lines()
                .map_while(std::result::Result::ok)
            {
                println!("movies | {line}");
                // Nobody listens any more once the address is known.
                drop(lines.send(line));
            }
        });
        let watch = Stopwatch::start();
        while let Some(left) = limit.checked_sub(watch.elapsed()) {
            match receive.recv_timeout(left) {
                Ok(line) => {
                    if let Some(url) = page_url(&line) {
                        movies.url = url;
                        return Ok(movies);
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => break,
                // Its output is closed. It may still run, so waiting for it could take for ever.
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    bail!("movies ended before it printed the address of the page; see above")
                }
            }
        }
        bail!(
            "movies printed no address of the page within {} s",
            limit.as_secs()
        )
    }
}

impl Drop for Movies {
    fn drop(&mut self) {
        // It may have ended by itself; and its data, which this kills mid-write, is thrown away.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The address of the page, from the line that names it: `page  http://127.0.0.1:8080`.
fn page_url(line: &str) -> Option<String> {
    if !line.to_lowercase().contains("page") {
        return None;
    }
    let url = &line[line.find("http://")?..];
    let end = url
        .find(|char: char| char.is_whitespace() || matches!(char, '"' | ')' | ','))
        .unwrap_or(url.len());
    Some(url[..end].trim_end_matches(['/', '.']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_address_is_read_off_the_line_about_the_page() {
        assert_eq!(
            page_url("  page   http://127.0.0.1:8080/  "),
            Some("http://127.0.0.1:8080".to_owned())
        );
        assert_eq!(
            page_url("Open the page (http://localhost:80)."),
            Some("http://localhost:80".to_owned())
        );
        assert_eq!(page_url("gRPC http://127.0.0.1:8081"), None);
        assert_eq!(page_url("the page is being built"), None);
    }

    #[test]
    fn a_program_that_ends_without_an_address_is_reported() {
        let error = Movies::spawn(shell("echo no; exit 4"), START)
            .err()
            .expect("it printed no address");
        assert!(error.to_string().contains("movies ended before"));
    }

    #[test]
    fn a_silent_program_is_given_up() {
        let error = Movies::spawn(shell("exec tail -f /dev/null"), Duration::from_millis(50));
        assert!(
            error
                .err()
                .expect("it prints nothing")
                .to_string()
                .contains("no address")
        );
    }

    #[test]
    fn a_program_that_names_its_page_runs_until_dropped() {
        let movies = Movies::spawn(
            shell("echo page http://127.0.0.1:9; exec tail -f /dev/null"),
            START,
        );
        assert_eq!(movies.expect("it names its page").url, "http://127.0.0.1:9");
    }
}
