//! The configuration in force, as TOML one could start with.

use super::join;
use super::secret::MASK;
use serde::Serialize;
use serde_json::{Map, Value};

/// The table `at` (empty for the top) as TOML. Keys that differ from the default say what that is;
/// keys without a value are comments; secrets are masked.
#[must_use]
pub fn print<T: Serialize + Default>(at: &str, config: &T) -> String {
    explained(at, config, &[])
}

/// The same, with reasons for defaults: each by its key below `at`.
#[must_use]
pub fn explained<T: Serialize + Default>(
    at: &str,
    config: &T,
    reasons: &[(String, &str)],
) -> String {
    let tree = |config: &T| match serde_json::to_value(config) {
        Ok(Value::Object(fields)) => fields,
        // Not a table: nothing that could be printed as one.
        _ => Map::new(),
    };
    let mut page = String::new();
    let reason = |key: &str| {
        let own = key.strip_prefix(at)?.trim_start_matches('.');
        let known = reasons.iter().find(|(key, _)| key == own);
        known.map(|(_, reason)| *reason)
    };
    print_table(
        at,
        &tree(config),
        Some(&tree(&T::default())),
        &reason,
        &mut page,
    );
    page
}

fn print_table<'r>(
    at: &str,
    fields: &Map<String, Value>,
    defaults: Option<&Map<String, Value>>,
    reason: &impl Fn(&str) -> Option<&'r str>,
    page: &mut String,
) {
    let mut line = |text: String| {
        page.push_str(&text);
        page.push('\n');
    };
    if !at.is_empty() {
        line(format!("[{at}]"));
    }
    for (key, value) in fields {
        let shown = quoted(key);
        let default = defaults.and_then(|defaults| defaults.get(key));
        match value {
            Value::Object(_) => {}
            Value::Null => line(format!("# {shown} is not set")),
            value => {
                let differs = |default: &&Value| *default != value && !default.is_null();
                let default = default.filter(differs).filter(|default| *default != MASK);
                let default = default.map(|default| format!("default {}", inline(default)));
                let why = reason(&join(at, &shown)).map(str::to_owned);
                let remarks: Vec<_> = default.into_iter().chain(why).collect();
                let remark = match remarks.is_empty() {
                    true => String::new(),
                    false => format!("  # {}", remarks.join(": ")),
                };
                line(format!("{shown} = {}{remark}", inline(value)));
            }
        }
    }
    for (key, value) in fields {
        if let Value::Object(below) = value {
            page.push('\n');
            let defaults = defaults
                .and_then(|defaults| defaults.get(key))
                .and_then(Value::as_object);
            print_table(&join(at, &quoted(key)), below, defaults, reason, page);
        }
    }
}

/// A key, in quotes where TOML needs them.
fn quoted(key: &str) -> String {
    let bare = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare {
        key.to_owned()
    } else {
        toml::Value::from(key).to_string()
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items
                .iter()
                .filter(|item| !item.is_null())
                .map(inline)
                .collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields: Vec<_> = fields
                .map(|(key, value)| format!("{} = {}", quoted(key), inline(value)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::String(text) => {
            // One line, whatever the text holds.
            let text = toml::Value::from(text.as_str()).to_string();
            if text.contains('\n') {
                serde_json::Value::from(value.as_str()).to_string()
            } else {
                text
            }
        }
        other => other.to_string(),
    }
}
