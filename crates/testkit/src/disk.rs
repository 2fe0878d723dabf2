//! A disk that loses its power, fills up, fails and lies, under a real program.
//!
//! A small library is compiled by the machine's C compiler and loaded before the C library into a
//! *child* process. What the child does to the files of one folder is done, written down in order
//! together with what the child says on its standard output, and made to fail where the test asks
//! for it. From the [log](record) a test builds what a disk may hold after the power was lost at any
//! point: see [`image`].
//!
//! The child must be linked to the C library dynamically and write with the calls SQLite and Rust's
//! standard library use; what is not imagined stops it with a message. Syncs are only imagined
//! unless the test asks for real ones: a child that is killed leaves its writes to the operating
//! system all the same.
//!
//! Where no C compiler is, a test says so and does not run; under `CI` it fails.

pub mod image;
pub mod record;

use crate::{Program, folder};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const SOURCE: &str = include_str!("disk/shim.c");
/// Names under which C compilers are known, the first that is there is taken.
const COMPILERS: [&str; 3] = ["cc", "gcc", "clang"];

/// The imagined disk, compiled.
#[derive(Debug)]
pub struct Disk {
    folder: TempDir,
}

/// What fails, in a file whose name ends so; an empty suffix is any file of the folder. The number
/// of an operation is counted from 1 in each process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The sync of this number fails with `EIO`, and what it was to keep may be gone although later
    /// syncs succeed.
    SyncFails(&'static str, u64),
    /// As `SyncFails`, and the process is killed at once.
    KilledAtFailedSync(&'static str, u64),
    /// The write of this number fails with `EIO`.
    WriteFails(&'static str, u64),
    /// The process is killed at the sync of this number, before it has begun.
    KilledAtSync(&'static str, u64),
    /// The process is killed in the middle of the write of this number, between two sectors.
    KilledAtWrite(&'static str, u64),
    /// The write of this number takes only so many bytes, and says so.
    ShortWrite(&'static str, u64, u64),
    /// The disk is full after so many bytes, until [`Run::space`] is there.
    Full(u64),
}

/// How one child meets the disk.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What is under the disk.
    pub folder: PathBuf,
    /// Where what happens is written down; it goes on in a log that is there. Outside the folder.
    pub log: Option<PathBuf>,
    /// What fails.
    pub faults: Vec<Fault>,
    /// Once this file is there, a full disk has space again.
    pub space: Option<PathBuf>,
    /// Whether syncs reach the real disk.
    pub syncs: bool,
}

impl Disk {
    /// Compiles it; nothing, said aloud, where no C compiler is.
    ///
    /// # Panics
    /// When the compiler refuses; and where none is, if `CI` is set.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "a test that does not run says so")]
    pub fn build() -> Option<Self> {
        let folder = folder();
        let source = folder.path().join("disk.c");
        if let Err(error) = std::fs::write(&source, SOURCE) {
            panic!("the disk's source cannot be written: {error}");
        }
        for compiler in COMPILERS {
            let output = Command::new(compiler)
                .args(["-O1", "-shared", "-fPIC", "-o"])
                .arg(folder.path().join("disk.so"))
                .arg(&source)
                .args(["-ldl", "-lpthread"])
                .output();
            match output {
                Ok(output) if output.status.success() => return Some(Disk { folder }),
                Ok(output) => panic!(
                    "{compiler} refuses the disk: {}",
                    String::from_utf8_lossy(&output.stderr)
                ),
                Err(_not_there) => {}
            }
        }
        assert!(!is_ci(), "no C compiler is here, and CI needs one");
        eprintln!("not run: no C compiler is here ({COMPILERS:?})");
        None
    }

    /// The program on the disk.
    #[must_use]
    pub fn under(&self, program: Program, run: &Run) -> Program {
        let library = text(&self.folder.path().join("disk.so"));
        let faults: Vec<String> = run.faults.iter().map(Fault::to_string).collect();
        let mut program = program
            .env("LD_PRELOAD", &library)
            .env("BACKLOT_DISK_FOLDER", &text(&run.folder))
            .env("BACKLOT_DISK_FAULTS", &faults.join(","))
            .env("BACKLOT_DISK_SYNC", if run.syncs { "1" } else { "0" });
        if let Some(log) = &run.log {
            program = program.env("BACKLOT_DISK_LOG", &text(log));
        }
        if let Some(space) = &run.space {
            program = program.env("BACKLOT_DISK_SPACE", &text(space));
        }
        program
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::SyncFails(suffix, number) => write!(f, "fail:s:{suffix}:{number}"),
            Fault::KilledAtFailedSync(suffix, number) => write!(f, "fail:s:{suffix}:{number}:1"),
            Fault::WriteFails(suffix, number) => write!(f, "fail:w:{suffix}:{number}"),
            Fault::KilledAtSync(suffix, number) => write!(f, "kill:s:{suffix}:{number}"),
            Fault::KilledAtWrite(suffix, number) => write!(f, "kill:w:{suffix}:{number}"),
            Fault::ShortWrite(suffix, number, bytes) => {
                write!(f, "short:w:{suffix}:{number}:{bytes}")
            }
            Fault::Full(bytes) => write!(f, "full:w::{bytes}"),
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether a missing compiler fails a test; no product code reads it"
)]
fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(&*value, "" | "false" | "0"))
}

#[cfg(test)]
mod tests;
