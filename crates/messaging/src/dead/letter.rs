//! A letter, and what a list shows of it.

use super::header;
use super::stamp::redrives;
use crate::engine::Position;
use crate::record::Headers;
use crate::{Error, Record};
use backlot_core::Timestamp;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

/// Names a letter: the topic it lies in, and where. Its text form is `topic/partition/offset`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    /// The topic it lies in.
    pub queue: String,
    /// Where.
    pub position: Position,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { partition, offset } = self.position;
        write!(f, "{}/{partition}/{offset}", self.queue)
    }
}

impl FromStr for Id {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut parts = text.rsplitn(3, '/');
        let mut parsed = || {
            let offset = parts.next()?.parse().ok()?;
            let partition = parts.next()?.parse().ok()?;
            let queue = parts.next().filter(|queue| !queue.is_empty())?.to_owned();
            let position = Position { partition, offset };
            Some(Id { queue, position })
        };
        parsed().ok_or_else(|| Error::Invalid {
            field: "id",
            value: text.to_owned(),
            cure: "name a letter by its topic, partition and offset, as in ratings.averages.dlq/0/17",
        })
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $type:ident, $field:literal, $cure:literal, {
        $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $type {
            /// All there are.
            pub const ALL: &[$type] = &[$($type::$variant,)*];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name,)*
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                match text {
                    $($name => Ok($type::$variant),)*
                    _ => Err(Error::Invalid {
                        field: $field,
                        value: text.to_owned(),
                        cure: $cure,
                    }),
                }
            }
        }
    };
}

named! {
    /// Why a message died.
    Class, "class",
    "take permanent, exhausted, undecodable, unknown-version, expired, panic, crash-loop, corrupt or unknown", {
        /// Its handler said that no further attempt helps.
        Permanent = "permanent",
        /// Every attempt failed.
        Exhausted = "exhausted",
        /// Its payload is not what its kind says.
        Undecodable = "undecodable",
        /// It is of a version nobody knows here.
        UnknownVersion = "unknown-version",
        /// It was too old to be of use.
        Expired = "expired",
        /// Its handler panicked.
        Panic = "panic",
        /// Processes died with it.
        CrashLoop = "crash-loop",
        /// Its bytes were damaged.
        Corrupt = "corrupt",
        /// Nobody says: somebody published it by hand.
        Unknown = "unknown",
    }
}

named! {
    /// How a letter stands.
    Status, "status", "take waiting or redriven", {
        /// Nobody has sent it again.
        Waiting = "waiting",
        /// It was sent again. If it dies again, that is another letter.
        Redriven = "redriven",
    }
}

/// What a list shows of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub id: Id,
    /// The topic it came from.
    pub topic: String,
    /// The group it failed in.
    pub group: String,
    /// Why.
    pub class: Class,
    /// The message's key.
    pub key: Option<String>,
    /// The message's id.
    pub message: String,
    /// The message's kind.
    pub kind: String,
    /// When it came here.
    pub at: Timestamp,
    /// How it stands.
    pub status: Status,
    /// How often the message was sent again before it died.
    pub redrives: u32,
    /// What the last failure said, shortened.
    pub error: String,
    /// How often its payload was edited.
    pub edits: u32,
}

/// A failed attempt, as a letter tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// When.
    pub at: Option<Timestamp>,
    /// Which kind of failure.
    pub class: String,
    /// The code of the error.
    pub code: String,
    /// What was said.
    pub message: String,
}

/// Somebody changed the payload that will be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// When.
    pub at: Timestamp,
    /// Who: a user's id, or the name of a part of this system. Empty for nobody known.
    pub by: String,
    /// To what.
    pub payload: Bytes,
}

