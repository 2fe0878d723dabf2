//! Log messages read alike: lower case, no full stop.

use super::{Finding, Source, ending};

const MACROS: &[&str] = &["error!", "warn!", "info!", "debug!", "trace!"];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let product =
        |source: &&Source| source.path.starts_with("crates/") || source.path.starts_with("movies/");
    for source in ending(sources, &[".rs"]).filter(product) {
        for (line, message) in messages(&source.text) {
            if let Some(problem) = malformed(&message) {
                findings.push(Finding::at(
                    source,
                    line,
                    format!("the log message {message:?} {problem}"),
                ));
            }
        }
    }
    findings
}

fn malformed(message: &str) -> Option<&'static str> {
    let mut chars = message.chars();
    let (first, second) = (chars.next()?, chars.next());
    // Names that start with several capitals keep them: SQLite, HTTP.
    if first.is_uppercase() && second.is_some_and(char::is_lowercase) {
        return Some("starts with a capital");
    }
    message
        .ends_with(['.', '!'])
        .then_some("ends with a full stop")
}

/// The message of each log macro, with its line. Messages that are no plain literal are left alone.
fn messages(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        let start = MACROS.iter().find_map(|name| {
            let start = code.find(&format!("{name}("))?;
            // `my_error!` is another macro.
            let before = code[..start].chars().next_back();
            (!before.is_some_and(|char| char.is_alphanumeric() || char == '_'))
                .then_some(start + name.len() + 1)
        });
        let Some(start) = start else { continue };
        let rest: String = std::iter::once(&code[start..])
            .chain(text.lines().skip(index + 1))
            .flat_map(|line| [line, "\n"])
            .collect();
        if let Some(message) = first_argument_literal(&rest) {
            found.push((index + 1, message));
        }
    }
    found
}

/// The first string literal that is an argument of its own: `field = "x"` and `target: "x"` are not.
fn first_argument_literal(arguments: &str) -> Option<String> {
    let mut depth = 0_usize;
    let mut alone = true;
    let mut chars = arguments.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => {
                let mut literal = String::new();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => literal.extend(chars.next()),
                        char => literal.push(char),
                    }
                }
                if alone && depth == 0 {
                    return Some(literal);
                }
                alone = false;
            }
            '(' | '[' | '{' => depth += 1,
            // The macro ends.
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => alone = true,
            char if char.is_whitespace() => {}
            _ => alone = false,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        check(&[source("crates/a/src/lib.rs", text)])
            .iter()
            .map(Finding::to_string)
            .collect()
    }

    #[test]
    fn lower_case_without_a_full_stop_passes() {
        let text = "tracing::info!(address = %address, \"listening\");\nwarn!(\"SQLite is old, {}\", version());\n";
        assert!(complaints(text).is_empty());
    }

    #[test]
    fn a_capital_and_a_full_stop_are_found() {
        let found = complaints(
            "info!(\n  target: \"Access\",\n  name = \"Not this.\",\n  \"Started\"\n);\nerror!(\"it broke.\");\n",
        );
        assert_eq!(
            found,
            [
                "crates/a/src/lib.rs:1: the log message \"Started\" starts with a capital",
                "crates/a/src/lib.rs:6: the log message \"it broke.\" ends with a full stop",
            ]
        );
    }

    #[test]
    fn other_macros_and_computed_messages_are_left_alone() {
        assert!(complaints("my_info!(\"Started.\");\ninfo!(count = 3);\n// info!(\"Old.\")\nlet a = (\"B.\");\n").is_empty());
    }
}
