//! Every member's manifest takes its lints and the versions of its dependencies from the workspace:
//! a version is stated once.

use toml::{Table, Value};

use super::{Finding, Source, ending};

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let manifests = ending(sources, &["/Cargo.toml"]);
    manifests
        .flat_map(|source| {
            match source.text.parse::<Table>() {
                Ok(manifest) => problems(&manifest),
                Err(error) => vec![format!("is no TOML: {}", error.message())],
            }
            .into_iter()
            .map(|problem| Finding::in_file(&source.path, problem))
        })
        .collect()
}

fn problems(manifest: &Table) -> Vec<String> {
    let mut problems = Vec::new();
    if !manifest.get("lints").is_some_and(inherits) {
        problems.push(
            "takes no lints from the workspace; add `[lints]` with `workspace = true`".to_owned(),
        );
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, dependency) in manifest
            .get(section)
            .and_then(Value::as_table)
            .into_iter()
            .flatten()
        {
            if !inherits(dependency) {
                problems.push(format!(
                    "states {name} itself; put it into [workspace.dependencies] and write `{name}.workspace = true`"
                ));
            }
        }
    }
    problems
}

fn inherits(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn a_manifest_that_inherits_passes() {
        let text = "[lints]\nworkspace = true\n[dependencies]\na.workspace = true\nb = { workspace = true, features = [\"c\"] }\n";
        assert!(check(&[source("crates/a/Cargo.toml", text)]).is_empty());
    }

    #[test]
    fn a_version_of_its_own_and_missing_lints_are_found() {
        let findings = check(&[source(
            "crates/a/Cargo.toml",
            "[dev-dependencies]\nb = \"1\"\n",
        )]);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].problem.starts_with("takes no lints"));
        assert!(findings[1].problem.starts_with("states b itself"));
    }

    #[test]
    fn the_workspaces_own_manifest_is_where_versions_belong() {
        assert!(
            check(&[source(
                "Cargo.toml",
                "[workspace.dependencies]\na = \"1\"\n"
            )])
            .is_empty()
        );
    }
}
