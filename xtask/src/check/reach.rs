//! Foreign crates that must not get everywhere.

use super::Finding;
use crate::workspace::Workspace;

struct Fence {
    package: &'static str,
    inside: &'static [&'static str],
    reason: &'static str,
}

const FENCES: &[Fence] = &[
    Fence {
        package: "mad-turmoil",
        inside: &["backlot-sim", "movies-sim", "backlot-drills"],
        reason: "it replaces the clock and the random source of a whole executable",
    },
    Fence {
        package: "ring",
        inside: &[],
        reason: "one cryptography in the tree, and that is aws-lc-rs",
    },
];

/// `is_built` tells of a package whether any build has it: the lock file also holds what a feature
/// names that nobody turns on.
pub(super) fn check(workspace: &Workspace, is_built: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for fence in FENCES {
        let reached = |name: &String| workspace.reaches(name, fence.package);
        if !workspace.members.keys().any(reached) || !is_built(fence.package) {
            continue;
        }
        for (name, member) in &workspace.members {
            if !fence.inside.contains(&name.as_str()) && workspace.reaches(name, fence.package) {
                let manifest = member
                    .manifest
                    .strip_prefix(&workspace.root)
                    .unwrap_or(&member.manifest);
                let problem = format!(
                    "reaches {}: {} (`cargo tree -p {name} -i {0}` shows the way)",
                    fence.package, fence.reason
                );
                findings.push(Finding::in_file(manifest.to_string_lossy(), problem));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::workspace::{Edge, Kind, Member};

    fn workspace(member: &str, path: &[&str]) -> Workspace {
        let mut workspace = Workspace::default();
        let first = path.first().expect("a path has a first crate");
        let edges = vec![Edge {
            to: (*first).to_owned(),
            kind: Kind::Normal,
        }];
        workspace.members.insert(
            member.to_owned(),
            Member {
                edges,
                ..Member::default()
            },
        );
        for pair in path.windows(2) {
            workspace
                .resolved
                .insert(pair[0].to_owned(), BTreeSet::from([pair[1].to_owned()]));
        }
        workspace
    }

    #[test]
    fn the_clock_replacement_stays_in_the_simulation() {
        assert!(
            check(
                &workspace("movies-sim", &["backlot-sim", "mad-turmoil"]),
                |_| true
            )
            .is_empty()
        );
        let findings = check(
            &workspace("movies-system", &["backlot-sim", "mad-turmoil"]),
            |_| true,
        );
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0]
                .problem
                .contains("cargo tree -p movies-system -i mad-turmoil")
        );
    }

    #[test]
    fn a_second_cryptography_is_found_through_others() {
        assert_eq!(
            check(&workspace("movies-web", &["tls", "ring"]), |_| true).len(),
            1
        );
        assert!(check(&workspace("movies-web", &["tls", "aws-lc-rs"]), |_| true).is_empty());
    }
}
