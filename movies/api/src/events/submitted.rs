//! Somebody rates a record, or takes the rating back.

use super::stars;
use backlot::messaging::event::{Event, Upcaster};
use backlot::{Error, Timestamp};
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::fmt;

/// The latest time a rating can have, in milliseconds: the end of the year 9999.
const LATEST: i64 = 253_402_300_799_999;

/// A rating given or taken back, as it is published. What it says is checked by
/// [`submitted`](RatingSubmitted::submitted), so that a wrong one is refused with the name of what
/// is wrong.
///
/// ```
/// use backlot::messaging::{Record, event};
/// use movies_api::events::RatingSubmitted;
///
/// // A body alone, as the books publish it.
/// let record = Record::bare("1", "books", r#"{"userId":"105","recordId":"1","recordType":"movie",
///     "value":5,"providerId":"test-provider","eventType":"put"}"#);
/// let event: RatingSubmitted = event::decode(&record)?;
/// assert_eq!(event.submitted()?.half_stars, Some(10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RatingSubmitted {
    /// Who rates.
    pub user_id: String,
    /// What is rated.
    pub record_id: String,
    /// What kind of thing that is, for example `movie`.
    #[serde(deserialize_with = "kind")]
    pub record_type: Cow<'static, str>,
    /// In stars, 0.5 to 5 by halves; absent when the rating is taken back.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "stars::serialize"
    )]
    pub value: Option<f64>,
    /// Who publishes it, on behalf of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// What is done.
    pub event_type: EventType,
    /// When it was rated, in milliseconds since 1970 UTC; absent, the time of the event counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rated_at: Option<i64>,
}

/// What an event does to a rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    /// Rates, or replaces a rating.
    Put,
    /// Takes a rating back.
    Delete,
}

/// What a [`RatingSubmitted`] says, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submitted<'e> {
    /// Who rates: 1 to 64 characters.
    pub user_id: &'e str,
    /// What kind of thing is rated: 1 to 32 characters.
    pub record_type: &'e str,
    /// Which one: 1 to 64 characters.
    pub record_id: &'e str,
    /// 1 to 10; nothing when the rating is taken back.
    pub half_stars: Option<u8>,
    /// When; nothing for the time of the event.
    pub rated_at: Option<Timestamp>,
}

impl RatingSubmitted {
    /// A rating of `half_stars`, which should be 1 to 10, at the time of the event.
    pub fn put(
        user_id: impl Into<String>,
        record_type: impl Into<Cow<'static, str>>,
        record_id: impl Into<String>,
        half_stars: u8,
    ) -> Self {
        RatingSubmitted {
            value: Some(stars::of(half_stars)),
            event_type: EventType::Put,
            ..RatingSubmitted::delete(user_id, record_type, record_id)
        }
    }

    /// A rating taken back.
    pub fn delete(
        user_id: impl Into<String>,
        record_type: impl Into<Cow<'static, str>>,
        record_id: impl Into<String>,
    ) -> Self {
        RatingSubmitted {
            user_id: user_id.into(),
            record_id: record_id.into(),
            record_type: record_type.into(),
            value: None,
            provider_id: None,
            event_type: EventType::Delete,
            rated_at: None,
        }
    }

    /// What it says.
    ///
    /// # Errors
    /// [`InvalidArgument`](backlot::Code::InvalidArgument) naming the first field that is wrong:
    /// no later attempt will find it better.
    pub fn submitted(&self) -> Result<Submitted<'_>, Error> {
        text("userId", &self.user_id, 64)?;
        text("recordType", &self.record_type, 32)?;
        text("recordId", &self.record_id, 64)?;
        if let Some(provider) = &self.provider_id {
            text("providerId", provider, 64)?;
        }
        let half_stars = match (self.event_type, self.value) {
            (EventType::Put, Some(value)) => {
                Some(stars::half_stars(value).ok_or_else(|| {
                    wrong("value", &value, "must be 0.5 to 5 stars in steps of 0.5")
                })?)
            }
            (EventType::Put, None) => {
                return Err(wrong("value", &"nothing", "must be there for a put"));
            }
            (EventType::Delete, None) => None,
            (EventType::Delete, Some(value)) => {
                return Err(wrong("value", &value, "must be left out of a delete"));
            }
        };
        if let Some(at) = self.rated_at
            && !(1..=LATEST).contains(&at)
        {
            let cure = "must be milliseconds since 1970, up to the year 9999";
            return Err(wrong("ratedAt", &at, cure));
        }
        Ok(Submitted {
            user_id: &self.user_id,
            record_type: &self.record_type,
            record_id: &self.record_id,
            half_stars,
            rated_at: self.rated_at.map(Timestamp),
        })
    }
}

impl Event for RatingSubmitted {
    const NAME: &'static str = "RatingSubmitted";
    const TOPIC: &'static str = "ratings";
    // Batches of a partition share the pages they change; more would be smaller ones.
    const PARTITIONS: u32 = 8;
    const VERSION: u32 = 2;
    const UPCASTERS: &'static [Upcaster] = &[Upcaster {
        from: 1,
        up: whole_stars,
    }];
    const BARE: Option<u32> = Some(1);

    /// The record: what happens to one stays in order.
    fn key(&self) -> Option<String> {
        Some(super::changed::key(&self.record_type, &self.record_id))
    }
}

/// Version 1 is the body of the books: whole stars, which a delete has too (0, most often, and
/// meaning nothing).
fn whole_stars(mut body: serde_json::Value) -> Result<serde_json::Value, &'static str> {
    let event = body.as_object_mut().ok_or("the body is no object")?;
    if event.get("eventType").and_then(|kind| kind.as_str()) == Some("delete") {
        event.remove("value");
    } else if !event.get("value").is_some_and(|value| value.is_i64()) {
        return Err("value: must be whole stars, 1 to 5");
    }
    Ok(body)
}

fn text(field: &'static str, text: &str, longest: usize) -> Result<(), Error> {
    // As many bytes as characters at least: most need no counting.
    let fits = !text.is_empty() && (text.len() <= longest || text.chars().count() <= longest);
    if fits && !text.as_bytes().contains(&0) {
        return Ok(());
    }
    let start: String = text.chars().take(80).collect();
    let cure = format!("must be a text of 1 to {longest} characters without U+0000");
    Err(wrong(field, &start, &cure))
}

fn wrong(field: &'static str, value: &dyn fmt::Debug, cure: &str) -> Error {
    Error::invalid_argument(format!("{field} {value:?}: {cure}")).with_violation(field, cure)
}

/// The kind that nearly all have costs no memory of its own.
fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'static, str>, D::Error> {
    struct Kind;
    impl Visitor<'_> for Kind {
        type Value = Cow<'static, str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text as recordType")
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(match text {
                "movie" => Cow::Borrowed("movie"),
                other => Cow::Owned(other.to_owned()),
            })
        }
    }
    deserializer.deserialize_str(Kind)
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kind;
        impl Visitor<'_> for Kind {
            type Value = EventType;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"put\" or \"delete\" as eventType")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<EventType, E> {
                match text {
                    "put" => Ok(EventType::Put),
                    "delete" => Ok(EventType::Delete),
                    other => Err(E::invalid_value(Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_str(Kind)
    }
}
