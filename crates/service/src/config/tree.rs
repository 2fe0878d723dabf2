//! The merged tree, from which each part of a process takes its table.

use super::nearest::nearest;
use super::node::Node;
use super::problem::{Origin, Problem, Problems};
use super::resolve::{Candidate, resolve};
use super::{Validate, join};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Merged layers. Take every table, then call [`Tree::finish`].
#[derive(Clone, Debug)]
pub struct Tree {
    root: Node,
    problems: Problems,
    variables: Option<String>,
    /// Keys somebody took.
    taken: BTreeSet<String>,
    /// Full keys of all leaves known so far, to suggest from.
    known: BTreeSet<String>,
}

// === impl Tree ===

impl Tree {
    pub(super) fn new(root: Node, problems: Problems, variables: Option<String>) -> Self {
        Tree {
            root,
            problems,
            variables,
            taken: BTreeSet::new(),
            known: BTreeSet::new(),
        }
    }

    /// Takes the table at `prefix` (dotted; empty for the keys at the top).
    ///
    /// Adds a problem for every unknown key, every value of a wrong type and everything
    /// [`Validate::validate`] finds; such values are left at their defaults, so that the rest can
    /// be checked as well. Use the result only when `problems` stayed empty.
    pub fn take<T>(&mut self, prefix: &str, problems: &mut Problems) -> T
    where
        T: Serialize + DeserializeOwned + Default + Validate,
    {
        let first = problems.len();
        let shape = serde_json::to_value(T::default()).unwrap_or_else(|error| {
            problems.push(
                prefix,
                "",
                format!("the default cannot be described: {error}"),
                "this is a defect of the program",
            );
            Value::Object(Map::new())
        });
        self.claim(prefix, &shape);
        let path: Vec<&str> = prefix.split('.').filter(|part| !part.is_empty()).collect();
        let mut candidates = Vec::new();
        match self.root.at(&path) {
            Some(table @ Node::Table(_)) => self.walk(
                prefix,
                &mut Vec::new(),
                table,
                &shape,
                &mut candidates,
                problems,
            ),
            Some(Node::Leaf(leaf)) => problems.add(Problem {
                key: prefix.to_owned(),
                problem: "must be a table".to_owned(),
                cure: format!("write [{prefix}] and its keys below"),
                origin: Some(leaf.origin.clone()),
            }),
            None => {}
        }
        let value: T = resolve(prefix, &shape, &candidates, problems);
        value.validate(prefix, problems);
        for problem in problems.since(first) {
            if problem.origin.is_none() {
                problem.origin = self.origin(&problem.key).cloned();
            }
        }
        value
    }

    /// Keys that have other names now: using an old one is a problem that tells the new one.
    /// Call it before taking the tables they are in.
    pub fn renamed(&mut self, names: &[(&str, &str)]) {
        for (old, new) in names {
            let path: Vec<&str> = old.split('.').collect();
            if let Some(node) = self.root.remove(&path) {
                self.problems.add(Problem {
                    key: (*old).to_owned(),
                    problem: format!("renamed to {new}"),
                    cure: format!("write {} instead", self.spell(new, node.origin())),
                    origin: Some(node.origin().clone()),
                });
            }
        }
    }

    /// Adds the problems of the layers themselves and one for every key nobody took.
    pub fn finish(&mut self, problems: &mut Problems) {
        problems.append(std::mem::take(&mut self.problems));
        if let Node::Table(root) = &self.root {
            for (key, node) in &root.entries {
                self.untaken(key, node, problems);
            }
        }
    }

    /// Where the value of a key came from; nothing for a default.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        let path: Vec<&str> = key.split('.').collect();
        Some(self.root.at(&path)?.origin())
    }

    fn claim(&mut self, prefix: &str, shape: &Value) {
        match shape {
            // At the top each key is taken by itself: the others belong to somebody else.
            Value::Object(entries) if prefix.is_empty() => {
                self.taken.extend(entries.keys().cloned())
            }
            _ => {
                self.taken.insert(prefix.to_owned());
            }
        }
        leaves(prefix, shape, &mut self.known);
    }

    /// Finds what to try on each field and what no field is there for.
    fn walk<'a>(
        &self,
        prefix: &str,
        path: &mut Vec<&'a str>,
        node: &'a Node,
        shape: &Value,
        candidates: &mut Vec<Candidate<'a>>,
        problems: &mut Problems,
    ) {
        let (Node::Table(table), Value::Object(fields)) = (node, shape) else {
            candidates.push(Candidate {
                path: path.clone(),
                node,
            });
            return;
        };
        if fields.is_empty() && !path.is_empty() {
            // A map: any keys will do.
            candidates.push(Candidate {
                path: path.clone(),
                node,
            });
            return;
        }
        for (key, below) in &table.entries {
            match fields.get(key) {
                Some(field) => {
                    path.push(key);
                    self.walk(prefix, path, below, field, candidates, problems);
                    path.pop();
                }
                None if prefix.is_empty() && path.is_empty() => {}
                None => {
                    let at = join(prefix, &path.join("."));
                    problems.add(self.unknown(
                        &join(&at, key),
                        below,
                        fields.keys().map(|field| join(&at, field)),
                    ));
                }
            }
        }
    }

    fn untaken(&self, key: &str, node: &Node, problems: &mut Problems) {
        if self.taken.contains(key) {
            return;
        }
        let below = format!("{key}.");
        let leads_somewhere = self.taken.iter().any(|taken| taken.starts_with(&below));
        match node {
            Node::Table(table) if leads_somewhere => {
                for (name, node) in &table.entries {
                    self.untaken(&join(key, name), node, problems);
                }
            }
            _ => problems.add(self.unknown(key, node, self.taken.iter().cloned())),
        }
    }

    fn unknown(&self, key: &str, node: &Node, siblings: impl Iterator<Item = String>) -> Problem {
        let siblings: Vec<String> = siblings.collect();
        let flat = |key: &str| key.replace('.', "_");
        let last = key.rsplit('.').next().unwrap_or(key);
        // One underscore where two were meant, then a slip of the finger, then the right name in
        // the wrong table.
        let meant = self
            .known
            .iter()
            .find(|known| flat(known) == flat(key))
            .or_else(|| nearest(key, siblings.iter()))
            .or_else(|| {
                self.known
                    .iter()
                    .find(|known| known.rsplit('.').next() == Some(last))
            });
        let cure = match meant {
            Some(meant) => format!("did you mean {}?", self.spell(meant, node.origin())),
            None => {
                let names: Vec<_> = siblings
                    .iter()
                    .map(|name| self.spell(name, node.origin()))
                    .collect();
                format!("known here: {}", names.join(", "))
            }
        };
        Problem {
            key: key.to_owned(),
            problem: "unknown key".to_owned(),
            cure,
            origin: Some(node.origin().clone()),
        }
    }

    /// A key as whoever wrote `origin` would write it.
    fn spell(&self, key: &str, origin: &Origin) -> String {
        match (origin, &self.variables) {
            (Origin::Variable(_), Some(prefix)) => {
                format!("{prefix}_{}", key.to_uppercase().replace('.', "__"))
            }
            _ => key.to_owned(),
        }
    }
}

fn leaves(at: &str, shape: &Value, known: &mut BTreeSet<String>) {
    match shape {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, field) in fields {
                leaves(&join(at, key), field, known);
            }
        }
        _ => {
            known.insert(at.to_owned());
        }
    }
}