/// All of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What a list shows.
    pub entry: Entry,
    /// The record as it lies there: the message with the headers of a letter.
    pub record: Record,
    /// Where the message was in its topic, if the letter says so.
    pub origin: Option<Position>,
    /// The service that gave up.
    pub service: String,
    /// How many attempts failed.
    pub tries: u32,
    /// How many deliveries had no end.
    pub starts: u32,
    /// When it failed first.
    pub first_at: Option<Timestamp>,
    /// When it failed last.
    pub last_at: Option<Timestamp>,
    /// How it failed, in order.
    pub failures: Vec<Attempt>,
    /// What people made of it, in order.
    pub edits: Vec<Edit>,
}

/// The letters of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfGroup {
    /// The topic they lie in.
    pub queue: String,
    /// The topic they came from.
    pub topic: String,
    /// The group.
    pub group: String,
    /// How many wait, by class; none with 0.
    pub waiting: BTreeMap<Class, u64>,
    /// How many were sent again and are there still, by class; none with 0.
    pub redriven: BTreeMap<Class, u64>,
    /// When the oldest of those that wait came.
    pub oldest: Option<Timestamp>,
}

impl Letter {
    /// Reads what the record's headers tell.
    #[must_use]
    pub fn new(entry: Entry, record: Record, edits: Vec<Edit>) -> Self {
        let headers = &record.headers;
        let number = |name| headers.get(name).and_then(|text: &str| text.parse().ok());
        let time = |name| headers.get(name).and_then(time_of_text);
        let partition = headers
            .get(header::PARTITION)
            .and_then(|text| text.parse().ok());
        let offset = headers
            .get(header::OFFSET)
            .and_then(|text| text.parse().ok());
        let place = partition.zip(offset);
        Letter {
            origin: place.map(|(partition, offset)| Position { partition, offset }),
            service: headers.get(header::SERVICE).unwrap_or_default().to_owned(),
            tries: number(header::TRIES).unwrap_or(0),
            starts: number(header::STARTS).unwrap_or(0),
            first_at: time(header::FIRST_AT),
            last_at: time(header::LAST_AT),
            failures: attempts(headers),
            entry,
            record,
            edits,
        }
    }

    /// What a redrive sends: the last edit, or the payload as it came.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        let edited = self.edits.last().map(|edit| &edit.payload);
        edited.unwrap_or(&self.record.payload)
    }

    /// The letter as one JSON object: `id`, `queue` (the topic it came from), `dispatch_date`,
    /// `payload` (JSON where it is, else text, else hexadecimal text), and
    /// `error`, a list with one object for each kept failure.
    #[must_use]
    pub fn view(&self) -> Value {
        let payload = serde_json::from_slice(&self.record.payload).unwrap_or_else(|_| {
            match std::str::from_utf8(&self.record.payload) {
                Ok(text) => Value::from(text),
                Err(_) => {
                    let bytes = self.record.payload.iter();
                    Value::from(bytes.map(|byte| format!("{byte:02x}")).collect::<String>())
                }
            }
        });
        let errors = self.failures.iter().map(|failure| {
            json!({
                "at": failure.at.map(rfc3339),
                "class": failure.class,
                "code": failure.code,
                "message": failure.message,
            })
        });
        json!({
            "id": self.record.id,
            "queue": self.entry.topic,
            "dispatch_date": rfc3339(self.record.time),
            "payload": payload,
            "error": errors.collect::<Vec<_>>(),
        })
    }

    /// How often the message was sent again before it died.
    #[must_use]
    pub fn redrives(&self) -> u32 {
        redrives(&self.record.headers)
    }
}

/// The failures that a letter tells of; what cannot be read is left out.
pub(super) fn attempts(headers: &Headers) -> Vec<Attempt> {
    let told = headers.get(header::ERRORS).unwrap_or("[]");
    let Ok(Value::Array(told)) = serde_json::from_str(told) else {
        return Vec::new();
    };
    let attempt = |told: &Value| {
        let text = |name: &str| match told.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Attempt {
            at: told.get("at").and_then(|at| match at {
                Value::Number(number) => number.as_i64().map(Timestamp),
                Value::String(text) => time_of_text(text),
                _ => None,
            }),
            class: text("class"),
            code: text("code"),
            message: text("message"),
        }
    };
    told.iter().map(attempt).collect()
}

