//! MariaDB's programs.

use super::{folder_of, text};
use crate::process::Program;
use std::path::{Path, PathBuf};

/// Small enough to be copied for every test.
const SIZES: [&str; 3] = [
    "--innodb-log-file-size=8M",
    "--innodb-undo-tablespaces=0",
    "--innodb-buffer-pool-size=32M",
];

pub(super) fn programs() -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/bin"];
    folder_of("mariadbd", folders.map(PathBuf::from))
}

fn other(programs: &Path, name: &str) -> String {
    // Its server is for the administrator, the rest for everybody.
    let folders = [
        programs.to_owned(),
        "/usr/bin".into(),
        "/usr/local/bin".into(),
    ];
    let folder = folder_of(name, folders).unwrap_or_default();
    text(&folder.join(name))
}

/// What makes its data folder.
pub(super) fn make(programs: &Path, data: &Path) -> Vec<String> {
    let mut arguments = vec![
        other(programs, "mariadb-install-db"),
        "--no-defaults".to_owned(),
        format!("--datadir={}", text(data)),
    ];
    arguments.extend(
        ["--auth-root-authentication-method=normal", "--skip-test-db"]
            .into_iter()
            .chain(SIZES)
            .map(str::to_owned),
    );
    arguments
}

pub(super) fn server(programs: &Path, folder: &Path, port: u16) -> Vec<String> {
    let mut arguments = vec![
        text(&programs.join("mariadbd")),
        "--no-defaults".to_owned(),
        format!("--datadir={}", text(&folder.join("data"))),
        format!("--socket={}", text(&folder.join("socket"))),
        format!("--pid-file={}", text(&folder.join("pid"))),
        format!("--port={port}"),
    ];
    arguments.extend(
        [
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            // The machine does not lose its power in a test; a killed server loses nothing by this.
            "--innodb-flush-log-at-trx-commit=2",
        ]
        .into_iter()
        .chain(SIZES)
        .map(str::to_owned),
    );
    arguments
}

pub(super) fn client(programs: &Path, port: u16, database: &str, sql: &str) -> Program {
    Program::new(other(programs, "mariadb"))
        .args(["--no-defaults", "-N", "-B", "-uroot", "-h127.0.0.1"])
        .args([&format!("-P{port}"), "-e", sql])
        .args(Some(database).filter(|database| !database.is_empty()))
}
