//! Where what a service says comes from: a transaction can name its messages, so that nobody need
//! think of it where they are made.

use crate::StoreError;
use backlot_core::trace::TraceContext;
use backlot_core::{Clock, Dice, Timestamp};
use std::sync::Arc;

/// Who speaks through a store, and the dice its ids come from.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    pub(crate) source: Arc<str>,
    pub(crate) dice: Dice,
}

/// What an attempt at a transaction begins with.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) clock: Clock,
    pub(crate) speaker: Option<Speaker>,
    /// Of the context the write was made with.
    pub(crate) trace: TraceContext,
}

/// What one message made in a transaction is stamped with.
#[derive(Clone, Debug)]
pub struct Origin {
    /// A fresh one. An attempt that is repeated gets others; only those of the last are committed.
    pub id: String,
    /// Who says it, as the store was told.
    pub source: Arc<str>,
    /// The store's time.
    pub time: Timestamp,
    /// The trace of the context that the write was made with.
    pub trace: TraceContext,
}

impl Setting {
    pub(crate) fn origin(&self) -> Result<Origin, StoreError> {
        let speaker = self.speaker.as_ref().ok_or(StoreError::NoOrigin)?;
        Ok(Origin {
            id: speaker.dice.uuid(),
            source: Arc::clone(&speaker.source),
            time: self.clock.wall(),
            trace: self.trace,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite;
    use backlot_core::Context;

    async fn origins(seed: u64) -> Vec<String> {
        let store = sqlite::memory(&[], Clock::real()).unwrap();
        let store = store.originating("rating", Dice::seeded(seed));
        let trace = TraceContext {
            trace_id: 7,
            span_id: 8,
            sampled: true,
        };
        let cx = Context::background().with_trace(trace);
        let made: Result<Vec<Origin>, StoreError> = store
            .write(&cx, |tx| {
                Box::pin(async move { Ok(vec![tx.origin()?, tx.origin()?]) })
            })
            .await;
        let made = made.unwrap();
        assert!(
            made.iter()
                .all(|one| one.trace == trace && &*one.source == "rating")
        );
        made.into_iter().map(|one| one.id).collect()
    }

    #[tokio::test]
    async fn ids_are_fresh_and_the_same_for_the_same_seed() {
        let ids = origins(3).await;
        assert_ne!(ids[0], ids[1]);
        assert_eq!(origins(3).await, ids);
    }

    #[tokio::test]
    async fn a_store_that_was_not_told_says_so() {
        let store = sqlite::memory(&[], Clock::real()).unwrap();
        let made: Result<Origin, StoreError> = store
            .write(&Context::background(), |tx| {
                Box::pin(async move { tx.origin() })
            })
            .await;
        let text = made.unwrap_err().to_string();
        assert!(text.contains("Store::originating"), "{text}");
    }
}
