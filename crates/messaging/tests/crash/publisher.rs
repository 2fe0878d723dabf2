//! Publishes, and says what it was told.

use crate::journal::Journal;
use crate::system::{Break, Parts, cx};
use crate::traffic::{Fate, Message};
use backlot_messaging::engine::{Engine, Receipt};
use std::time::Duration;

/// How many publishers there are.
pub(crate) const PUBLISHERS: u64 = 2;
/// After a failure; the next may fail as well.
const PAUSE: Duration = Duration::from_millis(5);

/// Publishes so many messages, in calls of one to four.
pub(crate) async fn publish(parts: Parts, run: u64, publisher: u64, count: u64) {
    let mut number = 0;
    while number < count {
        let together = 1 + (number + publisher) % 4;
        let messages = number..(number + together).min(count);
        let messages: Vec<Message> = messages
            .map(|number| Message::new(run, publisher, number))
            .collect();
        number += together;
        if let Ok(places) = parts.ahead.acquire_many(messages.len() as u32).await {
            places.forget();
        }
        send(&parts, &messages).await;
        let again = messages.iter();
        let again: Vec<Message> = again
            .filter(|message| Fate::of(&message.id) == Fate::Twice)
            .cloned()
            .collect();
        if !again.is_empty() {
            send(&parts, &again).await;
        }
    }
}

async fn send(parts: &Parts, messages: &[Message]) {
    let journal: &Journal = &parts.journal;
    for message in messages {
        journal.line(&message.line());
    }
    let clock = &parts.env.clock;
    let outgoing = messages.iter().map(|message| message.outgoing(clock));
    let outgoing = outgoing.collect();
    if parts.broken == Some(Break::AcknowledgeEarly) {
        messages
            .iter()
            .for_each(|message| journal.line(&format!("ok {}", message.id)));
    }
    journal.step("publish");
    match parts.engine.append(&cx(), outgoing).await {
        Ok(receipts) => {
            journal.step("published");
            for (message, receipt) in messages.iter().zip(receipts) {
                match receipt {
                    Receipt::Stored(at) => {
                        let (part, offset) = (at.partition, at.offset);
                        journal.line(&format!("ok {} {part} {offset}", message.id));
                    }
                    Receipt::Scheduled | Receipt::Duplicate => {
                        journal.line(&format!("ok {}", message.id));
                    }
                }
            }
        }
        Err(error) => {
            let word = match error.may_have_happened() {
                true => "unknown",
                false => "fail",
            };
            journal.line(&format!("# {}", backlot_core::error::chain(&error)));
            for message in messages {
                journal.line(&format!("{word} {}", message.id));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
