//! SQL takes time and chance from its parameters: the database's own cannot be simulated, because
//! SQLite asks the system behind everybody's back (docs/decisions/0003).

use super::{Finding, Source, ending};

/// In lower case: what SQL calls its own clock and dice.
const REFUSED: &[&str] = &[
    "current_timestamp",
    "current_date",
    "current_time",
    "'now'",
    "unixepoch()",
    "random()",
    "randomblob(",
];

/// Rust that names the words in order to refuse them. No migration is exempt.
const EXEMPT: &[&str] = &["xtask/src/check/", "crates/storage/"];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let exempt = |source: &&Source| {
        source.path.ends_with(".rs") && EXEMPT.iter().any(|path| source.path.starts_with(path))
    };
    let sources = ending(sources, &[".rs", ".sql"]).filter(|source| !exempt(source));
    for source in sources {
        for (index, line) in source.text.lines().enumerate() {
            if let Some(word) = refused(line) {
                let problem =
                    format!("`{word}` in SQL is not simulated; pass the value as a parameter");
                findings.push(Finding::at(source, index + 1, problem));
            }
        }
    }
    findings
}

fn refused(line: &str) -> Option<&'static str> {
    let line = line.trim_start().to_lowercase();
    if line.starts_with("//") || line.starts_with("--") {
        return None;
    }
    REFUSED.iter().copied().find(|word| {
        line.match_indices(word).any(|(start, _)| {
            // `dice.random()` and `my_random()` are Rust, not SQL.
            let before = line[..start].chars().next_back();
            !before.is_some_and(|char| char.is_alphanumeric() || matches!(char, '_' | '.' | ':'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn the_databases_own_clock_and_dice_are_refused() {
        let text = "create table a (\n  at integer default CURRENT_TIMESTAMP\n);\nselect Random() from a;\n";
        let findings = check(&[source("migrations/1.sql", text)]);
        assert_eq!(
            findings
                .iter()
                .map(|finding| finding.line)
                .collect::<Vec<_>>(),
            [2, 4]
        );
    }

    #[test]
    fn sql_inside_rust_is_read_too() {
        let text = r#"const NOW: Sql = sql!("update a set at = datetime('now')");"#;
        assert_eq!(check(&[source("repository.rs", text)]).len(), 1);
    }

    #[test]
    fn the_crate_that_refuses_the_words_may_name_them_but_not_use_them() {
        let text = "select current_date";
        assert!(check(&[source("crates/storage/src/sql.rs", text)]).is_empty());
        assert_eq!(
            check(&[source("crates/storage/migrations/1.sql", text)]).len(),
            1
        );
    }

    #[test]
    fn methods_and_comments_are_no_sql() {
        let text = "let a = dice.random();\nlet b = rand::random();\n// never random() in SQL\n-- nor current_timestamp\n";
        assert!(check(&[source("dice.rs", text)]).is_empty());
    }
}
