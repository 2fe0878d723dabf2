//! Failures of an engine, both ways: their kind, and whether something can have happened.

use super::words::fixed;
use backlot_core::error::{Reason, chain};
use backlot_core::{Code, Error as Public};
use backlot_messaging::Error;
use backlot_rpc::{is_in_doubt, was_made};
use backlot_storage::StoreError;

/// The session is not there: it ended, or the broker was started again.
pub(crate) const UNKNOWN_SESSION: &str = "UNKNOWN_SESSION";
/// The number of the call is neither the last one nor the next.
pub(crate) const OUT_OF_TURN: &str = "OUT_OF_TURN";
/// There are as many sessions as there may be.
pub(crate) const TOO_MANY_SESSIONS: &str = "TOO_MANY_SESSIONS";

/// The longest value that is told, in bytes: errors travel in headers.
const LONGEST: usize = 512;

/// What a caller is told.
pub(crate) fn public(error: Error) -> Public {
    let reason = match &error {
        Error::UnknownTopic { topic } => Reason::new("UNKNOWN_TOPIC").with("topic", short(topic)),
        Error::UnknownGroup { topic, group } => Reason::new("UNKNOWN_GROUP")
            .with("topic", short(topic))
            .with("group", short(group)),
        Error::TooLarge { what, size, limit } => Reason::new("TOO_LARGE")
            .with("what", what)
            .with("size", size)
            .with("limit", limit),
        Error::TooMany {
            count,
            bytes,
            most,
            most_bytes,
        } => Reason::new("TOO_MANY")
            .with("count", count)
            .with("bytes", bytes)
            .with("most", most)
            .with("most_bytes", most_bytes),
        Error::Invalid { field, value, cure } => Reason::new("INVALID")
            .with("field", field)
            .with("value", short(value))
            .with("cure", cure),
        Error::Partitions { topic, has, wanted } => Reason::new("PARTITIONS")
            .with("topic", short(topic))
            .with("has", has)
            .with("wanted", wanted),
        Error::Lacking {
            engine,
            promise,
            cure,
        } => Reason::new("LACKING")
            .with("engine", engine)
            .with("promise", short(promise))
            .with("cure", cure),
        Error::NoLetter { id } => Reason::new("NO_LETTER").with("id", short(id)),
        Error::Letter { id, problem } => Reason::new("LETTER")
            .with("id", short(id))
            .with("problem", problem),
        Error::Orphan { id, topic, group } => Reason::new("ORPHAN")
            .with("id", short(id))
            .with("topic", short(topic))
            .with("group", short(group)),
        Error::Occupied {
            topic,
            group,
            members,
        } => Reason::new("OCCUPIED")
            .with("topic", short(topic))
            .with("group", short(group))
            .with("members", members),
        Error::Busy { waiting } => Reason::new("BUSY").with("waiting", waiting),
        Error::Crowded { what, most } => {
            Reason::new("CROWDED").with("what", what).with("most", most)
        }
        Error::Late => Reason::new("LATE"),
        Error::Closed => Reason::new("CLOSED"),
        Error::Damaged { what } => Reason::new("DAMAGED").with("what", short(what)),
        Error::Unknown { .. } => Reason::new("UNKNOWN"),
        // Nothing happened, whatever it was.
        _ => Reason::new("FAILED"),
    };
    Public::from(error).with_reason(reason)
}

fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Nothing changes.
    ToKnow,
    /// Something changes.
    ToChange,
}

/// What the failure of a call to a broker means.
pub(crate) fn of_call(error: &Public, asks: Asks) -> Error {
    if asks == Asks::ToChange && is_in_doubt(error) {
        return Error::Unknown {
            source: Some(StoreError::unavailable(chain(error))),
        };
    }
    if let Some(said) = error.reason().and_then(|reason| said(reason, error)) {
        return said;
    }
    if !was_made(error) {
        return Error::Away {
            why: error.message().to_owned(),
        };
    }
    match (error.code(), asks) {
        (
            code @ (Code::InvalidArgument
            | Code::OutOfRange
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
            | Code::ResourceExhausted
            | Code::FailedPrecondition),
            _,
        ) => Error::Refused {
            code,
            why: error.message().to_owned(),
        },
        (_, Asks::ToKnow) => Error::Away { why: chain(error) },
        (_, Asks::ToChange) => Error::Unknown {
            source: Some(StoreError::unavailable(chain(error))),
        },
    }
}

