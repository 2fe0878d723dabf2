//! How a refused REST request reads: RFC 9457, whoever refuses it and whatever for.

use backlot_testkit::http::Answer;
use serde_json::Value;

/// The problem of an answer that was refused with this status, its form checked.
pub(crate) fn problem(what: &str, answer: &Answer, status: u16) -> Value {
    let text = answer.text();
    assert_eq!(answer.status.as_u16(), status, "{what}: {text}");
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{what}: {text}"
    );
    let problem = answer.json();
    let members = problem.as_object().unwrap();
    for (name, value) in members {
        let fits = match name.as_str() {
            "type" | "title" | "detail" | "code" | "instance" => value.is_string(),
            "traceId" => value.as_str().is_some_and(|id| {
                id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit())
            }),
            "status" => value.as_u64() == Some(status.into()),
            "violations" => value.as_array().is_some_and(|list| {
                !list.is_empty()
                    && list
                        .iter()
                        .all(|one| one["field"].is_string() && one["description"].is_string())
            }),
            _ => false,
        };
        assert!(fits, "{what}: the member {name:?} in {text}");
    }
    assert!(members.len() >= 7, "{what}: {text}");
    for word in ["panicked", "src/", ".rs:", "SQL", "sqlite", "SELECT"] {
        assert!(!text.contains(word), "{what}: says {word:?}: {text}");
    }
    problem
}

/// The fields a problem names.
pub(crate) fn fields(problem: &Value) -> Vec<String> {
    let violations = problem["violations"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    violations
        .iter()
        .map(|violation| violation["field"].as_str().unwrap_or_default().to_owned())
        .collect()
}
