//! What must not get into the repository: paths of somebody's machine, and notes that something is
//! unfinished.

use std::path::Path;

use super::{Finding, Source};

/// Home folders of the systems people work on.
const HOMES: &[&str] = &["/home/", "/Users/", "/root/", "\\Users\\"];
/// Notes that belong into an issue.
const UNFINISHED: &[&str] = &["FIXME", "XXX:", "lorem ipsum"];

pub(super) fn check(sources: &[Source], root: &Path) -> Vec<Finding> {
    let root = root.to_string_lossy();
    let mut findings = Vec::new();
    // This folder names the words in order to find them.
    for source in sources
        .iter()
        .filter(|source| !source.path.starts_with("xtask/src/check/"))
    {
        for (index, line) in source.text.lines().enumerate() {
            let mut report =
                |problem: String| findings.push(Finding::at(source, index + 1, problem));
            if let Some(home) = HOMES.iter().find(|home| line.contains(**home)) {
                report(format!(
                    "`{home}` looks like a path of one machine; use ~, a variable or a relative path"
                ));
            } else if root.len() > 1 && names_path(line, &root) {
                report("names the folder of this clone; use a relative path".to_owned());
            }
            if let Some(word) = UNFINISHED.iter().find(|word| line.contains(**word)) {
                report(format!("`{word}`: finish it, or write an issue"));
            }
        }
    }
    findings
}

/// Whether the line contains this path, and not merely one that ends the same way.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + path.len()..].chars().next();
        let part =
            |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.' | '~' | '}');
        !before.is_some_and(part)
            && !after.is_some_and(|char| char.is_alphanumeric() || matches!(char, '_' | '-'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        check(&[source("a.md", text)], Path::new("/src"))
            .iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        assert_eq!(
            lines("fine\nsee /home/somebody/notes\ncd /src/crates\n"),
            [2, 3]
        );
    }

    #[test]
    fn relative_paths_that_end_alike_are_fine() {
        assert!(lines("crates/core/src/lib.rs, ~/src, /srcs, $HOME/x\n").is_empty());
    }

    #[test]
    fn unfinished_notes_are_found() {
        assert_eq!(lines("ok\n// FIXME later\n"), [2]);
    }
}
