//! A file is called after its idea.

use super::{Finding, Source, ending};

/// Names that say nothing, with what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("mod", "write `foo.rs` beside `foo/`"),
    ("util", "name the idea"),
    ("utils", "name the idea"),
    ("common", "name the idea"),
    ("helper", "name the idea"),
    ("helpers", "name the idea"),
    ("misc", "name the idea"),
    ("manager", "name the idea"),
];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in ending(sources, &[".rs"]) {
        let file = source.path.rsplit('/').next().unwrap_or(&source.path);
        let refused = REFUSED
            .iter()
            .find(|(name, _)| file.strip_suffix(".rs") == Some(name));
        if let Some((_, cure)) = refused {
            findings.push(Finding::in_file(&source.path, *cure));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn names_without_an_idea_are_refused() {
        let sources = [
            source("crates/a/src/mod.rs", ""),
            source("util.rs", ""),
            source("crates/a/src/backoff.rs", ""),
        ];
        let paths: Vec<String> = check(&sources)
            .into_iter()
            .map(|finding| finding.path)
            .collect();
        assert_eq!(paths, ["crates/a/src/mod.rs", "util.rs"]);
    }
}
