//! The workspace as cargo sees it: where it is, its packages, and who depends on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// What `cargo metadata` says, reduced to what the commands ask.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    /// Members by name.
    pub(crate) members: BTreeMap<String, Member>,
    /// Everything that is built with all features on: who uses whom, dev-dependencies left out.
    pub(crate) resolved: BTreeMap<String, BTreeSet<String>>,
}

/// A package of this workspace.
#[derive(Debug, Default)]
pub(crate) struct Member {
    /// `package.metadata.backlot.layer`.
    pub(crate) layer: Option<String>,
    pub(crate) manifest: PathBuf,
    pub(crate) features: Vec<String>,
    pub(crate) binaries: Vec<String>,
    pub(crate) edges: Vec<Edge>,
}

/// A dependency of a member, as its manifest states it.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) to: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn read() -> Result<Workspace> {
        let output = cargo()
            .args(["metadata", "--format-version", "1", "--all-features"])
            .output()
            .context("cargo metadata does not start")?;
        if !output.status.success() {
            bail!(
                "cargo metadata: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let metadata =
            serde_json::from_slice(&output.stdout).context("cargo metadata prints no JSON")?;
        Workspace::parse(&metadata).context("cargo metadata lacks a field")
    }

    fn parse(metadata: &Value) -> Option<Workspace> {
        let ids: BTreeSet<&str> = texts(&metadata["workspace_members"]).collect();
        let mut names = BTreeMap::new();
        let mut members = BTreeMap::new();
        for package in metadata["packages"].as_array()? {
            let id = package["id"].as_str()?;
            let name = package["name"].as_str()?;
            names.insert(id, name);
            if ids.contains(id) {
                members.insert(name.to_owned(), member(package)?);
            }
        }
        let mut resolved: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array()? {
            // Two versions of one crate share an entry: the question is always "who reaches it".
            let uses = resolved
                .entry((*names.get(node["id"].as_str()?)?).to_owned())
                .or_default();
            for dependency in node["deps"].as_array()? {
                if is_built(dependency) {
                    uses.insert((*names.get(dependency["pkg"].as_str()?)?).to_owned());
                }
            }
        }
        Some(Workspace {
            root: metadata["workspace_root"].as_str()?.into(),
            target: metadata["target_directory"].as_str()?.into(),
            members,
            resolved,
        })
    }

    /// Whether anything a member builds, its tests included, contains `wanted`.
    pub(crate) fn reaches(&self, member: &str, wanted: &str) -> bool {
        let own = self
            .members
            .get(member)
            .into_iter()
            .flat_map(|member| &member.edges);
        let mut open: Vec<&str> = own.map(|edge| edge.to.as_str()).collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            if name == wanted {
                return true;
            }
            if seen.insert(name) {
                open.extend(
                    self.resolved
                        .get(name)
                        .into_iter()
                        .flatten()
                        .map(String::as_str),
                );
            }
        }
        false
    }
}

/// The cargo that runs this program, so that a pinned toolchain stays pinned.
pub(crate) fn cargo() -> Command {
    Command::new(crate::machine::variable("CARGO").unwrap_or_else(|| "cargo".to_owned()))
}

fn member(package: &Value) -> Option<Member> {
    let binaries = package["targets"].as_array()?.iter();
    let binaries = binaries.filter(|target| texts(&target["kind"]).any(|kind| kind == "bin"));
    let edges = package["dependencies"]
        .as_array()?
        .iter()
        .map(|dependency| {
            let kind = match dependency["kind"].as_str() {
                Some("dev") => Kind::Dev,
                Some("build") => Kind::Build,
                _ => Kind::Normal,
            };
            Some(Edge {
                to: dependency["name"].as_str()?.to_owned(),
                kind,
            })
        });
    Some(Member {
        layer: package["metadata"]["backlot"]["layer"]
            .as_str()
            .map(str::to_owned),
        manifest: package["manifest_path"].as_str()?.into(),
        features: package["features"].as_object()?.keys().cloned().collect(),
        binaries: binaries
            .filter_map(|target| target["name"].as_str().map(str::to_owned))
            .collect(),
        edges: edges.collect::<Option<_>>()?,
    })
}

/// Whether an edge of the resolved graph is more than a dev-dependency.
fn is_built(dependency: &Value) -> bool {
    let kinds = dependency["dep_kinds"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    kinds
        .iter()
        .any(|kind| kind["kind"].as_str() != Some("dev"))
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn example() -> Workspace {
        let package = |name: &str, dependencies: Value| {
            json!({
                "id": name, "name": name, "manifest_path": format!("{name}/Cargo.toml"),
                "metadata": {"backlot": {"layer": "core"}}, "features": {"default": []},
                "targets": [{"name": name, "kind": ["bin"]}], "dependencies": dependencies,
            })
        };
        let metadata = json!({
            "workspace_root": "w", "target_directory": "w/target", "workspace_members": ["a", "b"],
            "packages": [
                package("a", json!([{"name": "b", "kind": null}])),
                package("b", json!([{"name": "clock", "kind": "dev"}])),
                package("clock", json!([])),
            ],
            "resolve": {"nodes": [
                {"id": "a", "deps": [{"pkg": "b", "dep_kinds": [{"kind": null}]}]},
                {"id": "b", "deps": [{"pkg": "clock", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "clock", "deps": []},
            ]},
        });
        Workspace::parse(&metadata).expect("the example has every field")
    }

    #[test]
    fn members_carry_their_layer_and_edges() {
        let workspace = example();
        assert_eq!(workspace.members.len(), 2);
        let a = &workspace.members["a"];
        assert_eq!(a.layer.as_deref(), Some("core"));
        assert_eq!(a.binaries, ["a"]);
        assert_eq!(
            (a.edges[0].to.as_str(), a.edges[0].kind),
            ("b", Kind::Normal)
        );
    }

    #[test]
    fn own_dev_dependencies_are_reached_those_of_others_are_not() {
        let workspace = example();
        assert!(workspace.reaches("b", "clock"));
        assert!(!workspace.reaches("a", "clock"));
    }

    #[test]
    fn metadata_without_packages_is_refused() {
        assert!(Workspace::parse(&json!({})).is_none());
    }
}
