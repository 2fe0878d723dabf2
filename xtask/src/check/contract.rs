//! Nothing breaks those who call by the contract of the last release: `released/` beside `proto/`
//! has its files (docs/contracts.md).

use std::path::Path;

use backlot_build::compatibility;

use super::Finding;

/// Where the contracts are that others call by.
pub(crate) const CONTRACTS: &[&str] = &["movies/api", "crates/rpc", "crates/broker"];

pub(super) fn check(root: &Path) -> Vec<Finding> {
    CONTRACTS
        .iter()
        .flat_map(|contract| compare(root, contract))
        .collect()
}

/// What breaks the callers of one contract.
pub(crate) fn compare(root: &Path, contract: &str) -> Vec<Finding> {
    let folder = root.join(contract);
    match compatibility::folders(folder.join("released"), folder.join("proto")) {
        Ok(found) => found
            .iter()
            .map(|finding| {
                // What has no line is in the released file alone.
                let side = if finding.line == 0 {
                    "released"
                } else {
                    "proto"
                };
                Finding {
                    path: format!("{contract}/{side}/{}", finding.file),
                    line: finding.line,
                    problem: finding.explanation(),
                }
            })
            .collect(),
        Err(error) => vec![Finding::in_file(contract, error.to_string())],
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A contract of these two files, compared.
    fn found(released: &str, today: &str) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (side, text) in [("released", released), ("proto", today)] {
            let path = folder.path().join("api").join(side);
            fs::create_dir_all(&path).expect("a folder inside");
            fs::write(
                path.join("a.proto"),
                format!("syntax = \"proto3\";\n{text}"),
            )
            .expect("a file");
        }
        compare(folder.path(), "api")
            .iter()
            .map(Finding::to_string)
            .collect()
    }

    const RELEASED: &str = "package a.v1;\nmessage A {\n  string b = 1;\n}";

    #[test]
    fn a_change_that_breaks_callers_is_found_at_its_line() {
        assert!(found(RELEASED, RELEASED).is_empty());
        let found = found(RELEASED, &RELEASED.replace("string", "bytes"));
        assert_eq!(found.len(), 1);
        let expected =
            "api/proto/a.proto:4: a.v1.A.b: was string, and now is bytes; breaks the wire";
        assert!(found[0].starts_with(expected), "{}", found[0]);
    }

    #[test]
    fn what_is_gone_is_found_where_it_was_released() {
        let found = found(RELEASED, &RELEASED.replace("v1", "v2"));
        assert!(
            found[0].starts_with("api/released/a.proto: a.v1: "),
            "{}",
            found[0]
        );
    }

    #[test]
    fn a_contract_without_a_release_is_told_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let found = compare(folder.path(), "api");
        assert_eq!(found[0].path, "api");
        assert!(
            found[0].problem.contains("released"),
            "{}",
            found[0].problem
        );
    }

    #[test]
    fn every_contract_of_this_repository_has_its_release() {
        // Tests run in their package's folder, also where a binary built for another clone is reused.
        let root = Path::new("..");
        for contract in CONTRACTS {
            assert!(
                root.join(contract).join("released/README.md").is_file(),
                "{contract}"
            );
        }
    }
}
