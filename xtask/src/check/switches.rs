//! What only tests may turn on is in no program that people run: suites, doubles, and the switches
//! that break a promise on purpose, so that a test can see it noticed.

use super::Finding;

/// The feature that holds all of it.
const FEATURE: &str = "feature \"testing\"";

/// `tree` is what cargo says of the programs that are built without naming any, with features.
pub(super) fn check(tree: Option<&str>) -> Vec<Finding> {
    let Some(tree) = tree.filter(|tree| tree.contains("movies-system")) else {
        let problem = "cargo does not tell which features the program `movies` is built with";
        return vec![Finding::in_file("Cargo.toml", problem)];
    };
    let mut found: Vec<&str> = tree
        .lines()
        .filter(|line| line.contains(FEATURE))
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    found.sort_unstable();
    found.dedup();
    let problem = |line| {
        format!(
            "the program `movies` is built with {line}: turn it on in dev-dependencies only (`cargo tree -e normal,build,features` shows the way)"
        )
    };
    found
        .into_iter()
        .map(|line| Finding::in_file("Cargo.toml", problem(line)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &str = "movies-system v0.1.0\nbacklot feature \"default\"\nbacklot v0.1.0\n";

    #[test]
    fn a_program_without_them_passes() {
        assert_eq!(check(Some(CLEAN)), []);
    }

    #[test]
    fn one_that_has_them_is_told_which_once() {
        let line = "backlot-messaging feature \"testing\"";
        let findings = check(Some(&format!("{CLEAN}{line}\n{line} (*)\n")));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].problem.contains(line), "{findings:?}");
    }

    #[test]
    fn nothing_known_is_not_nothing_found() {
        assert_eq!(check(None).len(), 1);
        assert_eq!(check(Some("")).len(), 1);
    }
}
