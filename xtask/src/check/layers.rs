//! Layers point down only: which layer may depend on which. Every crate states its own in
//! `package.metadata.backlot.layer`; ARCHITECTURE.md has the picture.

use super::Finding;
use crate::workspace::{Edge, Kind, Member, Workspace};

/// From each layer to the layers it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("service", &["core"]),
    ("cache", &["core", "service"]),
    ("storage", &["core", "service"]),
    ("rpc", &["core", "service"]),
    ("cluster", &["core", "service", "storage", "rpc"]),
    ("messaging", &["core", "service", "storage"]),
    (
        "broker",
        &["core", "service", "storage", "rpc", "messaging"],
    ),
    (
        "app",
        &[
            "core",
            "service",
            "storage",
            "rpc",
            "cluster",
            "messaging",
            "broker",
            "cache",
        ],
    ),
    (
        "webhooks",
        &[
            "core",
            "service",
            "storage",
            "rpc",
            "cluster",
            "messaging",
            "broker",
            "cache",
            "app",
        ],
    ),
    (
        "console",
        &[
            "core",
            "service",
            "storage",
            "rpc",
            "cluster",
            "messaging",
            "broker",
            "cache",
            "app",
        ],
    ),
    (
        "facade",
        &[
            "core",
            "service",
            "storage",
            "rpc",
            "cluster",
            "messaging",
            "broker",
            "cache",
            "app",
            "webhooks",
            "console",
        ],
    ),
    (
        "sim",
        &[
            "core",
            "service",
            "storage",
            "rpc",
            "cluster",
            "messaging",
            "broker",
            "cache",
            "app",
        ],
    ),
    (
        "testkit",
        &[
            "core",
            "service",
            "storage",
            "rpc",
            "cluster",
            "messaging",
            "broker",
            "cache",
            "app",
        ],
    ),
    ("build", &[]),
    ("movies", &["facade", "movies"]),
    ("system", &["facade", "movies", "webhooks", "console"]),
    ("tests", &["facade", "movies", "system", "sim", "tests"]),
    ("xtask", &[]),
];

/// The contract is all that services share.
const CONTRACT: &str = "movies-api";
/// The packages that may use the simulated world.
const SIMULATIONS: &[&str] = &["movies-sim", "backlot-drills"];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, member) in &workspace.members {
        let manifest = member
            .manifest
            .strip_prefix(&workspace.root)
            .unwrap_or(&member.manifest);
        for problem in problems(workspace, name, member) {
            findings.push(Finding::in_file(manifest.to_string_lossy(), problem));
        }
    }
    findings
}

fn problems(workspace: &Workspace, name: &str, member: &Member) -> Vec<String> {
    let Some(layer) = member.layer.as_deref() else {
        return vec!["states no layer; add package.metadata.backlot.layer".to_owned()];
    };
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == layer) else {
        let known: Vec<_> = ALLOWED.iter().map(|(known, _)| *known).collect();
        return vec![format!(
            "unknown layer `{layer}`; known are {}",
            known.join(", ")
        )];
    };
    let edges = member.edges.iter().filter(|edge| edge.to != name);
    edges
        .filter_map(|edge| refusal(workspace, name, layer, allowed, edge))
        .collect()
}

