//! Rating events: a JSON array of `{userId, recordId, recordType, value, providerId, eventType}`,
//! of any size. Values are whole stars, 1 to 5; an event of the type `delete` takes a rating back.

use crate::ImportError;
use crate::batch::{Batch, Rated};
use crate::file::File;
use crate::layout::{Form, Layout, Pass};
use crate::problem::Wrong;
use crate::run::Import;
use movies_api::RatingEntry;
use serde_json::{Map, Value};
use std::path::Path;

/// Looks at a file.
///
/// # Errors
/// When it cannot be read.
pub fn open(file: &Path) -> Result<Import, ImportError> {
    Ok(Import {
        kind: "events",
        settings: String::new(),
        passes: vec![Pass {
            file: File::at(file)?,
            learns: false,
            form: Form::Array,
        }],
        layout: Box::new(Events),
        notes: Vec::new(),
    })
}

struct Events;

impl Layout for Events {
    fn row(&mut self, _pass: usize, row: &str, batch: &mut Batch) -> Result<Vec<Wrong>, Wrong> {
        batch.ratings.push(event(row)?);
        Ok(Vec::new())
    }
}

fn event(row: &str) -> Result<Rated, Wrong> {
    let event: Value = serde_json::from_str(row).map_err(|error| {
        let wrong = Wrong::line(format!("is malformed JSON: {error}"));
        Wrong {
            field: "event",
            value: crate::problem::shown(row),
            ..wrong
        }
    })?;
    let Value::Object(event) = event else {
        let reason = "must be an object, such as {\"userId\": \"105\", ...}";
        return Err(Wrong::field("event", row, reason));
    };
    let deleted = match event.get("eventType") {
        Some(Value::String(kind)) if kind == "put" => false,
        Some(Value::String(kind)) if kind == "delete" => true,
        other => {
            let reason = "must be \"put\" or \"delete\"";
            return Err(Wrong::field("eventType", &show(other), reason));
        }
    };
    let half_stars = if deleted { 0 } else { stars(&event)? * 2 };
    Ok(Rated {
        record_type: text(&event, "recordType", 32)?,
        entry: RatingEntry {
            record_id: text(&event, "recordId", 64)?,
            user_id: text(&event, "userId", 64)?,
            half_stars,
            rated_at: 0,
        },
        deleted,
    })
}

fn stars(event: &Map<String, Value>) -> Result<i32, Wrong> {
    let value = event.get("value");
    match value.and_then(Value::as_i64) {
        Some(stars @ 1..=5) => Ok(stars as i32),
        _ => Err(Wrong::field(
            "value",
            &show(value),
            "must be 1, 2, 3, 4 or 5 stars",
        )),
    }
}

fn text(event: &Map<String, Value>, field: &'static str, longest: usize) -> Result<String, Wrong> {
    match event.get(field) {
        Some(Value::String(text)) if (1..=longest).contains(&text.chars().count()) => {
            Ok(text.clone())
        }
        other => {
            let reason = format!("must be a text of 1 to {longest} characters");
            Err(Wrong::field(field, &show(other), reason))
        }
    }
}

/// A value as the file has it, texts without their quotes.
fn show(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_rating_in_stars() {
        let rated = event(
            r#"{"userId":"105","recordId":"1","recordType":"movie","value":5,"providerId":"test-provider","eventType":"put"}"#,
        )
        .unwrap();
        assert_eq!((rated.entry.half_stars, rated.deleted), (10, false));
        assert_eq!(rated.entry.user_id, "105");
        let rated =
            event(r#"{"userId":"105","recordId":"2","recordType":"movie","eventType":"delete"}"#)
                .unwrap();
        assert!(rated.deleted);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |change: &str| {
            format!(
                "{{\"userId\":\"1\",\"recordId\":\"1\",\"recordType\":\"movie\",\"value\":5,\"eventType\":\"put\"{change}}}"
            )
        };
        for (change, field, value) in [
            (",\"value\":6", "value", "6"),
            (",\"value\":4.5", "value", "4.5"),
            (",\"value\":\"5\"", "value", "5"),
            (",\"value\":null", "value", "null"),
            (",\"eventType\":\"patch\"", "eventType", "patch"),
            (",\"userId\":\"\"", "userId", ""),
            (",\"userId\":7", "userId", "7"),
            (",\"recordType\":[]", "recordType", "[]"),
            (",\"recordId\":{}", "recordId", "{}"),
        ] {
            let wrong = event(&with(change)).unwrap_err();
            assert_eq!(
                (wrong.field, wrong.value.as_str()),
                (field, value),
                "{change}"
            );
        }
        assert_eq!(event("7").unwrap_err().field, "event");
        assert!(event("{\"a\" 1}").unwrap_err().reason.contains("malformed"));
    }
}
