//! Whether those who call by a released contract may go on calling: two sets of .proto files,
//! compared.
//!
//! A test of one's own, where `released/` holds the files of the last release and `proto/` those
//! of today:
//!
//! ```no_run
//! # fn main() -> Result<(), backlot_build::Error> {
//! use backlot_build::compatibility;
//!
//! let findings = compatibility::folders("released", "proto")?;
//! assert!(findings.is_empty(), "{}", compatibility::report(&findings));
//! # Ok(())
//! # }
//! ```
//!
//! Adding is fine: packages, services, methods, routes, messages, fields, enum values, alternatives
//! of a oneof, rules that allow more than before. Everything that can break a caller is a
//! [`Finding`] of some [`Change`]; where that cannot be told (rules this crate cannot read), it is a
//! finding too. Comments, the order of items, and the file a type stands in do not matter.
//!
//! | module | what it holds |
//! |---|---|
//! | `change` | the kinds of changes: whom each breaks, why, and the cure |
//! | `finding` | one change in one place |
//! | `uses` | which messages callers send |
//! | `services` | packages, services, methods |
//! | `routes` | REST routes: whether each still answers |
//! | `template` | path templates, and which of two gets a path |
//! | `messages` | messages, fields, enums |
//! | `narrowing` | rules of fields: whether what was allowed still is |
//! | `follows` | whether one rule follows from others |

mod change;
mod finding;
mod follows;
mod messages;
mod narrowing;
mod routes;
mod services;
mod template;
mod uses;

pub use change::{Breaks, Change};
pub use finding::{Finding, report};

use crate::schema::Schema;
use crate::{Contract, Error};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use uses::Uses;

/// What callers rely on: the .proto files of one contract, read.
pub struct Surface {
    schema: Schema,
}

impl std::fmt::Debug for Surface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files: Vec<String> = self
            .schema
            .ours()
            .map(|file| file.name().to_owned())
            .collect();
        f.debug_struct("Surface").field("files", &files).finish()
    }
}

impl Surface {
    /// Reads every .proto file in a folder and the folders below it. Imports are looked up there,
    /// and among the files that need no include path (see the crate's documentation).
    ///
    /// # Errors
    /// When the folder cannot be read, holds no .proto file, or one of them is malformed.
    pub fn read(folder: impl AsRef<Path>) -> Result<Surface, Error> {
        let folder = folder.as_ref();
        let mut files = BTreeSet::new();
        collect(folder, Path::new(""), &mut files)?;
        if files.is_empty() {
            return Err(Error::new(format!(
                "there is no .proto file in {} or below it",
                folder.display()
            )));
        }
        Surface::of_files(&[folder.to_owned()], &files.into_iter().collect::<Vec<_>>())
    }

    /// Reads the files of a contract, with what they import.
    ///
    /// # Errors
    /// When a file cannot be read or is malformed. What [`Contract::compile`] does not support is
    /// no error here.
    pub fn of(contract: &Contract) -> Result<Surface, Error> {
        Surface::of_files(&contract.includes, &contract.files)
    }

    fn of_files(includes: &[PathBuf], files: &[PathBuf]) -> Result<Surface, Error> {
        Ok(Surface {
            schema: Schema::read(includes, files)?,
        })
    }
}

fn collect(root: &Path, below: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), Error> {
    let folder = root.join(below);
    let failed = |cause| Error::new(format!("{} cannot be read: {cause}", folder.display()));
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = below.join(entry.file_name());
        if entry.file_type().map_err(failed)?.is_dir() {
            collect(root, &name, files)?;
        } else if name.extension().is_some_and(|end| end == "proto") {
            files.insert(name);
        }
    }
    Ok(())
}

/// Compares the .proto files of two folders: those of the last release, and those of today.
///
/// # Errors
/// As [`Surface::read`].
pub fn folders(released: impl AsRef<Path>, today: impl AsRef<Path>) -> Result<Vec<Finding>, Error> {
    Ok(compare(&Surface::read(released)?, &Surface::read(today)?))
}

/// Everything that breaks those who call by `released` when `today` answers, by file and line.
#[must_use]
pub fn compare(released: &Surface, today: &Surface) -> Vec<Finding> {
    let mut comparison = Comparison {
        released: &released.schema,
        today: &today.schema,
        uses: Uses::of(&released.schema),
        findings: Vec::new(),
    };
    comparison.packages();
    let mut findings = comparison.findings;
    findings.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    findings
}

/// What is known while comparing, and what was found so far.
struct Comparison<'a> {
    released: &'a Schema,
    today: &'a Schema,
    uses: Uses,
    findings: Vec<Finding>,
}