/// Why this edge may not be, if so.
fn refusal(
    workspace: &Workspace,
    name: &str,
    layer: &str,
    allowed: &[&str],
    edge: &Edge,
) -> Option<String> {
    let to = &edge.to;
    let below = workspace.members.get(to)?.layer.as_deref()?;
    match below {
        // It holds contracts against those of the last release.
        "build" if layer == "xtask" => None,
        "build" if edge.kind == Kind::Normal => Some(format!(
            "uses {to}, which generates code: make it a build-dependency"
        )),
        // What only measures is a test as a program.
        "testkit" if edge.kind != Kind::Dev && layer != "tests" => Some(format!(
            "uses {to}, which is for tests: make it a dev-dependency"
        )),
        "testkit" if layer == "xtask" => Some(format!("uses {to}; xtask uses no product crate")),
        "build" | "testkit" => None,
        "sim" if !SIMULATIONS.contains(&name) => Some(format!(
            "uses {to}; only {} may, because it replaces the clock",
            SIMULATIONS.join(" and ")
        )),
        "movies" if layer == "movies" && to != CONTRACT => Some(format!(
            "uses {to}; services share {CONTRACT} and nothing else"
        )),
        below if !allowed.contains(&below) => Some(format!(
            "layer `{layer}` uses {to} of layer `{below}`; it may use: {}",
            if allowed.is_empty() {
                "nothing of ours".to_owned()
            } else {
                allowed.join(", ")
            }
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace of `package layer -> dependency[:kind] ...` lines.
    fn workspace(lines: &[&str]) -> Workspace {
        let mut workspace = Workspace::default();
        for line in lines {
            let (head, tail) = line.split_once(" ->").unwrap_or((line, ""));
            let (name, layer) = head
                .split_once(' ')
                .expect("a line starts with package and layer");
            let edges = tail
                .split_whitespace()
                .map(|word| match word.split_once(':') {
                    Some((to, "dev")) => Edge {
                        to: to.to_owned(),
                        kind: Kind::Dev,
                    },
                    Some((to, _)) => Edge {
                        to: to.to_owned(),
                        kind: Kind::Build,
                    },
                    None => Edge {
                        to: word.to_owned(),
                        kind: Kind::Normal,
                    },
                });
            let member = Member {
                layer: Some(layer.to_owned()).filter(|layer| layer != "?"),
                manifest: format!("{name}/Cargo.toml").into(),
                edges: edges.collect(),
                ..Member::default()
            };
            workspace.members.insert(name.to_owned(), member);
        }
        workspace
    }

    fn complaints(lines: &[&str]) -> Vec<String> {
        check(&workspace(lines))
            .iter()
            .map(Finding::to_string)
            .collect()
    }

    #[test]
    fn edges_that_point_down_pass() {
        let lines = [
            "core core",
            "service service -> core tokio",
            "rpc rpc -> service core generator:build generator:dev kit:dev",
            "generator build",
            "kit testkit -> core",
            "facade facade -> rpc",
            "movies-api movies -> facade generator:build",
            "rating movies -> facade movies-api",
            "movies-sim tests -> sim rating",
            "sim sim -> rpc",
            "xtask xtask -> clap generator",
        ];
        assert!(complaints(&lines).is_empty());
    }

    #[test]
    fn an_edge_that_points_up_is_named_with_what_would_be_right() {
        let found = complaints(&["core core -> service", "service service"]);
        assert_eq!(
            found,
            [
                "core/Cargo.toml: layer `core` uses service of layer `service`; it may use: nothing of ours"
            ]
        );
    }

    #[test]
    fn neighbours_on_one_level_do_not_know_each_other() {
        assert_eq!(
            complaints(&["rpc rpc -> storage", "storage storage"]).len(),
            1
        );
    }

    #[test]
    fn services_share_the_contract_alone() {
        let found = complaints(&[
            "movie movies -> rating movies-api",
            "rating movies",
            "movies-api movies",
        ]);
        assert_eq!(
            found,
            ["movie/Cargo.toml: uses rating; services share movies-api and nothing else"]
        );
    }

    #[test]
    fn a_service_reaches_the_toolkit_through_the_facade() {
        assert_eq!(
            complaints(&["rating movies -> storage", "storage storage"]).len(),
            1
        );
    }

    #[test]
    fn the_generator_is_a_build_dependency_and_the_testkit_a_dev_dependency() {
        assert_eq!(
            complaints(&["rpc rpc -> generator", "generator build"]).len(),
            1
        );
        assert_eq!(complaints(&["rpc rpc -> kit", "kit testkit"]).len(), 1);
        assert_eq!(
            complaints(&["xtask xtask -> kit:dev", "kit testkit"]).len(),
            1
        );
    }

    #[test]
    fn only_the_simulation_uses_the_simulated_world() {
        let found = complaints(&["system-tests tests -> sim:dev", "sim sim"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("only movies-sim and backlot-drills may"));
    }

    #[test]
    fn a_crate_without_a_layer_or_with_an_unknown_one_is_told_so() {
        assert!(complaints(&["a ?"])[0].contains("states no layer"));
        assert!(complaints(&["a attic"])[0].contains("unknown layer `attic`"));
    }
}
