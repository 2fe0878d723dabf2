//! Reads requests and tells what is wrong with them, field by field.

use crate::config::{MAX_WAIT, TTL_BOUNDS, check_address};
use backlot_core::discovery::Instance;
use backlot_core::{Error, Violation};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The time to live of an instance that asks for none.
pub(super) const DEFAULT_TTL: Duration = Duration::from_secs(3);

/// Checks the name of a service as it stands in a path.
fn check_service(name: &str, violations: &mut Vec<Violation>) {
    check_word("service", name, 63, violations);
}

/// Reads an announcement; every wrong field is told.
pub(super) fn read_instance(
    service: &str,
    id: &str,
    body: &[u8],
) -> Result<(Instance, Duration), Error> {
    let mut violations = Vec::new();
    check_service(service, &mut violations);
    check_word("id", id, 128, &mut violations);
    let fields = match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => {
            return Err(whole_body(
                violations,
                "must be a JSON object such as {\"address\": \"127.0.0.1:8082\"}",
            ));
        }
        Err(error) => return Err(whole_body(violations, &format!("is not JSON: {error}"))),
    };
    let mut address = None;
    let mut version = String::new();
    let mut ttl = DEFAULT_TTL;
    let mut metadata = BTreeMap::new();
    for (name, value) in &fields {
        let wrong = match name.as_str() {
            "address" => read_address(value).map(|read| address = Some(read)),
            "version" => read_text(value, 64).map(|read| version = read),
            "ttl_ms" => read_ttl(value).map(|read| ttl = read),
            "metadata" => read_metadata(value).map(|read| metadata = read),
            _ => Err("unknown field: known are address, version, ttl_ms, metadata".to_owned()),
        };
        if let Err(description) = wrong {
            violations.push(Violation::new(name.clone(), description));
        }
    }
    if !fields.contains_key("address") {
        violations.push(Violation::new(
            "address",
            "is missing: where the instance takes calls, HOST:PORT",
        ));
    }
    match address {
        Some(address) if violations.is_empty() => Ok((
            Instance {
                id: id.to_owned(),
                service: service.to_owned(),
                address,
                version,
                metadata,
            },
            ttl,
        )),
        _ => Err(Error::violations_of(violations)),
    }
}

fn whole_body(mut violations: Vec<Violation>, description: &str) -> Error {
    violations.push(Violation::new("body", description));
    Error::violations_of(violations)
}

fn check_word(field: &str, word: &str, longest: usize, violations: &mut Vec<Violation>) {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':');
    if word.is_empty() || word.len() > longest || !word.bytes().all(plain) {
        let shown: String = word.chars().take(longest).collect();
        violations.push(Violation::new(
            field,
            format!("must be 1 to {longest} letters, digits and . _ - :, got {shown:?}"),
        ));
    }
}

fn read_address(value: &Value) -> Result<String, String> {
    let text = read_text(value, 255)?;
    check_address(&text)?;
    Ok(text)
}

fn read_text(value: &Value, longest: usize) -> Result<String, String> {
    let Value::String(text) = value else {
        return Err(format!("must be text, got {}", kind(value)));
    };
    if text.len() > longest || text.chars().any(char::is_control) {
        return Err(format!(
            "must be at most {longest} bytes without control characters, got {} bytes",
            text.len()
        ));
    }
    Ok(text.clone())
}

fn read_ttl(value: &Value) -> Result<Duration, String> {
    let [shortest, longest] = TTL_BOUNDS;
    let ttl = value
        .as_u64()
        .map(Duration::from_millis)
        .filter(|ttl| (shortest..=longest).contains(ttl));
    let shown = if value.is_number() {
        value.to_string()
    } else {
        kind(value).to_owned()
    };
    ttl.ok_or_else(|| {
        format!(
            "must be a whole number from {} to {}, got {shown}",
            shortest.as_millis(),
            longest.as_millis()
        )
    })
}

