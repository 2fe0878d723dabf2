//! What a record's headers say about the letter that it is, whoever wrote them.

use super::{Class, QUEUE, RETRY, header};
use crate::Record;
use crate::record::Headers;
use bytes::Bytes;

/// What the index keeps of a letter's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Topic and group, when they fit the topic that the letter lies in.
    pub(crate) origin: Option<(String, String)>,
    pub(crate) class: Class,
    pub(crate) redrives: u32,
    /// What the last failure said.
    pub(crate) error: String,
}

/// The most bytes of an error in the index.
const ERROR_BYTES: usize = 256;

impl Stamp {
    /// Reads the headers of a letter in this topic. What does not fit is of the class `unknown`.
    pub(crate) fn read(queue: &str, record: &Record) -> Self {
        let headers = &record.headers;
        let origin = origin(queue, headers);
        let class = headers
            .get(header::CLASS)
            .and_then(|name| name.parse().ok());
        let class = class.filter(|_| origin.is_some()).unwrap_or(Class::Unknown);
        let mut error = super::letter::attempts(headers)
            .pop()
            .map(|attempt| attempt.message)
            .unwrap_or_default();
        error.truncate(error.floor_char_boundary(ERROR_BYTES));
        Stamp {
            origin,
            class,
            redrives: redrives(headers),
            error,
        }
    }
}

pub(crate) fn redrives(headers: &Headers) -> u32 {
    let redrives = headers.get(header::REDRIVES);
    redrives.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Where a letter came from: a name that would not lead back to the topic it lies in is not
/// believed. One that died on its way through the group's retry topic came from before that.
fn origin(queue: &str, headers: &Headers) -> Option<(String, String)> {
    let (topic, group) = (headers.get(header::TOPIC)?, headers.get(header::GROUP)?);
    let stem = queue.strip_suffix(QUEUE)?;
    let before = stem.strip_suffix(group)?.strip_suffix('.')?;
    let is_retry = || {
        let retried = topic.strip_suffix(RETRY)?;
        (retried == stem).then_some(())
    };
    let fits = !before.is_empty() && (topic == before || is_retry().is_some());
    fits.then(|| (before.to_owned(), group.to_owned()))
}

/// The record that goes to the retry topic: as it was before it died, and how often that was so.
pub(crate) fn redriven(letter: &Record, payload: Bytes, redrives: u32) -> Record {
    let mut headers = Headers::default();
    for (name, value) in letter.headers.iter() {
        if !name.starts_with(header::PREFIX) {
            headers.set(std::sync::Arc::clone(name), value);
        }
    }
    headers.set(header::REDRIVES, redrives.to_string());
    Record {
        headers,
        payload,
        ..letter.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(topic: &str, group: &str) -> Record {
        Record::new("1", "Rated", "rating", "{}")
            .with_header("traceparent", "00-1")
            .with_header(header::CLASS, "permanent")
            .with_header(header::TOPIC, topic)
            .with_header(header::GROUP, group)
            .with_header(header::REDRIVES, "2")
            .with_header(
                header::ERRORS,
                r#"[{"at":1,"class":"transient","message":"first"},{"at":2,"message":"last"}]"#,
            )
    }

    #[test]
    fn a_letter_says_where_it_came_from() {
        let stamp = Stamp::read("a.b.g.dlq", &letter("a.b", "g"));
        assert_eq!(stamp.origin, Some(("a.b".into(), "g".into())));
        assert_eq!((stamp.class, stamp.redrives), (Class::Permanent, 2));
        assert_eq!(stamp.error, "last");
        let again = Stamp::read("a.b.g.dlq", &letter("a.b.g.retry", "g"));
        assert_eq!(again.origin, stamp.origin);
    }

    #[test]
    fn headers_that_lead_elsewhere_are_not_believed() {
        for (topic, group) in [
            ("other", "g"),
            ("a.b", "other"),
            ("x.retry", "g"),
            ("", "a.b.g"),
        ] {
            let stamp = Stamp::read("a.b.g.dlq", &letter(topic, group));
            assert_eq!(
                (stamp.origin, stamp.class),
                (None, Class::Unknown),
                "{topic} {group}"
            );
        }
        let bare = Stamp::read("a.b.g.dlq", &Record::bare("1", "somebody", "?"));
        assert_eq!((bare.origin, bare.redrives), (None, 0));
    }

    #[test]
    fn what_is_sent_again_is_what_died_and_knows_how_often() {
        let again = redriven(&letter("a", "g"), Bytes::from_static(b"mended"), 3);
        let headers: Vec<(&str, &str)> = again
            .headers
            .iter()
            .map(|(name, value)| (&**name, value))
            .collect();
        assert_eq!(headers, [("traceparent", "00-1"), (header::REDRIVES, "3")]);
        assert_eq!((&*again.id, &again.payload[..]), ("1", &b"mended"[..]));
    }
}
