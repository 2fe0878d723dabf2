//! Data folders as their servers make them, made once for all tests: that takes seconds, a copy
//! does not.

use super::{Kind, mariadb, postgres, text};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Puts a fresh data folder into `folder/data`.
pub(super) fn copy(kind: Kind, programs: &Path, account: Option<&str>, folder: &Path) {
    let name = match kind {
        Kind::Mariadb => "mariadb",
        Kind::Postgres => "postgres",
    };
    let template = place().join(format!("{name}-{:016x}", version(kind, programs)));
    if !template.is_dir() {
        make(kind, programs, account, folder, &template);
    }
    let data = folder.join("data");
    run(Command::new("cp")
        .args(["-a", "--reflink=auto", "--sparse=always"])
        .args([&template, &data]));
    // Its server is not the one who runs the tests: both may enter.
    if let Some(account) = account {
        run(Command::new("chown")
            .args(["-R", &format!("{account}:")])
            .arg(folder));
    }
}

/// Beside the build, so that it goes with it.
fn place() -> PathBuf {
    let build = std::env::current_exe().ok().and_then(|program| {
        let folders = program.ancestors();
        folders
            .filter(|folder| folder.join("CACHEDIR.TAG").is_file())
            .last()
            .map(Path::to_owned)
    });
    let place = build
        .unwrap_or_else(std::env::temp_dir)
        .join("backlot-engines");
    if let Err(error) = std::fs::create_dir_all(&place) {
        panic!("{} cannot be made: {error}", place.display());
    }
    place
}

/// Another version of a server makes another folder; so does another way to make it.
fn version(kind: Kind, programs: &Path) -> u64 {
    let program = match kind {
        Kind::Mariadb => "mariadbd",
        Kind::Postgres => "postgres",
    };
    let said = run(Command::new(programs.join(program)).arg("--version")).stdout;
    let made = arguments(kind, programs, Path::new("data")).join(" ");
    backlot_core::idempotency::fingerprint(&[said, made.into_bytes()].concat())
}

fn arguments(kind: Kind, programs: &Path, data: &Path) -> Vec<String> {
    match kind {
        Kind::Mariadb => mariadb::make(programs, data),
        Kind::Postgres => postgres::make(programs, data),
    }
}

fn make(kind: Kind, programs: &Path, account: Option<&str>, folder: &Path, template: &Path) {
    let fresh = folder.join("fresh");
    let mut command = match account {
        Some(account) => {
            run(Command::new("chown").arg(account).arg(folder));
            let mut command = Command::new("setpriv");
            command.args([
                &format!("--reuid={account}"),
                &format!("--regid={account}"),
                "--clear-groups",
                "--",
            ]);
            command
        }
        None => Command::new("env"),
    };
    command.args(arguments(kind, programs, &fresh));
    // Where it stands now need not be for its server to enter.
    command.current_dir(folder).env("HOME", folder);
    run(&mut command);
    // Put there whole, by whoever is first.
    let aside = template.with_extension(std::process::id().to_string());
    run(Command::new("cp").arg("-a").args([&fresh, &aside]));
    if std::fs::rename(&aside, template).is_err() {
        run(Command::new("rm").arg("-rf").arg(&aside));
    }
    run(Command::new("rm").arg("-rf").arg(&fresh));
}

fn run(command: &mut Command) -> Output {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?} does not start: {error}"),
    };
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{}{}",
        output.status,
        text(Path::new(&*String::from_utf8_lossy(&output.stdout))),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