/// What the broker itself said.
fn said(reason: &Reason, error: &Public) -> Option<Error> {
    let text = |name: &str| reason.get(name).unwrap_or_default().to_owned();
    let word = |name: &str| fixed(reason.get(name).unwrap_or_default());
    let number = |name: &str| -> usize { text(name).parse().unwrap_or_default() };
    let small = |name: &str| -> u32 { text(name).parse().unwrap_or_default() };
    Some(match reason.name.as_str() {
        "UNKNOWN_TOPIC" => Error::UnknownTopic {
            topic: text("topic"),
        },
        "UNKNOWN_GROUP" => Error::UnknownGroup {
            topic: text("topic"),
            group: text("group"),
        },
        "TOO_LARGE" => Error::TooLarge {
            what: word("what"),
            size: number("size"),
            limit: number("limit"),
        },
        "TOO_MANY" => Error::TooMany {
            count: number("count"),
            bytes: number("bytes"),
            most: number("most"),
            most_bytes: number("most_bytes"),
        },
        "INVALID" => Error::Invalid {
            field: word("field"),
            value: text("value"),
            cure: word("cure"),
        },
        "PARTITIONS" => Error::Partitions {
            topic: text("topic"),
            has: small("has"),
            wanted: small("wanted"),
        },
        "LACKING" => Error::Lacking {
            engine: word("engine"),
            promise: text("promise"),
            cure: word("cure"),
        },
        "NO_LETTER" => Error::NoLetter { id: text("id") },
        "LETTER" => Error::Letter {
            id: text("id"),
            problem: word("problem"),
        },
        "ORPHAN" => Error::Orphan {
            id: text("id"),
            topic: text("topic"),
            group: text("group"),
        },
        "OCCUPIED" => Error::Occupied {
            topic: text("topic"),
            group: text("group"),
            members: number("members"),
        },
        "BUSY" => Error::Busy {
            waiting: number("waiting"),
        },
        "CROWDED" => Error::Crowded {
            what: word("what"),
            most: number("most"),
        },
        "LATE" => Error::Late,
        "CLOSED" | UNKNOWN_SESSION => Error::Closed,
        "DAMAGED" => Error::Damaged { what: text("what") },
        "FAILED" => Error::Failed {
            source: StoreError::unavailable(format!("the broker says: {error}")),
        },
        "UNKNOWN" => Error::Unknown {
            source: Some(StoreError::unavailable(format!("the broker says: {error}"))),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Error> {
        vec![
            Error::UnknownTopic { topic: "t".into() },
            Error::UnknownGroup {
                topic: "t".into(),
                group: "g".into(),
            },
            Error::TooLarge {
                what: "payload",
                size: 3,
                limit: 2,
            },
            Error::TooMany {
                count: 1,
                bytes: 2,
                most: 3,
                most_bytes: 4,
            },
            Error::Invalid {
                field: "partitions",
                value: "0".into(),
                cure: "take 1 to 1,024",
            },
            Error::Partitions {
                topic: "t".into(),
                has: 2,
                wanted: 3,
            },
            Error::Lacking {
                engine: "embedded",
                promise: "replicated".into(),
                cure: "another",
            },
            Error::NoLetter {
                id: "t.g.dlq/0/1".into(),
            },
            Error::Letter {
                id: "t.g.dlq/0/1".into(),
                problem: "was sent again",
            },
            Error::Orphan {
                id: "t.g.dlq/0/1".into(),
                topic: "t".into(),
                group: "g".into(),
            },
            Error::Occupied {
                topic: "t".into(),
                group: "g".into(),
                members: 2,
            },
            Error::Busy { waiting: 17 },
            Error::Crowded {
                what: "queues in use",
                most: 4,
            },
            Error::Late,
            Error::Closed,
            Error::Damaged { what: "it".into() },
        ]
    }

    #[test]
    fn a_failure_comes_back_as_what_it_was() {
        for error in all() {
            for asks in [Asks::ToKnow, Asks::ToChange] {
                let back = of_call(&public(error.clone()), asks);
                assert_eq!(format!("{back:?}"), format!("{error:?}"));
            }
        }
        let source = || StoreError::unavailable("the disk is gone");
        let unknown = Error::Unknown {
            source: Some(source()),
        };
        assert!(of_call(&public(unknown), Asks::ToChange).may_have_happened());
        let failed = Error::Failed { source: source() };
        let told = public(failed);
        assert!(!told.message().contains("the disk"), "causes stay behind");
        assert!(!of_call(&told, Asks::ToChange).may_have_happened());
    }

    #[test]
    fn a_lost_answer_is_unknown_to_whoever_changes_something() {
        let lost = Public::unavailable("the connection to broker broke");
        assert!(of_call(&lost, Asks::ToChange).may_have_happened());
        assert!(matches!(of_call(&lost, Asks::ToKnow), Error::Away { .. }));
        let refused = Public::permission_denied("no");
        assert!(matches!(
            of_call(&refused, Asks::ToChange),
            Error::Refused {
                code: Code::PermissionDenied,
                ..
            }
        ));
    }

    #[test]
    fn what_is_told_is_short() {
        let told = public(Error::UnknownTopic {
            topic: "ü".repeat(4096),
        });
        let topic = told.reason().and_then(|reason| reason.get("topic"));
        assert!(topic.is_some_and(|topic| topic.len() <= LONGEST));
    }
}
