//! `movies sim`: starts `movies-sim`, a program of its own because it replaces the clock and the
//! dice of its whole process.

use backlot::app::out;
use std::env::consts::EXE_SUFFIX;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const PROGRAM: &str = "movies-sim";

/// Runs `movies-sim` with these arguments.
#[must_use]
pub fn run(arguments: &[String]) -> ExitCode {
    let ran = std::env::current_exe()
        .and_then(|own| find(&own))
        .and_then(|program| {
            // Without a word of its own, flags such as --seed mean one run.
            let word = arguments
                .first()
                .is_none_or(|first| first.starts_with('-') && first != "--help" && first != "-h");
            Command::new(program)
                .args(word.then_some("run"))
                .args(arguments)
                .status()
        });
    match ran {
        Ok(status) => ExitCode::from(
            status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
        ),
        Err(error) => {
            out::note(format_args!("movies sim: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// `movies-sim` beside this program; in a source tree it is built first.
fn find(own: &Path) -> io::Result<PathBuf> {
    let program = own.with_file_name(format!("{PROGRAM}{EXE_SUFFIX}"));
    if let Some(cargo) = cargo() {
        build(&cargo, own)?;
    }
    if program.is_file() {
        return Ok(program);
    }
    let cure = format!(
        "{} is not there; install it beside movies, or build it: cargo build -p movies-sim",
        program.display()
    );
    Err(io::Error::new(io::ErrorKind::NotFound, cure))
}

/// Set by `cargo run`: then this program is being developed, and the simulation with it.
#[expect(
    clippy::disallowed_methods,
    reason = "asks how this program was started, not for configuration"
)]
fn cargo() -> Option<OsString> {
    std::env::var("CARGO").ok().map(OsString::from)
}

fn build(cargo: &OsString, own: &Path) -> io::Result<()> {
    let profile = match own
        .parent()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str())
    {
        Some("release") => "release",
        _ => "dev",
    };
    out::note(format_args!(
        "building {PROGRAM} (the first time takes a minute or two)"
    ));
    let status = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--package",
            PROGRAM,
            "--profile",
            profile,
        ])
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("{PROGRAM} does not build")))
    }
}
