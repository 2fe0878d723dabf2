//! PostgreSQL's programs.

use super::{folder_of, text};
use crate::process::Program;
use std::path::{Path, PathBuf};

pub(super) fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let mut folders: Vec<PathBuf> = versions
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    folders.reverse();
    folders.extend(["/usr/local/bin".into(), "/usr/bin".into()]);
    folder_of("initdb", folders)
}

/// What makes its data folder. Text is compared by the rules of English unless a column says
/// otherwise.
pub(super) fn make(programs: &Path, data: &Path) -> Vec<String> {
    [
        &text(&programs.join("initdb")),
        "-D",
        &text(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--locale-provider=icu",
        "--icu-locale=en-US",
        "--no-sync",
    ]
    .map(str::to_owned)
    .to_vec()
}

pub(super) fn server(programs: &Path, folder: &Path, port: u16) -> Vec<String> {
    let mut arguments = vec![
        text(&programs.join("postgres")),
        "-D".to_owned(),
        text(&folder.join("data")),
    ];
    for setting in [
        format!("port={port}"),
        format!("unix_socket_directories={}", text(folder)),
        "listen_addresses=127.0.0.1".to_owned(),
        // The machine does not lose its power in a test; a killed server loses nothing by this.
        "fsync=off".to_owned(),
        "shared_buffers=32MB".to_owned(),
        "max_connections=60".to_owned(),
    ] {
        arguments.extend(["-c".to_owned(), setting]);
    }
    arguments
}

pub(super) fn client(programs: &Path, port: u16, database: &str, sql: &str) -> Program {
    let database = if database.is_empty() {
        "postgres"
    } else {
        database
    };
    Program::new(programs.join("psql"))
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
        .args(["-h", "127.0.0.1", "-U", "postgres", "-d", database])
        .args(["-p", &port.to_string(), "-c", sql])
}
