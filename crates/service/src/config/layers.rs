//! The layers a configuration is merged from.

use super::node::{self, Leaf, Node, Table};
use super::problem::{Origin, Problem, Problems};
use super::tree::Tree;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// Layers of configuration: each wins over those added before it.
#[derive(Clone, Debug)]
pub struct Layers {
    root: Node,
    /// Of layers that cannot be read: told together with all others.
    problems: Problems,
    /// Prefix of the variables, to spell cures.
    variables: Option<String>,
}

impl Default for Layers {
    fn default() -> Self {
        Layers::new()
    }
}

impl Layers {
    /// Nothing but defaults.
    #[must_use]
    pub fn new() -> Self {
        Layers {
            root: Node::Table(Table {
                entries: BTreeMap::new(),
                origin: Origin::Flag,
            }),
            problems: Problems::default(),
            variables: None,
        }
    }

    /// Adds a TOML file.
    ///
    /// # Errors
    /// When it cannot be read or is not TOML: each syntax error with line and column.
    pub fn file(self, path: impl AsRef<Path>) -> Result<Self, Problems> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| Problem {
            key: String::new(),
            problem: format!("{}: cannot be read: {error}", path.display()),
            cure: "name an existing TOML file that this user may read".to_owned(),
            origin: None,
        })?;
        self.text(path, &text)
    }

    /// Adds TOML text; `path` is what problems call it.
    ///
    /// # Errors
    /// When it is not TOML: each syntax error with line and column.
    pub fn text(mut self, path: impl AsRef<Path>, text: &str) -> Result<Self, Problems> {
        let path = path.as_ref();
        // Editors of some systems begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let mut problems = Problems::default();
            for error in errors {
                let (line, column) = position(text, error.span().map_or(0, |span| span.start));
                problems.add(Problem {
                    key: String::new(),
                    problem: format!(
                        "{} line {line}, column {column}: {}",
                        path.display(),
                        error.message().replace('\n', ", ")
                    ),
                    cure: String::new(),
                    origin: None,
                });
            }
            return Err(problems);
        }
        let origin = |at| Origin::File {
            path: path.to_owned(),
            line: position(text, at).0,
        };
        self.root
            .merge(node::from_toml(table.get_ref(), 0, &origin));
        Ok(self)
    }

    /// Adds every variable whose name begins with `PREFIX_`: `MOVIES_RATING__STORE__PATH` is
    /// `rating.store.path`. Values are read as TOML scalars or arrays, and as plain text when they
    /// are none.
    #[must_use]
    pub fn variables(mut self, prefix: &str, variables: &BTreeMap<String, String>) -> Self {
        self.variables = Some(prefix.to_owned());
        for (name, text) in variables {
            let Some(key) = name
                .strip_prefix(prefix)
                .and_then(|rest| rest.strip_prefix('_'))
            else {
                continue;
            };
            let key = key.to_lowercase().replace("__", ".");
            let origin = Origin::Variable(name.clone());
            let cure = format!("write {prefix}_TABLE__KEY, two underscores for each level");
            self.set(&key, text, origin, &cure);
        }
        self
    }

    /// Adds one value from the command line, `key=value`: `rating.listen=127.0.0.1:9000`. The
    /// value is read as in [`Layers::variables`].
    #[must_use]
    pub fn flag(mut self, assignment: &str) -> Self {
        let cure = "write KEY=VALUE, for example rating.listen=127.0.0.1:9000";
        let (key, text) = assignment.split_once('=').unwrap_or(("", assignment));
        self.set(key.trim(), text, Origin::Flag, cure);
        self
    }

    /// The merged tree.
    #[must_use]
    pub fn tree(self) -> Tree {
        Tree::new(self.root, self.problems, self.variables)
    }

    fn set(&mut self, key: &str, text: &str, origin: Origin, cure: &str) {
        let path: Vec<&str> = key.split('.').collect();
        if path.iter().any(|part| part.is_empty()) {
            // The text may be a secret put in the wrong place, so it is not repeated.
            self.problems.add(Problem {
                key: key.to_owned(),
                problem: "is not a key".to_owned(),
                cure: cure.to_owned(),
                origin: Some(origin),
            });
            return;
        }
        let leaf = Leaf {
            value: parse_value(text),
            raw: Some(text.to_owned()),
            origin,
        };
        self.root.merge(node::branch(&path, leaf));
    }
}

/// Text as a TOML scalar or array; as plain text when it is neither.
fn parse_value(text: &str) -> Value {
    let document = format!("value = {text}");
    match DeTable::parse(&document) {
        // A text with a line break could hold more than the one value.
        Ok(table) if table.get_ref().len() == 1 => match table.get_ref().iter().next() {
            Some((_, value)) if !matches!(value.get_ref(), DeValue::Table(_)) => {
                node::to_json(value.get_ref())
            }
            _ => Value::String(text.to_owned()),
        },
        _ => Value::String(text.to_owned()),
    }
}

/// Line and column, both from 1, of a byte of the text; columns count characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}
