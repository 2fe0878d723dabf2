//! `cargo xtask release-contract`: today's .proto files become those that the next changes are held
//! against.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::check::contract::{CONTRACTS, compare};
use crate::workspace::Workspace;

/// Takes over every contract, or none: it refuses while something breaks callers.
pub(crate) fn run() -> Result<()> {
    let root = Workspace::read()?.root;
    for contract in CONTRACTS {
        if root.join(contract).join("released").exists() {
            let findings = compare(&root, contract);
            for finding in &findings {
                println!("{finding}");
            }
            if !findings.is_empty() {
                bail!(
                    "{contract}: {} changes break callers; docs/contracts.md says what to do",
                    findings.len()
                );
            }
        }
    }
    for contract in CONTRACTS {
        let files = take_over(&root.join(contract), env!("CARGO_PKG_VERSION"))?;
        println!("{contract}/released: {files} files");
    }
    Ok(())
}

/// Writes the folder `released` of a contract anew; how many .proto files it has.
fn take_over(contract: &Path, version: &str) -> Result<usize> {
    let released = contract.join("released");
    let files = read(&contract.join("proto"))?;
    if files.is_empty() {
        bail!(
            "there is no .proto file in {}",
            contract.join("proto").display()
        );
    }
    if released.exists() {
        fs::remove_dir_all(&released)
            .with_context(|| format!("cannot empty {}", released.display()))?;
    }
    for (name, text) in &files {
        write(&released.join(name), text)?;
    }
    write(&released.join("README.md"), readme(version).as_bytes())?;
    Ok(files.len())
}

/// The .proto files in a folder and below it, by their names from there.
fn read(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        let path = folder.join(&below);
        let failed = || format!("cannot read {}", path.display());
        for entry in fs::read_dir(&path).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            let name = below.join(entry.file_name());
            if entry.file_type().with_context(failed)?.is_dir() {
                open.push(name);
            } else if name.extension().is_some_and(|end| end == "proto") {
                let bytes = fs::read(entry.path()).with_context(failed)?;
                files.insert(name, bytes);
            }
        }
    }
    Ok(files)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::write(path, bytes).with_context(failed)
}

fn readme(version: &str) -> String {
    format!(
        "# The contract of release {version}

The .proto files that callers of this release rely on, as they were. Nobody edits them: `cargo xtask
check` holds today's [proto](../proto) against them, and
[docs/contracts.md](../../../docs/contracts.md) says what may change and what to do when it has to.

A release takes today's files over with `cargo xtask release-contract`. It refuses while something
breaks callers; otherwise it writes this folder anew, this page included.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_what_there_is_today_and_nothing_else() {
        let contract = tempfile::tempdir().expect("a folder");
        let path = |name: &str| contract.path().join(name);
        write(&path("proto/a/v1/a.proto"), b"today").expect("a file");
        write(&path("proto/notes.txt"), b"no contract").expect("a file");
        write(&path("released/a/v1/a.proto"), b"before").expect("a file");
        write(&path("released/gone.proto"), b"before").expect("a file");
        assert_eq!(
            take_over(contract.path(), "7.0").expect("it can be written"),
            1
        );
        assert_eq!(
            fs::read(path("released/a/v1/a.proto")).expect("it is there"),
            b"today"
        );
        assert!(!path("released/gone.proto").exists() && !path("released/notes.txt").exists());
        let readme = fs::read_to_string(path("released/README.md")).expect("it is there");
        assert!(
            readme.starts_with("# The contract of release 7.0\n"),
            "{readme}"
        );
    }

    #[test]
    fn a_contract_without_files_keeps_its_release() {
        let contract = tempfile::tempdir().expect("a folder");
        write(&contract.path().join("released/a.proto"), b"before").expect("a file");
        fs::create_dir_all(contract.path().join("proto")).expect("a folder inside");
        let error = take_over(contract.path(), "7.0").expect_err("there is nothing to release");
        assert!(error.to_string().contains("no .proto file"), "{error}");
        assert!(contract.path().join("released/a.proto").is_file());
    }
}
