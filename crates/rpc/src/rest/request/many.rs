//! A request of many messages, one on each line of its body.

use super::{LINES, apply_path, apply_query, check_type, from_document, is_lines};
use crate::Streaming;
use crate::rest::Body;
use crate::rest::json;
use crate::rest::lines::Lines;
use crate::rest::problem::Problem;
use crate::rest::route::Endpoint;
use crate::validate::located;
use backlot_core::Error;
use bytes::Bytes;
use http::request::Parts;
use http_body::Body as _;
use prost::Message;
use prost_reflect::DynamicMessage;
use std::sync::Arc;

/// Reads a request whose body has a message on each line, as they are taken. What path and query say
/// is part of the first message, which is there for their sake alone if no line comes.
///
/// # Errors
/// 415 for the body as a whole; 400 from the stream with the line, what is wrong and where.
pub(in crate::rest) fn messages(
    endpoint: Arc<Endpoint>,
    captures: &[&str],
    parts: Parts,
    body: Body,
) -> Result<Streaming<Bytes>, Problem> {
    if !body.is_end_stream() {
        check_type(&parts, LINES, is_lines)?;
    }
    let captures: Vec<String> = captures.iter().map(|&capture| capture.to_owned()).collect();
    Ok(Streaming::new(async_stream::try_stream! {
        let mut lines = Lines::new(body);
        let mut number = 0;
        while let Some(line) = lines.next().await? {
            number += 1;
            let document = json::line(&line, number)?;
            let message = on_line(&endpoint, document, number).and_then(|message| {
                first(&endpoint, message, number, &captures, &parts)
            });
            yield message?;
        }
        let query = parts.uri.query().unwrap_or_default();
        if number == 0 && !(captures.is_empty() && query.is_empty()) {
            let message = DynamicMessage::new(endpoint.input.clone());
            yield first(&endpoint, message, 1, &captures, &parts)?;
        }
    }))
}

fn on_line(
    endpoint: &Endpoint,
    document: serde_json::Value,
    number: u64,
) -> Result<DynamicMessage, Error> {
    from_document(endpoint, document, "a line")
        .map_err(|error| located(error, &format!("line {number}")))
}

/// Adds to the first message what path and query say.
fn first(
    endpoint: &Endpoint,
    mut message: DynamicMessage,
    number: u64,
    captures: &[String],
    parts: &Parts,
) -> Result<Bytes, Error> {
    if number == 1 {
        let query = parts.uri.query().unwrap_or_default();
        apply_query(endpoint, &mut message, query)?;
        let captures: Vec<&str> = captures.iter().map(String::as_str).collect();
        apply_path(endpoint, &mut message, &captures)?;
    }
    Ok(message.encode_to_vec().into())
}
