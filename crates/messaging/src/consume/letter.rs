//! Dead letters: the message as it was, with headers that say why and how often it was tried.

use super::failure::Class;
use crate::engine::{Delivery, Outgoing};
use crate::record::{Headers, MAX_HEADERS};
use backlot_core::Timestamp;
use serde_json::json;

/// Who gives a message up.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    /// The topic whose dead letters these are.
    pub(super) topic: String,
    /// Where it reads: the same, or the group's retry topic.
    pub(super) reads: String,
    pub(super) group: String,
    pub(super) service: &'static str,
}

/// The topic of a group's dead letters.
pub(super) fn dead(topic: &str, group: &str) -> String {
    format!("{topic}.{group}.dlq")
}

/// The topic of what is to be tried anew by a group.
pub(crate) fn retry(topic: &str, group: &str) -> String {
    format!("{topic}.{group}.retry")
}

/// The letter of a message.
pub(super) fn of(reader: &Reader, delivery: &Delivery, class: Class, now: Timestamp) -> Outgoing {
    let Delivery {
        token,
        starts,
        attempts,
        failures,
        record,
        ..
    } = delivery;
    let time = |failure: Option<&crate::engine::Failure>| failure.map_or(now.0, |it| it.at_ms);
    let mut headers = vec![
        ("dlq-class", class.name().to_owned()),
        ("dlq-tries", attempts.to_string()),
        ("dlq-starts", starts.to_string()),
        ("dlq-group", reader.group.clone()),
        ("dlq-service", reader.service.to_owned()),
        ("dlq-first-at", time(failures.first()).to_string()),
        ("dlq-last-at", time(failures.last()).to_string()),
    ];
    // What was redriven still says where it came from.
    let was = |name: &str| record.headers.get(name).map(str::to_owned);
    let origin = [
        ("dlq-topic", reader.reads.clone()),
        ("dlq-partition", token.partition.to_string()),
        ("dlq-offset", token.offset.to_string()),
        ("dlq-redrives", "0".to_owned()),
    ];
    for (name, here) in origin {
        headers.push((name, was(name).unwrap_or(here)));
    }
    let errors: Vec<_> = failures
        .iter()
        .map(|failure| {
            let (class, code) = failure
                .class
                .split_once(':')
                .unwrap_or((&failure.class, ""));
            json!({"at": failure.at_ms, "class": class, "code": code, "message": failure.message})
        })
        .collect();
    headers.push(("dlq-errors", fitting(errors)));
    let mut letter = record.clone();
    for (name, value) in headers {
        let before = letter.headers.clone();
        letter.headers.set(name, value);
        if size(&letter.headers) > MAX_HEADERS {
            // Its own headers stay whole; of what was to be added the first says the most.
            letter.headers = before;
        }
    }
    Outgoing::new(dead(&reader.topic, &reader.group), letter)
}

/// The first and the latest errors, as many as fit.
fn fitting(mut errors: Vec<serde_json::Value>) -> String {
    const MOST: usize = 6 * 1024;
    loop {
        let text = serde_json::Value::from(errors.clone()).to_string();
        if text.len() <= MOST || errors.len() < 2 {
            return text;
        }
        errors.remove(1.min(errors.len() - 1));
    }
}

fn size(headers: &Headers) -> usize {
    let sizes = headers.iter().map(|(name, value)| name.len() + value.len());
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;
    use crate::engine::{Failure, Token};

    fn delivery(record: Record) -> Delivery {
        let failure = |at_ms| Failure {
            at_ms,
            class: "transient:UNAVAILABLE".into(),
            message: "x".repeat(1000),
        };
        Delivery {
            token: Token {
                partition: 3,
                offset: 17,
                epoch: 1,
            },
            stored: Timestamp(0),
            starts: 1,
            attempts: 12,
            failures: (1..=10).map(failure).collect(),
            record,
        }
    }

    fn reader() -> Reader {
        Reader {
            topic: "orders".into(),
            reads: "orders".into(),
            group: "billing".into(),
            service: "shop",
        }
    }

    #[test]
    fn a_letter_is_the_message_and_says_what_happened() {
        let record = Record::new("1", "Ordered", "shop", "{}").with_header("own", "kept");
        let of = of(
            &reader(),
            &delivery(record),
            Class::Exhausted,
            Timestamp(99),
        );
        assert_eq!(&*of.topic, "orders.billing.dlq");
        of.record.check().unwrap();
        let header = |name| of.record.headers.get(name).unwrap();
        assert_eq!(header("own"), "kept");
        assert_eq!(
            (header("dlq-class"), header("dlq-tries")),
            ("exhausted", "12")
        );
        assert_eq!((header("dlq-partition"), header("dlq-offset")), ("3", "17"));
        assert_eq!((header("dlq-first-at"), header("dlq-last-at")), ("1", "10"));
        let errors: Vec<serde_json::Value> = serde_json::from_str(header("dlq-errors")).unwrap();
        assert_eq!(errors[0]["at"], 1, "the first says how it began");
        assert_eq!(errors[errors.len() - 1]["at"], 10, "the last how it stands");
        assert_eq!(
            (&errors[0]["class"], &errors[0]["code"]),
            (&json!("transient"), &json!("UNAVAILABLE"))
        );
    }

    #[test]
    fn a_letter_always_fits() {
        let record = Record::new("1", "Ordered", "shop", "{}")
            .with_header("own", "x".repeat(MAX_HEADERS - 40));
        let of = of(
            &reader(),
            &delivery(record),
            Class::Exhausted,
            Timestamp(99),
        );
        of.record.check().unwrap();
        assert_eq!(of.record.headers.get("dlq-class"), Some("exhausted"));
        assert_eq!(of.record.headers.get("dlq-errors"), None);
    }

    #[test]
    fn what_was_redriven_still_says_where_it_came_from() {
        let record = Record::new("1", "Ordered", "shop", "{}")
            .with_header("dlq-topic", "orders")
            .with_header("dlq-offset", "5")
            .with_header("dlq-redrives", "2");
        let reader = Reader {
            reads: "orders.billing.retry".into(),
            ..reader()
        };
        let of = of(&reader, &delivery(record), Class::Permanent, Timestamp(99));
        let header = |name| of.record.headers.get(name).unwrap();
        assert_eq!(&*of.topic, "orders.billing.dlq");
        assert_eq!(
            (
                header("dlq-topic"),
                header("dlq-offset"),
                header("dlq-redrives")
            ),
            ("orders", "5", "2")
        );
    }
}
