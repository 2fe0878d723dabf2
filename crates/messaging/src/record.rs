//! What is published and delivered: a payload with the attributes of CloudEvents.

use crate::Error;
use backlot_core::Timestamp;
use bytes::Bytes;
use std::sync::Arc;

/// The most bytes of a payload: what every engine takes without further settings.
pub const MAX_PAYLOAD: usize = 512 * 1024;
/// The most bytes of an id, of an event's name and of a key.
pub const MAX_NAME: usize = 512;
/// The most bytes of a source.
pub const MAX_SOURCE: usize = 1024;
/// The most bytes of all headers of a record, names and values.
pub const MAX_HEADERS: usize = 16 * 1024;

/// One message. Cheap to clone: the payload and the texts that repeat are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Unique among what its source publishes; under it a repetition is recognized.
    pub id: String,
    /// The name of the event, without its version. Empty when it came without an envelope.
    pub kind: Arc<str>,
    /// The version of the event, from 1; 0 when it came without an envelope.
    pub version: u32,
    /// Who says so: a service's name, or a URI.
    pub source: Arc<str>,
    /// When it happened, as its source says; from 1970 on.
    pub time: Timestamp,
    /// Messages of one key are in one partition, in the order they were published in.
    pub key: Option<String>,
    /// What else travels with it, such as the trace.
    pub headers: Headers,
    /// What happened. Of a delivered record it shares the memory of its batch: copy it to keep it
    /// for long.
    pub payload: Bytes,
}

/// Names and values in the order they were set. Names are in lower case: letters, digits, `-`,
/// `_` and `.`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Arc<str>, String)>);

impl Record {
    /// A record of version 1 without key and headers, at the beginning of 1970.
    ///
    /// ```
    /// use backlot_messaging::Record;
    ///
    /// let record = Record::new("order-17", "OrderPlaced", "shop", r#"{"order":17}"#).with_key("ann");
    /// assert_eq!(record.version, 1);
    /// ```
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        kind: impl Into<Arc<str>>,
        source: impl Into<Arc<str>>,
        payload: impl Into<Bytes>,
    ) -> Self {
        Record {
            id: id.into(),
            kind: kind.into(),
            version: 1,
            source: source.into(),
            time: Timestamp(0),
            key: None,
            headers: Headers::default(),
            payload: payload.into(),
        }
    }

    /// What came as a body alone, from somebody who knows no envelope: kind and version are open.
    #[must_use]
    pub fn bare(
        id: impl Into<String>,
        source: impl Into<Arc<str>>,
        payload: impl Into<Bytes>,
    ) -> Self {
        Record {
            version: 0,
            ..Record::new(id, "", source, payload)
        }
    }

    /// The same with a key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same of another version.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The same at another time.
    #[must_use]
    pub fn with_time(mut self, time: Timestamp) -> Self {
        self.time = time;
        self
    }

    /// The same with a header more, or with another value of it.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.set(name, value);
        self
    }

    /// Its bytes, about as many as an engine keeps of it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.id.len()
            + self.key.as_ref().map_or(0, String::len)
            + self.headers.size()
            + self.payload.len()
            + 16
    }

    /// Checks every limit.
    ///
    /// # Errors
    /// [`Error::TooLarge`] naming the field, its size and the limit; [`Error::Invalid`] naming the
    /// field, the value and what would be right.
    pub fn check(&self) -> Result<(), Error> {
        let sizes = [
            ("payload", self.payload.len(), MAX_PAYLOAD),
            ("id", self.id.len(), MAX_NAME),
            ("kind", self.kind.len(), MAX_NAME),
            ("key", self.key.as_ref().map_or(0, String::len), MAX_NAME),
            ("source", self.source.len(), MAX_SOURCE),
            ("headers", self.headers.size(), MAX_HEADERS),
        ];
        for (what, size, limit) in sizes {
            if size > limit {
                return Err(Error::TooLarge { what, size, limit });
            }
        }
        let invalid = |field, value: &str, cure| {
            Err(Error::Invalid {
                field,
                value: value.to_owned(),
                cure,
            })
        };
        if self.id.is_empty() || self.id.contains('\0') {
            return invalid(
                "id",
                &self.id,
                "give it a text without U+0000, unique for its source",
            );
        }
        if self.kind.is_empty() != (self.version == 0) {
            return invalid(
                "kind",
                &self.kind,
                "an event has a name and a version from 1, a bare body neither",
            );
        }
        if self.time.0 < 0 {
            return invalid("time", &self.time.0.to_string(), "give a time from 1970 on");
        }
        match self.headers.iter().find(|(name, _)| !is_name(name)) {
            Some((name, _)) => invalid(
                "headers",
                name,
                "name it with lower case letters, digits, '-', '_' and '.'",
            ),
            None => Ok(()),
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
    };
    !name.is_empty() && name.bytes().all(is_part)
}

// === impl Headers ===

impl Headers {
    /// The value of a header.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| &**known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Sets a header; another value of it is replaced.
    pub fn set(&mut self, name: impl Into<Arc<str>>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// All of them, in the order they were set.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &str)> {
        self.0.iter().map(|(name, value)| (name, value.as_str()))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn size(&self) -> usize {
        let sizes = self.0.iter().map(|(name, value)| name.len() + value.len());
        sizes.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record::new("1", "Rated", "rating", "{}")
    }

    #[test]
    fn a_payload_beyond_the_limit_names_it() {
        let mut record = record();
        record.payload = vec![0; MAX_PAYLOAD].into();
        record.check().unwrap();
        record.payload = vec![0; MAX_PAYLOAD + 1].into();
        let text = record.check().unwrap_err().to_string();
        assert!(text.contains("524289") && text.contains("524288"), "{text}");
    }

    #[test]
    fn what_is_wrong_with_a_record_is_named_with_its_cure() {
        for (wrong, field) in [
            (
                Record {
                    id: String::new(),
                    ..record()
                },
                "id",
            ),
            (record().with_version(0), "kind"),
            (record().with_time(Timestamp(-1)), "time"),
            (record().with_header("X-Trace", "1"), "headers"),
            (record().with_header("", "1"), "headers"),
        ] {
            let text = wrong.check().unwrap_err().to_string();
            assert!(text.starts_with(field), "{text}");
        }
        Record::bare("1", "somebody", "{}").check().unwrap();
        record().with_header("trace-parent", "1").check().unwrap();
    }
}
