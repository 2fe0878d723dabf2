//! The merged tree: every leaf remembers where it came from.

use super::problem::Origin;
use serde_json::{Number, Value};
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// A table or a leaf.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Table(Table),
    Leaf(Leaf),
}

/// Keys and what they hold.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) entries: BTreeMap<String, Node>,
    pub(super) origin: Origin,
}

/// A value that is not a table.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) value: Value,
    /// The text as it stood in a variable or flag: for fields that want text where the text
    /// happens to look like a number.
    pub(super) raw: Option<String>,
    pub(super) origin: Origin,
}

impl Node {
    /// Where it came from.
    pub(super) fn origin(&self) -> &Origin {
        match self {
            Node::Table(table) => &table.origin,
            Node::Leaf(leaf) => &leaf.origin,
        }
    }

    /// It and all below it as one value.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Node::Leaf(leaf) => leaf.value.clone(),
            Node::Table(table) => Value::Object(
                table
                    .entries
                    .iter()
                    .map(|(key, node)| (key.clone(), node.to_value()))
                    .collect(),
            ),
        }
    }

    /// The node at a path below this one.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Node> {
        let Some((first, rest)) = path.split_first() else {
            return Some(self);
        };
        match self {
            Node::Leaf(_) => None,
            Node::Table(table) => table.entries.get(*first)?.at(rest),
        }
    }

    /// Lays `other` over this: tables merge, anything else is replaced.
    pub(super) fn merge(&mut self, other: Node) {
        match (self, other) {
            (Node::Table(below), Node::Table(above)) => {
                for (key, node) in above.entries {
                    match below.entries.get_mut(&key) {
                        Some(existing) => existing.merge(node),
                        None => {
                            below.entries.insert(key, node);
                        }
                    }
                }
            }
            (below, above) => *below = above,
        }
    }

    /// Takes the node at a path out of the tree.
    pub(super) fn remove(&mut self, path: &[&str]) -> Option<Node> {
        let (first, rest) = path.split_first()?;
        let Node::Table(table) = self else {
            return None;
        };
        if rest.is_empty() {
            table.entries.remove(*first)
        } else {
            table.entries.get_mut(*first)?.remove(rest)
        }
    }
}

/// A leaf at the end of a path, as a tree of its own.
pub(super) fn branch(path: &[&str], leaf: Leaf) -> Node {
    let origin = leaf.origin.clone();
    path.iter().rev().fold(Node::Leaf(leaf), |below, key| {
        Node::Table(Table {
            entries: BTreeMap::from([((*key).to_owned(), below)]),
            origin: origin.clone(),
        })
    })
}

/// A parsed file as a tree; `origin` tells where the key at a byte stands.
pub(super) fn from_toml(table: &DeTable<'_>, at: usize, origin: &impl Fn(usize) -> Origin) -> Node {
    let entries = table.iter().map(|(key, value)| {
        let start = key.span().start;
        let node = match value.get_ref() {
            DeValue::Table(table) => from_toml(table, start, origin),
            other => Node::Leaf(Leaf {
                value: to_json(other),
                raw: None,
                origin: origin(start),
            }),
        };
        (key.get_ref().to_string(), node)
    });
    Node::Table(Table {
        entries: entries.collect(),
        origin: origin(at),
    })
}

/// A TOML value as JSON. Dates, and numbers JSON cannot hold, become their text.
pub(super) fn to_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(moment) => Value::String(moment.to_string()),
        DeValue::Integer(integer) => {
            let signed = i64::from_str_radix(integer.as_str(), integer.radix()).map(Value::from);
            let unsigned =
                || u64::from_str_radix(integer.as_str(), integer.radix()).map(Value::from);
            signed
                .or_else(|_| unsigned())
                .unwrap_or_else(|_| Value::String(integer.to_string()))
        }
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok().and_then(Number::from_f64);
            number.map_or_else(|| Value::String(float.to_string()), Value::Number)
        }
        DeValue::Array(array) => {
            Value::Array(array.iter().map(|item| to_json(item.get_ref())).collect())
        }
        DeValue::Table(table) => {
            let entry = |(key, value): (
                &toml::Spanned<std::borrow::Cow<'_, str>>,
                &toml::Spanned<DeValue<'_>>,
            )| { (key.get_ref().to_string(), to_json(value.get_ref())) };
            Value::Object(table.iter().map(entry).collect())
        }
    }
}
