//! `cargo xtask check`: the rules of this repository that no compiler knows.
//!
//! Each rule is one file with one function from what it reads to findings, so that its tests need
//! no repository.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;

pub(crate) mod contract;
mod layers;
mod links;
mod logs;
mod manifests;
mod names;
mod reach;
mod sql;
mod switches;
mod tour;
mod words;

/// A file of the repository: its path from the root, with `/`, and its text.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// One broken rule: where, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// Counted from 1; 0 if the finding concerns the whole file.
    pub(crate) line: usize,
    pub(crate) problem: String,
}

impl Finding {
    fn at(source: &Source, line: usize, problem: impl Into<String>) -> Finding {
        Finding {
            path: source.path.clone(),
            line,
            problem: problem.into(),
        }
    }

    fn in_file(path: impl Into<String>, problem: impl Into<String>) -> Finding {
        Finding {
            path: path.into(),
            line: 0,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.problem),
            line => write!(f, "{}:{line}: {}", self.path, self.problem),
        }
    }
}

/// Runs every check and prints what it finds.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::read()?;
    let sources = sources(&workspace.root)?;
    let mut all = 0;
    for (name, findings) in [
        ("layers", layers::check(&workspace)),
        ("reach", reach::check(&workspace, is_built)),
        ("switches", switches::check(features().as_deref())),
        ("contract", contract::check(&workspace.root)),
        ("manifests", manifests::check(&sources)),
        ("names", names::check(&sources)),
        ("sql", sql::check(&sources)),
        ("words", words::check(&sources, &workspace.root)),
        (
            "links",
            links::check(&sources, |path| workspace.root.join(path).exists()),
        ),
        ("logs", logs::check(&sources)),
        ("tour", tour::check(&sources)),
    ] {
        println!(
            "{name:>9}  {}",
            if findings.is_empty() { "ok" } else { "broken" }
        );
        for finding in &findings {
            println!("           {finding}");
        }
        all += findings.len();
    }
    if all > 0 {
        bail!("{all} findings in {} files", sources.len());
    }
    Ok(())
}

/// Whether any build of the workspace, with whatever features, has this package.
fn is_built(package: &str) -> bool {
    let mut tree = crate::workspace::cargo();
    tree.args(["tree", "--workspace", "--all-features", "--target", "all"]);
    // When cargo cannot tell, the lock file's word counts.
    crate::machine::answer(tree.args(["-i", package])).is_none_or(|tree| !tree.is_empty())
}

/// What `cargo run` builds, with features; nothing when cargo cannot tell.
fn features() -> Option<String> {
    let mut tree = crate::workspace::cargo();
    tree.args(["tree", "--edges", "normal,build,features"]);
    crate::machine::answer(tree.args(["--prefix", "none"]))
}

/// Every text file that is, or would be, committed.
fn sources(root: &Path) -> Result<Vec<Source>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root)
        .output()
        .context("git, which names the files to check, does not start")?;
    if !output.status.success() {
        bail!(
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut names: Vec<&str> = names.split('\0').filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let mut sources = Vec::with_capacity(names.len());
    for name in names {
        let path: PathBuf = root.join(name);
        // Deleted but not yet committed: nothing to check.
        let Ok(bytes) = fs::read(&path) else { continue };
        // Images and the like are no text.
        if let Ok(text) = String::from_utf8(bytes) {
            sources.push(Source {
                path: name.to_owned(),
                text,
            });
        }
    }
    Ok(sources)
}

/// Sources whose name ends so.
fn ending<'a>(sources: &'a [Source], endings: &'a [&str]) -> impl Iterator<Item = &'a Source> {
    sources
        .iter()
        .filter(|source| endings.iter().any(|ending| source.path.ends_with(ending)))
}

#[cfg(test)]
fn source(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_like_a_compilers() {
        let readme = source("README.md", "");
        assert_eq!(
            Finding::at(&readme, 7, "odd").to_string(),
            "README.md:7: odd"
        );
        assert_eq!(
            Finding::in_file("a/mod.rs", "odd").to_string(),
            "a/mod.rs: odd"
        );
    }
}
