//! Events as types: a name, a whole-numbered version, a key, and the way from older versions.
//!
//! The body is JSON. What an older program published is brought up version by version before it
//! is read; what a newer one published is told apart from what nobody can read, because only one
//! of them is cured by waiting for a newer program.

use crate::{Error, Record};
use backlot_core::Timestamp;
use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// Something that happened, as a type. Its topic holds events of this type alone.
///
/// ```
/// use backlot_core::Timestamp;
/// use backlot_messaging::event::{self, Event, Stamp, Upcaster};
/// use serde::{Deserialize, Serialize};
/// use serde_json::json;
///
/// #[derive(Serialize, Deserialize, Debug, PartialEq)]
/// struct Rated { user: String, half_stars: u8 }
///
/// impl Event for Rated {
///     const NAME: &'static str = "Rated";
///     const TOPIC: &'static str = "ratings";
///     const VERSION: u32 = 2;
///     // Version 1 counted whole stars.
///     const UPCASTERS: &'static [Upcaster] = &[Upcaster { from: 1, up: |mut body| {
///         let stars = body["stars"].as_u64().ok_or("stars is no number")?;
///         body["half_stars"] = json!(stars * 2);
///         Ok(body)
///     } }];
///     fn key(&self) -> Option<String> { Some(self.user.clone()) }
/// }
///
/// let stamp = Stamp { id: "1".into(), source: "rating".into(), time: Timestamp(0) };
/// let mut record = event::encode(&Rated { user: "ann".into(), half_stars: 9 }, stamp)?;
/// assert_eq!((&*record.kind, record.version), ("Rated", 2));
/// record.version = 1;
/// record.payload = r#"{"user": "ann", "stars": 4}"#.into();
/// assert_eq!(event::decode::<Rated>(&record)?.half_stars, 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What it is called on every wire. Never changes.
    const NAME: &'static str;
    /// Where it is published. Never changes.
    const TOPIC: &'static str;
    /// How many partitions its topic is made with; one that is there keeps its own.
    const PARTITIONS: u32 = 16;
    /// Counted from 1; a change that old readers cannot read is a new version.
    const VERSION: u32;
    /// From each older version that may still come to the next, in order of version.
    const UPCASTERS: &'static [Upcaster] = &[];
    /// The version that a body without any envelope has, if such bodies are taken.
    const BARE: Option<u32> = None;

    /// Events of one key stay in order.
    fn key(&self) -> Option<String>;
}

/// One step from a version to the next.
#[derive(Clone, Copy, Debug)]
pub struct Upcaster {
    /// The version it takes; it gives the next one.
    pub from: u32,
    /// Changes the body, or says what is wrong with it.
    pub up: fn(Value) -> Result<Value, &'static str>,
}

/// What a record has besides its event.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Its id.
    pub id: String,
    /// Who says so.
    pub source: Arc<str>,
    /// When it happened.
    pub time: Timestamp,
}

/// Why a record is not the event asked for. Every kind is permanent for this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecodable {
    /// It is another event.
    #[error("expected the event {expected:?}, this is {found:?}")]
    OtherEvent {
        /// The name asked for.
        expected: &'static str,
        /// The name it has; empty without an envelope.
        found: String,
    },
    /// A newer program published it.
    #[error(
        "{event} has version {version}, this program reads up to {newest}: start the newer program, then take it again"
    )]
    UnknownVersion {
        /// The event's name.
        event: &'static str,
        /// The record's version.
        version: u32,
        /// The newest this program knows.
        newest: u32,
    },
    /// It is older than the way from older versions goes.
    #[error(
        "{event} has version {version}, from which there is no way to {newest}: add an upcaster from {missing}"
    )]
    NoWay {
        /// The event's name.
        event: &'static str,
        /// The record's version.
        version: u32,
        /// The version asked for.
        newest: u32,
        /// The version whose upcaster is missing.
        missing: u32,
    },
    /// The body cannot be read.
    #[error("{event} of version {version} cannot be read: {reason}")]
    Malformed {
        /// The event's name.
        event: &'static str,
        /// The record's version.
        version: u32,
        /// Why, and where in the body.
        reason: String,
    },
}

/// An event as a record.
///
/// # Errors
/// [`Error::Invalid`] when the event cannot be written as JSON, for example because a map has keys
/// that are no texts.
pub fn encode<E: Event>(event: &E, stamp: Stamp) -> Result<Record, Error> {
    encode_in(event, E::NAME.into(), stamp, &mut Paper::default())
}

/// What many events are written on, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Paper {
    /// Where each is written first: a vector grows by the few bytes of each field at little cost.
    draft: Vec<u8>,
    pub(crate) memory: BytesMut,
}

/// Like [`encode`]; many share their name, and lie one after the other in a piece of memory.
pub(crate) fn encode_in<E: Event>(
    event: &E,
    kind: Arc<str>,
    stamp: Stamp,
    paper: &mut Paper,
) -> Result<Record, Error> {
    paper.draft.clear();
    serde_json::to_writer(&mut paper.draft, event).map_err(|error| Error::Invalid {
        field: "event",
        value: format!("{}: {error}", E::NAME),
        cure: "every part of it must have a form in JSON",
    })?;
    Ok(Record {
        id: stamp.id,
        kind,
        version: E::VERSION,
        source: stamp.source,
        time: stamp.time,
        key: event.key(),
        headers: crate::Headers::default(),
        payload: {
            paper.memory.extend_from_slice(&paper.draft);
            paper.memory.split().freeze()
        },
    })
}

