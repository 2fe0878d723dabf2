//! One OpenAPI document of all that a server offers.

use crate::mount::Mount;
use backlot_core::Error;
use bytes::Bytes;
use serde_json::{Value, json};

/// The documents of the mounts as one.
///
/// # Errors
/// `Internal` when a document is not JSON, which no generated contract's is.
pub(super) fn merged(mounts: &[Mount]) -> Result<Bytes, Error> {
    let malformed = |mount: &Mount| {
        format!(
            "the OpenAPI document of {} is malformed",
            mount.service().name
        )
    };
    let mut merged = json!({});
    for mount in mounts {
        let document: Value = serde_json::from_str(mount.service().openapi)
            .map_err(|error| Error::internal(malformed(mount)).with_source(error))?;
        merge(&mut merged, document);
    }
    let titles: Vec<&str> = mounts.iter().map(|mount| mount.service().name).collect();
    match titles.as_slice() {
        [] => {
            merged =
                json!({ "openapi": "3.1.0", "info": { "title": "", "version": "" }, "paths": {} })
        }
        [_] => {}
        titles => merged["info"] = json!({ "title": titles.join(", "), "version": "v1" }),
    }
    Ok(merged.to_string().into())
}

/// Adds what is missing, member by member.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                match into.get_mut(&name) {
                    Some(old) => merge(old, value),
                    None => {
                        into.insert(name, value);
                    }
                }
            }
        }
        (into, from) if into.is_null() => *into = from,
        _ => {}
    }
}
