//! Attributes as CloudEvents 1.0 names them in binary mode: for engines with headers, and HTTP.
//!
//! | header | what |
//! |---|---|
//! | `ce-specversion` | `1.0` |
//! | `ce-id` | [`Record::id`] |
//! | `ce-source` | [`Record::source`] |
//! | `ce-type` | kind and version: `Rated.v2` |
//! | `ce-time` | RFC 3339 in UTC, milliseconds |
//! | `ce-partitionkey` | [`Record::key`], if there is one |
//!
//! Other headers travel as they are. A message without `ce-specversion` has no envelope: it is a
//! [bare](Record::bare) body.

use crate::{Error, Headers, Record};
use backlot_core::Timestamp;
use bytes::Bytes;
use std::time::{Duration, UNIX_EPOCH};

/// The version of the specification.
pub const SPEC_VERSION: &str = "ce-specversion";
/// The record's id.
pub const ID: &str = "ce-id";
/// Its source.
pub const SOURCE: &str = "ce-source";
/// Its kind and version.
pub const TYPE: &str = "ce-type";
/// When it happened.
pub const TIME: &str = "ce-time";
/// Its key.
pub const KEY: &str = "ce-partitionkey";

/// The year 10000, which RFC 3339 cannot write.
const END_OF_TIME: u64 = 253_402_300_800_000;

/// Names and values of all attributes and headers; no attributes for a bare body.
#[must_use]
pub fn to_headers(record: &Record) -> Vec<(String, String)> {
    let mut headers = Vec::with_capacity(6 + record.headers.len());
    if record.version > 0 {
        let millis = record.time.0.max(0).unsigned_abs().min(END_OF_TIME - 1);
        let time = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis));
        headers.extend([
            (SPEC_VERSION.to_owned(), "1.0".to_owned()),
            (ID.to_owned(), record.id.clone()),
            (SOURCE.to_owned(), record.source.to_string()),
            (
                TYPE.to_owned(),
                format!("{}.v{}", record.kind, record.version),
            ),
            (TIME.to_owned(), time.to_string()),
        ]);
    }
    if let Some(key) = &record.key {
        headers.push((KEY.to_owned(), key.clone()));
    }
    let own = record.headers.iter();
    headers.extend(own.map(|(name, value)| (name.to_string(), value.to_owned())));
    headers
}

/// The record that these headers and this body are. `origin` names a bare body, which has neither
/// id nor source: the same message must get the same one every time, for example its place in the
/// engine's log.
///
/// # Errors
/// [`Error::Invalid`] naming the header, its value and what would be right; and as
/// [`Record::check`].
pub fn from_headers<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    payload: Bytes,
    origin: (&str, &str),
) -> Result<Record, Error> {
    let (id, source) = origin;
    let mut record = Record::bare(id, source, payload);
    let mut own = Headers::default();
    let (mut is_event, mut has_id) = (false, false);
    for (name, value) in headers {
        match name.to_ascii_lowercase().as_str() {
            SPEC_VERSION if value == "1.0" => is_event = true,
            SPEC_VERSION => return invalid("ce-specversion", value, "this program reads 1.0"),
            ID => {
                has_id = true;
                value.clone_into(&mut record.id);
            }
            SOURCE => record.source = value.into(),
            TYPE => (record.kind, record.version) = kind_and_version(value)?,
            TIME => record.time = time(value)?,
            KEY => record.key = Some(value.to_owned()),
            other => own.set(other, value),
        }
    }
    record.headers = own;
    if is_event && (!has_id || record.version == 0) {
        return invalid(
            "ce-specversion",
            "1.0",
            "an event has ce-id, ce-source and ce-type too",
        );
    }
    record.check()?;
    Ok(record)
}

/// A value as an HTTP header carries it: what is not printable ASCII, the space, `"` and `%` are
/// percent-encoded, as the HTTP binding of CloudEvents asks.
#[must_use]
pub fn to_http(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'%') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// What [`to_http`] was given; nothing when the result is no UTF-8.
#[must_use]
pub fn from_http(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let digits = after
            .get(..2)
            .filter(|digits| *byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match digits {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn invalid<T>(field: &'static str, value: &str, cure: &'static str) -> Result<T, Error> {
    Err(Error::Invalid {
        field,
        value: value.to_owned(),
        cure,
    })
}

/// Types of others have no version: they are version 1.
fn kind_and_version(value: &str) -> Result<(std::sync::Arc<str>, u32), Error> {
    if value.is_empty() {
        return invalid("ce-type", value, "an event has a type");
    }
    let split = value.rsplit_once(".v").and_then(|(kind, version)| {
        let version = version.parse::<u32>().ok()?;
        (version > 0 && !kind.is_empty()).then_some((kind, version))
    });
    let (kind, version) = split.unwrap_or((value, 1));
    Ok((kind.into(), version))
}

fn time(value: &str) -> Result<Timestamp, Error> {
    let since = humantime::parse_rfc3339_weak(value)
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_millis()).ok());
    match since {
        Some(millis) => Ok(Timestamp(millis)),
        None => invalid(
            "ce-time",
            value,
            "write it as 2026-11-21T17:00:00.000Z, in UTC, from 1970 on",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(headers: &[(String, String)], payload: &Bytes) -> Result<Record, Error> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        from_headers(headers, payload.clone(), ("ratings/0/7", "kafka"))
    }

    #[test]
    fn a_record_comes_back_from_its_headers() {
        let record = Record::new("1", "Rated.by.v", "rating", "{}")
            .with_version(12)
            .with_key("tt 1")
            .with_time(Timestamp(1_700_000_000_123))
            .with_header("traceparent", "00-1");
        let headers = to_headers(&record);
        assert!(
            headers.contains(&("ce-type".into(), "Rated.by.v.v12".into())),
            "{headers:?}"
        );
        assert!(
            headers.contains(&("ce-time".into(), "2023-11-14T22:13:20.123Z".into())),
            "{headers:?}"
        );
        assert_eq!(read(&headers, &record.payload).unwrap(), record);
        let bare = Record::bare("ratings/0/7", "kafka", "{}").with_key("1");
        assert_eq!(read(&to_headers(&bare), &bare.payload).unwrap(), bare);
    }

    #[test]
    fn types_of_others_are_version_one() {
        let headers = [
            (SPEC_VERSION, "1.0"),
            (ID, "1"),
            (SOURCE, "/shop"),
            (TYPE, "com.shop.sold"),
        ];
        let record = from_headers(headers, Bytes::new(), ("", "")).unwrap();
        assert_eq!((&*record.kind, record.version), ("com.shop.sold", 1));
    }

    #[test]
    fn a_wrong_header_is_named_with_its_value() {
        for (name, value) in [
            (SPEC_VERSION, "0.3"),
            (TIME, "yesterday"),
            (TYPE, ""),
            (SPEC_VERSION, "1.0"),
        ] {
            let error = from_headers([(name, value)], Bytes::new(), ("1", "s")).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(name) && text.contains(&format!("{value:?}")),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_value_survives_http(value in any::<String>()) {
            let text = to_http(&value);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(from_http(&text), Some(value));
        }
    }
}
