//! How publishing and reading fail, and what of it a caller may see.

use backlot_core::Code;
use backlot_storage::StoreError;

/// How an engine failed. For each kind it is said whether something can have happened.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody made this topic; nothing happened.
    #[error("there is no topic {topic:?}: make it first, or correct its name")]
    UnknownTopic {
        /// The name.
        topic: String,
    },
    /// Nobody has read this topic for this group yet; nothing happened.
    #[error(
        "there is no group {group:?} on topic {topic:?}: it begins when its first member attaches"
    )]
    UnknownGroup {
        /// The topic's name.
        topic: String,
        /// The group's name.
        group: String,
    },
    /// Something is larger than every engine takes; nothing happened.
    #[error(
        "{what} has {size} bytes, the limit is {limit}: keep large things elsewhere and send their place"
    )]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// Its bytes.
        size: usize,
        /// The most bytes it may have.
        limit: usize,
    },
    /// More messages in one call than one commit takes; nothing happened.
    #[error(
        "{count} messages of {bytes} bytes are too many for one call, the limits are {most} and {most_bytes}: publish them in several"
    )]
    TooMany {
        /// How many.
        count: usize,
        /// Their bytes.
        bytes: usize,
        /// The most.
        most: usize,
        /// The most bytes.
        most_bytes: usize,
    },
    /// A value that cannot be; nothing happened.
    #[error("{field}: {value:?} cannot be: {cure}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What would be right.
        cure: &'static str,
    },
    /// A topic is there already and differs in what cannot change; nothing happened.
    #[error(
        "topic {topic:?} has {has} partitions, not {wanted}: keys would move; make a new topic and move over"
    )]
    Partitions {
        /// The topic's name.
        topic: String,
        /// How many it has.
        has: u32,
        /// How many were asked for.
        wanted: u32,
    },
    /// The engine does not promise what a subscription asks for.
    #[error("the engine {engine} cannot keep {promise}: {cure}")]
    Lacking {
        /// The engine's name.
        engine: &'static str,
        /// What was asked for.
        promise: String,
        /// What to do.
        cure: &'static str,
    },
    /// There is no dead letter of this name; nothing happened.
    #[error("there is no dead letter {id:?}: it may be purged, or older than its topic keeps")]
    NoLetter {
        /// Its name.
        id: String,
    },
    /// A dead letter is not in the state this needs; nothing happened.
    #[error("the dead letter {id:?} {problem}")]
    Letter {
        /// Its name.
        id: String,
        /// What is wrong with it, and what to do.
        problem: &'static str,
    },
    /// Nobody would read a dead letter that is sent again; nothing was sent.
    #[error(
        "the dead letter {id:?} cannot be sent again: there is no group {group:?} on topic {topic:?} any more; start the group first, or purge the letter"
    )]
    Orphan {
        /// Its name.
        id: String,
        /// The topic it came from.
        topic: String,
        /// The group it failed in.
        group: String,
    },
    /// A group has members; nothing happened.
    #[error("group {group:?} of topic {topic:?} has {members} members: close them first")]
    Occupied {
        /// The topic's name.
        topic: String,
        /// The group's name.
        group: String,
        /// How many members it has.
        members: usize,
    },
    /// Too much waits to be published already; nothing happened.
    #[error("{waiting} messages wait to be published already: try again later")]
    Busy {
        /// How many; one larger than a KiB counts as several.
        waiting: usize,
    },
    /// As many of something are in use as may be; nothing happened.
    #[error("there are {most} {what}, and no more may be: try again later, or with fewer")]
    Crowded {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// The deadline passed before it began; nothing happened.
    #[error("the deadline passed before it began")]
    Late,
    /// The engine is closed or closing; nothing happened.
    #[error("the engine is closed")]
    Closed,
    /// The broker, which another process is, cannot be reached; nothing happened.
    #[error("the broker is away: {why}")]
    Away {
        /// What was found out.
        why: String,
    },
    /// The broker refuses the call, whatever it asks for; nothing happened.
    #[error("the broker refuses: {why}")]
    Refused {
        /// As it says.
        code: Code,
        /// What it says.
        why: String,
    },
    /// Stored data is damaged.
    #[error("{what} is damaged")]
    Damaged {
        /// What.
        what: String,
    },
    /// The store failed, and nothing happened.
    #[error("nothing happened: the store failed")]
    Failed {
        /// How.
        #[source]
        source: StoreError,
    },
    /// Whether it happened is unknown: to publish again, use the same id and ask for deduplication.
    #[error("whether it happened is unknown")]
    Unknown {
        /// How the store failed, if it was the store.
        #[source]
        source: Option<StoreError>,
    },
}

impl Error {
    /// Whether what was asked for can have happened all the same.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Error::Unknown { .. })
    }

    /// What a failed write means: whether it can have happened.
    #[must_use]
    pub fn of_write(error: StoreError) -> Self {
        match error {
            StoreError::Full { waiting } => Error::Busy { waiting },
            StoreError::Closed => Error::Closed,
            StoreError::Late { .. } => Error::Late,
            source @ (StoreError::TimedOut { .. }
            | StoreError::Unavailable { .. }
            | StoreError::Lost { .. }
            | StoreError::Damaged { .. }) => Error::Unknown {
                source: Some(source),
            },
            source => Error::Failed { source },
        }
    }

    /// What a failed read means: nothing happened.
    #[must_use]
    pub fn of_read(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Error::Closed,
            StoreError::Late { .. } => Error::Late,
            source => Error::Failed { source },
        }
    }

    /// The code a caller sees.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Error::UnknownTopic { .. } | Error::UnknownGroup { .. } | Error::NoLetter { .. } => {
                Code::NotFound
            }
            Error::TooLarge { .. } | Error::TooMany { .. } | Error::Invalid { .. } => {
                Code::InvalidArgument
            }
            Error::Partitions { .. }
            | Error::Lacking { .. }
            | Error::Letter { .. }
            | Error::Orphan { .. }
            | Error::Occupied { .. } => Code::FailedPrecondition,
            Error::Busy { .. } | Error::Closed | Error::Away { .. } => Code::Unavailable,
            Error::Crowded { .. } => Code::ResourceExhausted,
            Error::Refused { code, .. } => *code,
            Error::Late => Code::DeadlineExceeded,
            Error::Damaged { .. } => Code::DataLoss,
            Error::Failed { source }
            | Error::Unknown {
                source: Some(source),
            } => source.code(),
            Error::Unknown { source: None } => Code::Unavailable,
        }
    }
}

impl From<Error> for backlot_core::Error {
    /// The code and this level's text; the cause is for the log.
    fn from(error: Error) -> Self {
        backlot_core::Error::new(error.code(), error.to_string()).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlot_storage::backend::Mode;

    #[test]
    fn a_failed_write_says_whether_it_can_have_happened() {
        let mode = Mode::Write;
        for (error, may_have_happened) in [
            (StoreError::TimedOut { mode }, true),
            (StoreError::unavailable("the disk is gone"), true),
            (StoreError::Late { mode }, false),
            (StoreError::Full { waiting: 3 }, false),
            (StoreError::Closed, false),
            (StoreError::sql("no such table"), false),
        ] {
            let said = Error::of_write(error.clone());
            assert_eq!(said.may_have_happened(), may_have_happened, "{error}");
        }
    }

    #[test]
    fn a_callers_mistake_is_never_internal() {
        let unknown = Error::UnknownTopic {
            topic: "ratigns".into(),
        };
        let public = backlot_core::Error::from(unknown);
        assert_eq!(public.code(), Code::NotFound);
        assert!(public.message().contains("ratigns"), "{public}");
    }
}
