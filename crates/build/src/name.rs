//! Rust names of proto names, as prost spells them.

use heck::{ToShoutySnakeCase, ToSnakeCase, ToUpperCamelCase};

/// `record_id` of `recordId`; a keyword becomes a raw identifier.
pub(crate) fn snake(name: &str) -> String {
    escape(name.to_snake_case())
}

/// `RatingChanged` of `rating_changed`.
pub(crate) fn camel(name: &str) -> String {
    escape(name.to_upper_camel_case())
}

/// `KEY_SET` of `KeySet`.
pub(crate) fn shouty(name: &str) -> String {
    name.to_shouty_snake_case()
}

fn escape(name: String) -> String {
    match name.as_str() {
        "as" | "break" | "const" | "continue" | "else" | "enum" | "false" | "fn" | "for" | "if"
        | "impl" | "in" | "let" | "loop" | "match" | "mod" | "move" | "mut" | "pub" | "ref"
        | "return" | "static" | "struct" | "trait" | "true" | "type" | "unsafe" | "use"
        | "where" | "while" | "dyn" | "abstract" | "become" | "box" | "do" | "final" | "macro"
        | "override" | "priv" | "typeof" | "unsized" | "virtual" | "yield" | "async" | "await"
        | "try" | "gen" => format!("r#{name}"),
        "_" | "super" | "self" | "Self" | "extern" | "crate" => format!("{name}_"),
        _ if name.starts_with(|first: char| first.is_numeric()) => format!("_{name}"),
        _ => name,
    }
}

/// The modules of a package.
pub(crate) fn modules(package: &str) -> Vec<String> {
    package
        .split('.')
        .filter(|segment| !segment.is_empty())
        .map(snake)
        .collect()
}

/// Whether a package segment is a version: `v1`, `v1beta2`.
pub(crate) fn is_version(segment: &str) -> bool {
    let mut rest = segment.chars();
    rest.next() == Some('v') && rest.next().is_some_and(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_as_prost_spells_them() {
        assert_eq!(
            snake("BatchGetAggregatedRatings"),
            "batch_get_aggregated_ratings"
        );
        assert_eq!(snake("type"), "r#type");
        assert_eq!(snake("self"), "self_");
        assert_eq!(camel("rating_changed"), "RatingChanged");
        assert_eq!(shouty("KeySet"), "KEY_SET");
    }

    #[test]
    fn a_version_is_told_from_a_word() {
        assert!(is_version("v1") && is_version("v1beta2"));
        assert!(!is_version("video") && !is_version("rating"));
    }
}