fn read_metadata(value: &Value) -> Result<BTreeMap<String, String>, String> {
    let Value::Object(fields) = value else {
        return Err(format!("must be an object of texts, got {}", kind(value)));
    };
    if fields.len() > 32 {
        return Err(format!(
            "must have at most 32 entries, got {}",
            fields.len()
        ));
    }
    let mut metadata = BTreeMap::new();
    for (key, value) in fields {
        if key.len() > 64 || key.chars().any(char::is_control) {
            return Err("keys must be at most 64 bytes without control characters".to_owned());
        }
        let text = read_text(value, 1024).map_err(|wrong| format!("{key:?} {wrong}"))?;
        metadata.insert(key.clone(), text);
    }
    Ok(metadata)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// What a watcher asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) epoch: Option<String>,
    pub(super) index: Option<u64>,
    pub(super) wait: Duration,
}

/// Reads the query of a watcher; every wrong parameter is told.
pub(super) fn read_question(
    service: &str,
    parameters: &[(String, String)],
) -> Result<Question, Error> {
    let mut violations = Vec::new();
    check_service(service, &mut violations);
    let mut question = Question::default();
    for (name, value) in parameters {
        let wrong = match name.as_str() {
            "epoch" => {
                question.epoch = Some(value.clone());
                Ok(())
            }
            "index" => value
                .parse()
                .map(|index| question.index = Some(index))
                .map_err(|_| format!("must be a whole number, got {value:?}")),
            "wait" => humantime::parse_duration(value)
                .ok()
                .filter(|wait| *wait <= MAX_WAIT)
                .map(|wait| question.wait = wait)
                .ok_or_else(|| {
                    format!("must be a duration of at most 60s such as 30s, got {value:?}")
                }),
            _ => Err("unknown parameter: known are epoch, index, wait".to_owned()),
        };
        if let Err(description) = wrong {
            violations.push(Violation::new(name.clone(), description));
        }
    }
    if violations.is_empty() {
        Ok(question)
    } else {
        Err(Error::violations_of(violations))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Vec<String> {
        match read_instance("rating", "rating-1", body.as_bytes()) {
            Ok(_) => vec![],
            Err(error) => error
                .violations()
                .iter()
                .map(|violation| violation.field.clone())
                .collect(),
        }
    }

    #[test]
    fn an_address_is_enough() {
        let (instance, ttl) =
            read_instance("rating", "rating-1", br#"{"address": "127.0.0.1:8082"}"#).unwrap();
        assert_eq!(
            (instance.address.as_str(), ttl),
            ("127.0.0.1:8082", DEFAULT_TTL)
        );
    }

    #[test]
    fn every_wrong_field_is_named() {
        assert_eq!(fields("nonsense"), ["body"]);
        assert_eq!(fields("[]"), ["body"]);
        assert_eq!(fields("{}"), ["address"]);
        assert_eq!(
            fields(r#"{"adress": "a:1", "version": 1, "ttl_ms": 5, "metadata": {"a": 1}}"#),
            ["adress", "metadata", "ttl_ms", "version", "address"]
        );
        assert_eq!(fields(r#"{"address": "nowhere"}"#), ["address"]);
        assert_eq!(fields(r#"{"address": "a:1", "ttl_ms": -1}"#), ["ttl_ms"]);
        assert_eq!(
            fields(r#"{"address": "a:1", "ttl_ms": 3000.5}"#),
            ["ttl_ms"]
        );
        let error = read_instance("ra/ting", "", br#"{"address": "a:1"}"#).unwrap_err();
        let named: Vec<_> = error
            .violations()
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        assert_eq!(named, ["service", "id"]);
    }

    #[test]
    fn a_question_is_read_or_refused_by_parameter() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let question = read_question(
            "s",
            &[pair("index", "7"), pair("wait", "30s"), pair("epoch", "e")],
        )
        .unwrap();
        assert_eq!(
            question,
            Question {
                epoch: Some("e".into()),
                index: Some(7),
                wait: Duration::from_secs(30)
            }
        );
        let error = read_question(
            "s",
            &[pair("index", "-1"), pair("wait", "2h"), pair("x", "")],
        )
        .unwrap_err();
        assert_eq!(error.violations().len(), 3, "{error}");
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in ".{0,200}") {
            drop(read_instance("s", "i", body.as_bytes()));
        }
    }
}