/// A record as an event, brought up to the version that `E` is.
///
/// # Errors
/// [`Undecodable`].
pub fn decode<E: Event>(record: &Record) -> Result<E, Undecodable> {
    let version = version::<E>(record)?;
    let malformed = |reason: String| Undecodable::Malformed {
        event: E::NAME,
        version,
        reason,
    };
    if version == E::VERSION {
        return serde_json::from_slice(&record.payload)
            .map_err(|error| malformed(error.to_string()));
    }
    if version > E::VERSION {
        return Err(Undecodable::UnknownVersion {
            event: E::NAME,
            version,
            newest: E::VERSION,
        });
    }
    let mut body: Value =
        serde_json::from_slice(&record.payload).map_err(|error| malformed(error.to_string()))?;
    for from in version..E::VERSION {
        let step = E::UPCASTERS.iter().find(|step| step.from == from);
        let step = step.ok_or(Undecodable::NoWay {
            event: E::NAME,
            version,
            newest: E::VERSION,
            missing: from,
        })?;
        body = (step.up)(body)
            .map_err(|reason| malformed(format!("on the way from version {from}: {reason}")))?;
    }
    serde_json::from_value(body).map_err(|error| malformed(error.to_string()))
}

/// The version of a record that is an `E`.
fn version<E: Event>(record: &Record) -> Result<u32, Undecodable> {
    match (record.version, E::BARE) {
        (0, Some(version)) => Ok(version),
        (version, _) if &*record.kind == E::NAME && version > 0 => Ok(version),
        _ => Err(Undecodable::OtherEvent {
            expected: E::NAME,
            found: record.kind.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    /// The books' rating event: a body alone is its version 1.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Rating {
        user_id: String,
        record_id: String,
        half_stars: u32,
        event_type: String,
    }

    impl Event for Rating {
        const NAME: &'static str = "Rating";
        const TOPIC: &'static str = "ratings";
        const VERSION: u32 = 3;
        const UPCASTERS: &'static [Upcaster] = &[
            Upcaster {
                from: 1,
                up: |mut body| {
                    let value = body["value"].as_u64().ok_or("value is no whole number")?;
                    body["stars"] = json!(value);
                    Ok(body)
                },
            },
            Upcaster {
                from: 2,
                up: |mut body| {
                    let stars = body["stars"].as_u64().ok_or("stars is no whole number")?;
                    body["halfStars"] = json!(stars * 2);
                    Ok(body)
                },
            },
        ];
        const BARE: Option<u32> = Some(1);

        fn key(&self) -> Option<String> {
            Some(self.record_id.clone())
        }
    }

    /// Has no upcaster and takes no bare bodies.
    #[derive(Debug, Serialize, Deserialize)]
    struct Plain {}

    impl Event for Plain {
        const NAME: &'static str = "Plain";
        const TOPIC: &'static str = "plain";
        const VERSION: u32 = 2;

        fn key(&self) -> Option<String> {
            None
        }
    }

    const BOOKS: &str = r#"{"userId":"105","recordId":"1","recordType":"movie","value":5,"providerId":"test-provider","eventType":"put"}"#;

    #[test]
    fn the_books_plain_json_is_read_through_every_upcaster() {
        let event: Rating = decode(&Record::bare("1", "kafka", BOOKS)).unwrap();
        assert_eq!((event.half_stars, &*event.record_id), (10, "1"));
        let second = Record::new(
            "1",
            "Rating",
            "rating",
            r#"{"userId":"1","recordId":"1","eventType":"put","stars":3}"#,
        );
        let event: Rating = decode(&second.with_version(2)).unwrap();
        assert_eq!(event.half_stars, 6);
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let event: Rating = decode(&Record::bare("1", "kafka", BOOKS)).unwrap();
        let stamp = Stamp {
            id: "7".into(),
            source: "rating".into(),
            time: Timestamp(5),
        };
        let record = encode(&event, stamp).unwrap();
        assert_eq!((record.version, record.key.as_deref()), (3, Some("1")));
        assert_eq!(decode::<Rating>(&record).unwrap(), event);
    }

    #[test]
    fn a_newer_version_a_broken_body_and_a_missing_step_are_told_apart() {
        let of = |version, body: &'static str| {
            decode::<Rating>(&Record::new("1", "Rating", "r", body).with_version(version))
                .unwrap_err()
        };
        assert!(matches!(
            of(4, "{}"),
            Undecodable::UnknownVersion {
                version: 4,
                newest: 3,
                ..
            }
        ));
        assert!(matches!(
            of(3, "{]"),
            Undecodable::Malformed { version: 3, .. }
        ));
        let on_the_way = of(1, r#"{"value":"five"}"#);
        assert!(
            on_the_way.to_string().contains("from version 1: value"),
            "{on_the_way}"
        );
        let old = decode::<Plain>(&Record::new("1", "Plain", "r", "{}")).unwrap_err();
        assert!(matches!(old, Undecodable::NoWay { missing: 1, .. }));
    }

    #[test]
    fn another_event_is_another_and_a_bare_body_is_taken_by_who_says_so() {
        let other = decode::<Rating>(&Record::new("1", "Viewed", "r", "{}")).unwrap_err();
        assert!(other.to_string().contains("\"Viewed\""), "{other}");
        let bare = decode::<Plain>(&Record::bare("1", "r", "{}")).unwrap_err();
        assert!(matches!(bare, Undecodable::OtherEvent { .. }));
    }
}
