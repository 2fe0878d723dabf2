//! From loose values to a typed configuration, finding every value that does not fit.

use super::join;
use super::node::Node;
use super::problem::{Problem, Problems};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A value to try on a field.
pub(super) struct Candidate<'a> {
    pub(super) path: Vec<&'a str>,
    pub(super) node: &'a Node,
}

/// Tries each value alone over the default, so that every wrong one is found; then all good ones
/// together.
pub(super) fn resolve<T: DeserializeOwned + Default>(
    prefix: &str,
    shape: &Value,
    candidates: &[Candidate<'_>],
    problems: &mut Problems,
) -> T {
    // A default that does not read back (a secret with a built-in value, for example) is left to
    // the type itself.
    let base = match serde_json::from_value::<T>(shape.clone()) {
        Ok(_) => shape.clone(),
        Err(_) => Value::Object(Map::new()),
    };
    let fits = |path: &[&str], value: &Value| {
        serde_json::from_value::<T>(overlaid(base.clone(), path, value))
    };
    let mut merged = base.clone();
    for Candidate { path, node } in candidates {
        let value = node.to_value();
        let raw = match node {
            Node::Leaf(leaf) => leaf.raw.clone().map(Value::String),
            Node::Table(_) => None,
        };
        let fitting = match fits(path, &value) {
            Ok(_) => Ok(value),
            Err(error) => raw.filter(|raw| fits(path, raw).is_ok()).ok_or(error),
        };
        match fitting {
            Ok(value) => merged = overlaid(merged, path, &value),
            Err(error) => problems.add(Problem {
                key: join(prefix, &path.join(".")),
                problem: error.to_string(),
                cure: default_at(shape, path)
                    .map_or_else(String::new, |value| format!("the default is {value}")),
                origin: Some(node.origin().clone()),
            }),
        }
    }
    serde_json::from_value(merged).unwrap_or_else(|error| {
        problems.push(
            prefix,
            "",
            format!("the values do not go together: {error}"),
            "",
        );
        T::default()
    })
}

/// `base` with `value` at `path`.
fn overlaid(mut base: Value, path: &[&str], value: &Value) -> Value {
    let mut at = &mut base;
    for key in path {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[*key];
    }
    *at = value.clone();
    base
}

fn default_at<'a>(shape: &'a Value, path: &[&str]) -> Option<&'a Value> {
    let value = path.iter().try_fold(shape, |at, key| at.get(key))?;
    (!value.is_null() && !value.is_object()).then_some(value)
}
