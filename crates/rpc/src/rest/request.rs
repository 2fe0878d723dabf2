//! A request put together from path, query and body.

mod many;

pub(super) use many::messages;

use super::json::{self, Reader};
use super::problem::Problem;
use super::route::{Endpoint, Variable};
use super::{Body, MAX_BODY, text};
use crate::contract;
use backlot_core::{Deadline, Error, Violation};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use prost::Message;
use prost_reflect::{DynamicMessage, Value};
use std::collections::BTreeSet;

/// What a body of one message is.
const JSON: &str = "application/json";
/// What a body of many is.
const LINES: &str = "application/x-ndjson";

/// Reads a request into an encoded message.
///
/// # Errors
/// 400 with what is wrong and where; 413 and 415 for the body as a whole; 504 when it does not
/// come before `deadline`.
pub(super) async fn read(
    endpoint: &Endpoint,
    captures: &[&str],
    parts: &Parts,
    body: Body,
    deadline: Deadline,
) -> Result<Bytes, Problem> {
    let mut message = match endpoint.route.body {
        contract::Body::None => {
            if !body.is_end_stream() && body.size_hint().lower() > 0 {
                return Err(Error::invalid_argument("this request takes no body").into());
            }
            DynamicMessage::new(endpoint.input.clone())
        }
        contract::Body::All | contract::Body::Field(_) => {
            let body = receive(body, deadline).await?;
            from_body(endpoint, parts, &body)?
        }
    };
    apply_query(
        endpoint,
        &mut message,
        parts.uri.query().unwrap_or_default(),
    )?;
    apply_path(endpoint, &mut message, captures)?;
    Ok(message.encode_to_vec().into())
}

async fn receive(body: Body, deadline: Deadline) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(Problem::too_large(MAX_BODY));
    }
    let mut too_large = false;
    let collected = deadline
        .run(async {
            Limited::new(body, MAX_BODY)
                .collect()
                .await
                .map_err(|error| {
                    too_large = error.is::<LengthLimitError>();
                    Error::invalid_argument("the body broke off").with_source(error)
                })
        })
        .await;
    match collected {
        Ok(body) => Ok(body.to_bytes()),
        Err(_) if too_large => Err(Problem::too_large(MAX_BODY)),
        Err(error) => Err(error.into()),
    }
}

fn from_body(endpoint: &Endpoint, parts: &Parts, body: &[u8]) -> Result<DynamicMessage, Problem> {
    if body.is_empty() {
        return Ok(DynamicMessage::new(endpoint.input.clone()));
    }
    check_type(parts, JSON, is_json)?;
    Ok(from_document(endpoint, json::document(body)?, "the body")?)
}

fn from_document(
    endpoint: &Endpoint,
    document: serde_json::Value,
    what: &str,
) -> Result<DynamicMessage, Error> {
    let mut message = DynamicMessage::new(endpoint.input.clone());
    let mut reader = Reader::new(&endpoint.form);
    match (&endpoint.body_field, document) {
        (Some(field), document) => {
            if let Some(value) = reader.field(field, document, field.json_name()) {
                message.set_field(field, value);
            }
        }
        (None, serde_json::Value::Object(members)) => reader.members(&mut message, members, ""),
        (None, _) => {
            return Err(Error::invalid_argument(format!(
                "{what} must be a JSON object"
            )));
        }
    }
    reader.finish(message)
}

fn is_json(kind: &str) -> bool {
    kind == JSON || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn is_lines(kind: &str) -> bool {
    matches!(kind, LINES | "application/ndjson" | "application/jsonl")
}

fn check_type(parts: &Parts, expected: &str, fits: fn(&str) -> bool) -> Result<(), Problem> {
    let Some(value) = parts.headers.get(CONTENT_TYPE) else {
        return Err(Problem::wrong_type(expected, "none"));
    };
    let value = value.to_str().unwrap_or_default();
    let kind = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if fits(&kind) {
        Ok(())
    } else {
        Err(Problem::wrong_type(expected, &json::shown(value)))
    }
}

fn apply_query(
    endpoint: &Endpoint,
    message: &mut DynamicMessage,
    query: &str,
) -> Result<(), Error> {
    let mut reader = Reader::new(&endpoint.form);
    let mut given = BTreeSet::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (text::decode(name, true)?, text::decode(value, true)?);
        let Some(variable) = endpoint.query.get(name.as_ref()) else {
            reader.wrong(
                &name,
                format!("is no query parameter of this request; {}", known(endpoint)),
            );
            continue;
        };
        let Some(field) = variable.fields.last() else {
            continue;
        };
        match text::value(&endpoint.form, field, &variable.name, &value) {
            Err(violation) => reader.wrong(&violation.field, violation.description),
            Ok(value) => {
                // One of several alternatives may be given once, whichever it is.
                let slot = field.containing_oneof().map_or_else(
                    || variable.name.clone(),
                    |oneof| oneof.full_name().to_owned(),
                );
                if !field.is_list() && !given.insert(slot) {
                    reader.wrong(&variable.name, "is given twice");
                    continue;
                }
                let Some(holder) = holder(message, variable) else {
                    continue;
                };
                if field.is_list() {
                    if let Value::List(items) = holder.get_field_mut(field) {
                        items.push(value);
                    }
                } else {
                    holder.set_field(field, value);
                }
            }
        }
    }
    reader.finish(())
}

fn known(endpoint: &Endpoint) -> String {
    let mut names: Vec<&str> = endpoint
        .query
        .values()
        .map(|variable| variable.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        "it has none".to_owned()
    } else {
        format!("known are {}", names.join(", "))
    }
}

fn apply_path(
    endpoint: &Endpoint,
    message: &mut DynamicMessage,
    captures: &[&str],
) -> Result<(), Error> {
    let mut violations = Vec::new();
    for (variable, capture) in endpoint.variables.iter().zip(captures) {
        let Some(field) = variable.fields.last() else {
            continue;
        };
        let capture = text::decode(capture, false)?;
        match text::value(&endpoint.form, field, &variable.name, &capture) {
            Err(violation) => violations.push(violation),
            Ok(value) => {
                let Some(holder) = holder(message, variable) else {
                    continue;
                };
                if holder.has_field(field) && *holder.get_field(field) != value {
                    let description = format!(
                        "must be as in the path, {}, or be left out",
                        json::shown(&capture)
                    );
                    violations.push(Violation::new(variable.name.clone(), description));
                } else {
                    holder.set_field(field, value);
                }
            }
        }
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Error::violations_of(violations))
    }
}

/// The message that holds the field a variable ends at.
fn holder<'m>(
    message: &'m mut DynamicMessage,
    variable: &Variable,
) -> Option<&'m mut DynamicMessage> {
    let (_, above) = variable.fields.split_last()?;
    above
        .iter()
        .try_fold(message, |holder, field| match holder.get_field_mut(field) {
            Value::Message(inner) => Some(inner),
            _ => None,
        })
}
