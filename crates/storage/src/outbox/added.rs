//! The writer's side: what a transaction adds.

use super::message::{MAX_WRITE, Message};
use crate::{Param, Sql, StoreError, Tx, params, sql};
use backlot_core::Timestamp;

/// What a transaction has added so far.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    messages: Vec<Message>,
    bytes: usize,
}

impl Outgoing {
    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }
}

/// The messages of one transaction.
#[derive(Debug)]
pub struct Outbox<'t> {
    outgoing: &'t mut Outgoing,
}

impl<'t> Outbox<'t> {
    pub(crate) fn of(outgoing: &'t mut Outgoing) -> Self {
        Outbox { outgoing }
    }

    /// Adds a message. It is written at the end of the transaction, after everything its closure
    /// does, and leaves when that is committed; if it is not, nobody ever hears of it.
    ///
    /// # Errors
    /// [`StoreError::Field`] when the message does not fit ([`Message::check`]), or those of this
    /// write take more than [`MAX_WRITE`] bytes together. Let it fail, or leave the message out.
    pub fn add(&mut self, message: Message) -> Result<(), StoreError> {
        message.check()?;
        let together = self.outgoing.bytes + size(&message);
        if together > MAX_WRITE {
            return Err(StoreError::Field {
                field: "the write's messages".to_owned(),
                problem: format!(
                    "take {together} bytes together, {MAX_WRITE} is the most: send them in several writes"
                ),
            });
        }
        self.outgoing.bytes = together;
        self.outgoing.messages.push(message);
        Ok(())
    }

    /// How many were added so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outgoing.messages.len()
    }

    /// Whether none was added so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outgoing.messages.is_empty()
    }
}

/// What a message takes in memory until it is written.
fn size(message: &Message) -> usize {
    let names =
        message.topic.len() + message.id.len() + message.key.as_ref().map_or(0, String::len);
    message.payload.len() + names + size_of::<Message>()
}

/// Few texts, so that each is prepared once; many rows, so that a wire is crossed seldom.
macro_rules! rows {
    (1) => {
        "(?, ?, ?, ?, ?, ?)"
    };
    (8) => {
        concat!(
            rows!(1),
            ", ",
            rows!(1),
            ", ",
            rows!(1),
            ", ",
            rows!(1),
            ", ",
            rows!(1),
            ", ",
            rows!(1),
            ", ",
            rows!(1),
            ", ",
            rows!(1)
        )
    };
    (64) => {
        concat!(
            rows!(8),
            ", ",
            rows!(8),
            ", ",
            rows!(8),
            ", ",
            rows!(8),
            ", ",
            rows!(8),
            ", ",
            rows!(8),
            ", ",
            rows!(8),
            ", ",
            rows!(8)
        )
    };
}
macro_rules! insert {
    ($rows:tt) => {
        sql!(concat!(
            "INSERT INTO backlot_outbox (topic, message_id, message_key, at, size, payload) VALUES ",
            rows!($rows)
        ))
    };
}
const INSERT: [(usize, Sql); 3] = [(64, insert!(64)), (8, insert!(8)), (1, insert!(1))];
/// The most bytes of one statement; a server may refuse those of 16 MiB.
const STATEMENT: usize = 4 * 1024 * 1024;

/// Writes the messages in their order.
pub(crate) async fn write(tx: &mut Tx, messages: &[Message]) -> Result<(), StoreError> {
    let now = tx.now()?;
    let mut rest = messages;
    while !rest.is_empty() {
        let (count, sql) = fitting(rest);
        let (some, others) = rest.split_at(count);
        let params: Vec<Param<'_>> = some.iter().flat_map(|message| row(message, now)).collect();
        tx.execute(sql, params).await?;
        rest = others;
    }
    Ok(())
}

/// The statement that takes the most of what comes next.
fn fitting(rest: &[Message]) -> (usize, Sql) {
    let bytes = |count| -> usize { rest[..count].iter().map(|some| some.payload.len()).sum() };
    let fits = |count| count == 1 || (rest.len() >= count && bytes(count) <= STATEMENT);
    let found = INSERT.into_iter().find(|(count, _)| fits(*count));
    found.unwrap_or(INSERT[2])
}

fn row(message: &Message, now: Timestamp) -> [Param<'_>; 6] {
    params![
        &message.topic,
        &message.id,
        &message.key,
        now,
        message.payload.len() as i64,
        &message.payload
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_takes_as_many_as_fit() {
        let small = vec![Message::new("t", "i", ""); 100];
        assert_eq!(fitting(&small).0, 64);
        assert_eq!(fitting(&small[64..]).0, 8);
        assert_eq!(fitting(&small[97..]).0, 1);
        let large = vec![Message::new("t", "i", vec![0; 512 * 1024]); 64];
        assert_eq!(fitting(&large).0, 8);
        let text = INSERT[0].1.text(crate::Dialect::Sqlite);
        assert_eq!(text.matches('?').count(), 64 * 6);
    }
}
