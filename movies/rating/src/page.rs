//! Page tokens: where the next page starts, and of which list, in a form that callers pass back
//! untouched.

use crate::model::Record;
use backlot::{Error, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Where a page of a user's ratings starts: below this one.
pub(crate) fn of_user(user: &str, last: &(Timestamp, Record)) -> String {
    let (at, record) = last;
    token(&["u", user, &at.0.to_string(), &record.kind, &record.id])
}

/// Reads a token of the list of this user's ratings; the empty one is the first page.
pub(crate) fn parse_of_user(text: &str, user: &str) -> Result<Option<(Timestamp, Record)>, Error> {
    parse(text, |parts| match parts {
        ["u", of, at, kind, id] if *of == user => {
            let record = Record {
                kind: (*kind).to_owned(),
                id: (*id).to_owned(),
            };
            Some((Timestamp(at.parse().ok()?), record))
        }
        _ => None,
    })
}

/// Where a page of changes of this kind since this time starts: behind this one.
pub(crate) fn of_changes(kind: &str, since: Timestamp, last: &(Timestamp, String)) -> String {
    let (at, id) = last;
    token(&["c", kind, &since.0.to_string(), &at.0.to_string(), id])
}

/// Reads a token of the list of changes of this kind since this time; the empty one is the first
/// page.
pub(crate) fn parse_of_changes(
    text: &str,
    kind: &str,
    since: Timestamp,
) -> Result<Option<(Timestamp, String)>, Error> {
    parse(text, |parts| match parts {
        ["c", of, from, at, id] if *of == kind && from.parse() == Ok(since.0) => {
            Some((Timestamp(at.parse().ok()?), (*id).to_owned()))
        }
        _ => None,
    })
}

/// The parts, each after its length: whatever they hold, they come apart again.
fn token(parts: &[&str]) -> String {
    let mut text = String::new();
    for part in parts {
        text.push_str(&format!("{}:{part}", part.len()));
    }
    URL_SAFE_NO_PAD.encode(text)
}

fn parse<T>(text: &str, read: impl FnOnce(&[&str]) -> Option<T>) -> Result<Option<T>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap_or_default();
    match parts(&text).and_then(|parts| read(&parts)) {
        Some(start) => Ok(Some(start)),
        None => {
            let cure = "is not a token of this list: pass back nextPageToken as it came, with the same request, or nothing for the first page";
            Err(Error::invalid_argument(format!("pageToken: {cure}"))
                .with_violation("pageToken", cure))
        }
    }
}

fn parts(mut text: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    while !text.is_empty() {
        let (length, rest) = text.split_once(':')?;
        let (part, rest) = rest.split_at_checked(length.parse().ok()?)?;
        parts.push(part);
        text = rest;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_for_its_own_list_alone() {
        let record = Record {
            kind: "mo:vie".into(),
            id: "ä5:\0".into(),
        };
        let start = (Timestamp(-7), record);
        let text = of_user("ann", &start);
        assert_eq!(parse_of_user(&text, "ann").unwrap(), Some(start));
        assert!(parse_of_user(&text, "bob").is_err());
        assert!(parse_of_changes(&text, "ann", Timestamp(-7)).is_err());

        let start = (Timestamp(9), "a".to_owned());
        let text = of_changes("movie", Timestamp(8), &start);
        let read = |kind, since| parse_of_changes(&text, kind, Timestamp(since));
        assert_eq!(read("movie", 8).unwrap(), Some(start));
        assert!(read("movie", 7).is_err());
        assert!(read("book", 8).is_err());
        assert!(parse_of_user(&text, "movie").is_err());
    }

    #[test]
    fn nothing_is_the_first_page_and_anything_else_is_the_callers_fault() {
        assert_eq!(parse_of_user("", "ann").unwrap(), None);
        for text in [
            "!",
            "AAAA",
            "_____w",
            "MTp1",
            "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTp4",
        ] {
            let error = parse_of_user(text, "ann").unwrap_err();
            assert_eq!(error.violations()[0].field, "pageToken", "{text}");
        }
    }
}
