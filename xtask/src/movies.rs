//! Movies, started on an empty folder and free ports for a command that looks at it from outside.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::machine::Stopwatch;

/// How long it may take until it has said where the page is and that its sample is loaded.
const START: Duration = Duration::from_secs(120);
/// All that listen.
const SERVICES: &[&str] = &[
    "broker", "auth", "metadata", "rating", "movie", "web", "poster", "mail", "webhooks", "console",
];

/// Movies, running until this is dropped.
#[derive(Debug)]
pub(crate) struct Movies {
    child: Child,
    /// Where the page is, without a slash at the end.
    pub(crate) page: String,
    /// Where ratings are, likewise.
    pub(crate) rating: String,
    /// Where films with their ratings are, likewise.
    pub(crate) movie: String,
    /// Where the operators' page is, likewise.
    pub(crate) console: String,
}

impl Movies {
    /// Starts it on this folder, emptied, and waits until ratings have stopped coming in by themselves.
    pub(crate) fn start(binary: &Path, folder: &Path) -> Result<Movies> {
        if folder.exists() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let mut program = Command::new(binary);
        // `CI` concerns tests, not what they test.
        program
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .env_remove("CI")
            .args(["--data", "data"]);
        for service in SERVICES {
            for listener in ["listen", "admin"] {
                // Free ports, so that another Movies may run beside.
                program.args(["--set", &format!("{service}.server.{listener}=127.0.0.1:0")]);
            }
        }
        Movies::spawn(program, START)
    }

    fn spawn(mut program: Command, limit: Duration) -> Result<Movies> {
        program
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = program.spawn().context("movies does not start")?;
        let (lines, said) = mpsc::channel();
        read_along(child.stdout.take(), lines.clone());
        read_along(child.stderr.take(), lines);
        let mut movies = Movies {
            child,
            page: String::new(),
            rating: String::new(),
            movie: String::new(),
            console: String::new(),
        };
        let (mut page, mut loaded) = (None, false);
        let (mut rating, mut movie, mut console) = (None, None, None);
        let watch = Stopwatch::start();
        loop {
            match said.recv_timeout(limit.saturating_sub(watch.elapsed())) {
                Ok(line) => {
                    page = page.or_else(|| url_of("page", &line));
                    rating = rating.or_else(|| url_of("rating ", &line));
                    movie = movie.or_else(|| url_of("movie ", &line));
                    console = console.or_else(|| url_of("console ", &line));
                    loaded = loaded || line.contains("loaded the sample");
                }
                Err(end) => {
                    let missing = if page.is_none() {
                        "printed the address of the page"
                    } else {
                        "loaded the sample"
                    };
                    match end {
                        RecvTimeoutError::Timeout => {
                            bail!("movies has not {missing} within {} s", limit.as_secs())
                        }
                        // Its output is closed. It may still run, so waiting for it could take for ever.
                        RecvTimeoutError::Disconnected => {
                            bail!("movies ended before it {missing}; see above")
                        }
                    }
                }
            }
            if loaded && let Some(page) = page.take() {
                movies.page = page;
                movies.rating = rating.unwrap_or_default();
                movies.movie = movie.unwrap_or_default();
                movies.console = console.unwrap_or_default();
                return Ok(movies);
            }
        }
    }
}

impl Drop for Movies {
    fn drop(&mut self) {
        // It may have ended by itself; and its data, which this kills mid-write, is thrown away.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Passes lines on, and shows them. A thread of its own, because reading has no deadline; it ends
/// with the program, and until then it keeps the pipe from filling up.
fn read_along(output: Option<impl Read + Send + 'static>, lines: Sender<String>) {
    let Some(output) = output else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(output)
            .lines()
            .map_while(std::result::Result::ok)
        {
            println!("movies | {line}");
            // Nobody listens any more once Movies is ready.
            drop(lines.send(line));
        }
    });
}

/// The address of something, from the line that names it: `the page  http://127.0.0.1:8080`.
fn url_of(what: &str, line: &str) -> Option<String> {
    let (name, _) = line.split_once("http://")?;
    if !name.to_lowercase().contains(what) {
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
            url_of("page", "  the page   http://127.0.0.1:8080/  "),
            Some("http://127.0.0.1:8080".to_owned())
        );
        assert_eq!(
            url_of("page", "Open the page (http://localhost:80)."),
            Some("http://localhost:80".to_owned())
        );
        assert_eq!(url_of("page", "gRPC http://127.0.0.1:8081"), None);
        assert_eq!(url_of("page", "the page is being built"), None);
    }

    #[test]
    fn a_program_that_ends_early_is_reported_with_what_it_has_not_done() {
        let error =
            Movies::spawn(shell("echo no; exit 4"), START).expect_err("it printed no address");
        assert!(
            error
                .to_string()
                .contains("ended before it printed the address"),
            "{error}"
        );
        let error = Movies::spawn(shell("echo page http://127.0.0.1:9"), START)
            .expect_err("it loaded nothing");
        assert!(
            error
                .to_string()
                .contains("ended before it loaded the sample"),
            "{error}"
        );
    }

    #[test]
    fn a_silent_program_is_given_up() {
        let error = Movies::spawn(shell("exec tail -f /dev/null"), Duration::from_millis(50));
        let error = error.expect_err("it prints nothing");
        assert!(
            error.to_string().contains("has not printed the address"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_names_its_page_and_loads_its_sample_runs_until_dropped() {
        let script =
            "echo page http://127.0.0.1:9; echo loaded the sample >&2; exec tail -f /dev/null";
        assert_eq!(
            Movies::spawn(shell(script), START)
                .expect("it gets ready")
                .page,
            "http://127.0.0.1:9"
        );
    }
}