/// Milliseconds since 1970 UTC, or RFC 3339.
fn time_of_text(text: &str) -> Option<Timestamp> {
    if let Ok(millis) = text.parse() {
        return Some(Timestamp(millis));
    }
    let time = humantime::parse_rfc3339_weak(text).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp(0).plus(since))
}

fn rfc3339(at: Timestamp) -> String {
    // What that form cannot say is beyond the year 9999.
    let millis = at.0.clamp(0, 253_402_300_799_000).unsigned_abs();
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            id: "t.g.dlq/1/17".parse().unwrap(),
            topic: "t".into(),
            group: "g".into(),
            class: Class::Exhausted,
            key: None,
            message: "m".into(),
            kind: "Rated".into(),
            at: Timestamp(9),
            status: Status::Waiting,
            redrives: 1,
            error: String::new(),
            edits: 0,
        }
    }

    #[test]
    fn a_letter_is_named_by_its_place() {
        let id: Id = "t.g.dlq/1/17".parse().unwrap();
        assert_eq!(
            (&*id.queue, id.position.partition, id.position.offset),
            ("t.g.dlq", 1, 17)
        );
        assert_eq!(id.to_string(), "t.g.dlq/1/17");
        for wrong in ["", "t.g.dlq", "t.g.dlq/1", "/1/2", "t/x/1"] {
            let text = wrong.parse::<Id>().unwrap_err().to_string();
            assert!(text.starts_with("id"), "{text}");
        }
    }

    #[test]
    fn a_wrong_class_is_answered_with_all_there_are() {
        assert_eq!("crash-loop".parse::<Class>().unwrap(), Class::CrashLoop);
        let text = "crashed".parse::<Class>().unwrap_err().to_string();
        assert!(
            text.contains("crashed") && text.contains("crash-loop"),
            "{text}"
        );
    }

    #[test]
    fn a_letter_reads_as_one_object() {
        let record = Record::new("m", "Rated", "rating", r#"{"value":6}"#)
            .with_time(Timestamp(1_700_000_000_000))
            .with_header(header::PARTITION, "3")
            .with_header(header::OFFSET, "99")
            .with_header(header::TRIES, "4")
            .with_header(header::FIRST_AT, "1700000000001")
            .with_header(header::LAST_AT, "2023-11-14T22:13:20.002Z")
            .with_header(
                header::ERRORS,
                r#"[{"at":1700000000001,"class":"transient","code":"unavailable","message":"down"}]"#,
            );
        let letter = Letter::new(entry(), record, Vec::new());
        assert_eq!(
            letter.origin,
            Some(Position {
                partition: 3,
                offset: 99
            })
        );
        assert_eq!(letter.tries, 4);
        assert_eq!(letter.first_at, Some(Timestamp(1_700_000_000_001)));
        assert_eq!(letter.last_at, Some(Timestamp(1_700_000_000_002)));
        let expected = json!({
            "id": "m",
            "queue": "t",
            "dispatch_date": "2023-11-14T22:13:20.000Z",
            "payload": {"value": 6},
            "error": [{
                "at": "2023-11-14T22:13:20.001Z", "class": "transient", "code": "unavailable", "message": "down",
            }],
        });
        assert_eq!(letter.view(), expected);
    }

    #[test]
    fn headers_that_make_no_sense_are_left_out() {
        let record = Record::new("m", "Rated", "rating", vec![0xff, 0x00])
            .with_header(header::TRIES, "many")
            .with_header(header::LAST_AT, "yesterday")
            .with_header(header::ERRORS, "{");
        let letter = Letter::new(entry(), record, Vec::new());
        assert_eq!(
            (letter.tries, letter.last_at, letter.failures.len()),
            (0, None, 0)
        );
        assert_eq!(letter.view()["payload"], "ff00");
    }
}
