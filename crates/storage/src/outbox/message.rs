//! What is sent.

use crate::{StoreError, names};

/// The most bytes of a payload: 512 KiB.
pub const MAX_PAYLOAD: usize = 512 * 1024;
/// The most bytes of a topic's name.
pub const MAX_TOPIC: usize = 255;
/// The most bytes of an id.
pub const MAX_ID: usize = 255;
/// The most bytes of a key.
pub const MAX_KEY: usize = 512;
/// The most bytes that all messages of one write take in memory: 16 MiB.
pub const MAX_WRITE: usize = 16 * 1024 * 1024;

/// A message, as the outbox keeps it: what is in it is its sender's and its reader's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it goes.
    pub topic: String,
    /// The same whenever this message is sent again: brokers and inboxes know it by that.
    pub id: String,
    /// Messages of one key stay in order. Those without one are in no order that anybody may rely
    /// on.
    pub key: Option<String>,
    /// Its content, at most [`MAX_PAYLOAD`] bytes.
    pub payload: Vec<u8>,
}

impl Message {
    /// A message without a key.
    pub fn new(
        topic: impl Into<String>,
        id: impl Into<String>,
        payload: impl Into<Vec<u8>>,
    ) -> Self {
        Message {
            topic: topic.into(),
            id: id.into(),
            key: None,
            payload: payload.into(),
        }
    }

    /// The message under this key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// What keeps it out of an outbox, if anything does.
    ///
    /// # Errors
    /// [`StoreError::Field`]: a topic, id or key that is empty, too long or holds U+0000, or a
    /// payload of more than [`MAX_PAYLOAD`] bytes.
    pub fn check(&self) -> Result<(), StoreError> {
        names::check("the message's topic", &self.topic, MAX_TOPIC)?;
        names::check("the message's id", &self.id, MAX_ID)?;
        if let Some(key) = &self.key {
            names::check("the message's key", key, MAX_KEY)?;
        }
        if self.payload.len() > MAX_PAYLOAD {
            return Err(StoreError::Field {
                field: "the message's payload".to_owned(),
                problem: format!(
                    "is {} bytes long, {MAX_PAYLOAD} is the most: keep what is large elsewhere and send where it is",
                    self.payload.len()
                ),
            });
        }
        Ok(())
    }
}
