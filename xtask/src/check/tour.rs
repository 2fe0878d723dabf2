//! The tour's pages tell what they have to, and its index is made of them.

use super::{Finding, Source};
use crate::tour;

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let pages = sources.iter().filter_map(|source| {
        let name = source.path.strip_prefix(tour::FOLDER)?.strip_prefix('/')?;
        (name.ends_with(".md") && name != "README.md").then_some((name, source.text.as_str()))
    });
    let made = match tour::index(pages) {
        Ok(made) => made,
        Err((name, problem)) => {
            return vec![Finding::in_file(
                format!("{}/{name}", tour::FOLDER),
                problem,
            )];
        }
    };
    let kept = sources.iter().find(|source| source.path == tour::INDEX);
    match kept {
        Some(kept) if kept.text == made => Vec::new(),
        _ => vec![Finding::in_file(
            tour::INDEX,
            "it is not what its pages say: run `cargo xtask tour`",
        )],
    }
}
