//! What ratings of records come to now.

use super::stars;
use backlot::messaging::event::Event;
use serde::{Deserialize, Serialize};

/// The most records of one event: with the longest ids there are it stays below the limit of a
/// payload, which is 512 KiB.
pub const MAX_CHANGES: usize = 800;

/// Aggregates that changed in one commit. Versions tell which of two is newer, in whatever order
/// they come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RatingsChanged {
    /// What kind of things the records are, for example `movie`.
    pub record_type: String,
    /// At most [`MAX_CHANGES`].
    pub changes: Vec<RecordChange>,
    /// Who did it, if it was one write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The rating it left, in stars; nothing when it was taken back, or when this is many writes.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "stars::serialize"
    )]
    pub value: Option<f64>,
}

/// All ratings of one record in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordChange {
    /// The record.
    pub record_id: String,
    /// How many ratings it has.
    pub count: u32,
    /// Their sum, in half stars.
    pub sum: u64,
    /// How many of 1, 2, ... 10 half stars.
    pub histogram: [u32; 10],
    /// One more with each change of this record.
    pub version: u32,
    /// When it changed, in milliseconds since 1970 UTC.
    pub changed_at: i64,
}

impl RatingsChanged {
    /// What one user's write did; `half_stars` is nothing when it took the rating back.
    pub fn by(
        user_id: impl Into<String>,
        half_stars: Option<u8>,
        record_type: impl Into<String>,
        change: RecordChange,
    ) -> Self {
        RatingsChanged {
            record_type: record_type.into(),
            changes: vec![change],
            user_id: Some(user_id.into()),
            value: half_stars.map(stars::of),
        }
    }

    /// What many writes did to records of one kind, in as many events as it takes.
    pub fn of_many<'c>(
        record_type: &'c str,
        changes: impl IntoIterator<Item = RecordChange> + 'c,
    ) -> impl Iterator<Item = RatingsChanged> + 'c {
        let mut changes = changes.into_iter();
        std::iter::from_fn(move || {
            let changes: Vec<_> = changes.by_ref().take(MAX_CHANGES).collect();
            (!changes.is_empty()).then(|| RatingsChanged {
                record_type: record_type.to_owned(),
                changes,
                user_id: None,
                value: None,
            })
        })
    }
}

impl Event for RatingsChanged {
    const NAME: &'static str = "RatingsChanged";
    const TOPIC: &'static str = "rating-changes";
    const PARTITIONS: u32 = 4;
    const VERSION: u32 = 1;

    /// The record when it is one; many are in no order but that of their versions.
    fn key(&self) -> Option<String> {
        match &*self.changes {
            [one] => Some(key(&self.record_type, &one.record_id)),
            _ => None,
        }
    }
}

/// The key of a record's events.
pub(super) fn key(record_type: &str, record_id: &str) -> String {
    let mut key = String::with_capacity(record_type.len() + 1 + record_id.len());
    key.push_str(record_type);
    key.push('/');
    key.push_str(record_id);
    key
}
