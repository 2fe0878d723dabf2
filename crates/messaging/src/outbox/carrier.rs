//! Carries rows of an outbox to an engine.

use super::form;
use crate::engine::{Engine, Outgoing, TopicSpec};
use crate::{Error, Event, Record};
use backlot_core::{Clock, Context};
use backlot_storage::outbox::{Batch, Forward, Message};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The topic of rows that no engine takes.
pub const DEAD: &str = "outbox.dlq";

/// Publishes what a relay hands it: in order, each id once. What the engine will never take, and
/// what cannot be read, goes to the topic [`DEAD`] instead, as the row's bytes with the headers of a
/// dead letter, so that nothing behind it waits for ever. It is logged at `error`.
#[derive(Debug)]
pub struct Carrier {
    engine: Arc<dyn Engine>,
    clock: Clock,
    topics: BTreeMap<&'static str, u32>,
}

impl Carrier {
    /// A carrier to this engine. Topics that are not there are waited for, unless they are
    /// [named](Carrier::topic).
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, clock: Clock) -> Self {
        Carrier {
            engine,
            clock,
            topics: BTreeMap::from([(DEAD, 1)]),
        }
    }

    /// Makes the topic of these events when it is not there.
    #[must_use]
    pub fn topic<E: Event>(mut self) -> Self {
        self.topics.insert(E::TOPIC, E::PARTITIONS);
        self
    }

    /// Publishes all of it; what is never taken is found by halving.
    async fn publish(&self, cx: &Context, outgoing: Vec<Carried>) -> Result<(), Error> {
        let mut parts = vec![outgoing];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let all = part.iter().map(|carried| carried.outgoing.clone());
            let error = match self.append(cx, all.collect()).await {
                Ok(()) => continue,
                Err(error) => error,
            };
            let is_never = matches!(
                error,
                Error::TooLarge { .. } | Error::TooMany { .. } | Error::Invalid { .. }
            );
            let is_letter = part.iter().all(|carried| carried.row.is_none());
            match part.len() {
                _ if !is_never => return Err(error),
                1 if is_letter => return Err(error),
                1 => parts.push(
                    part.into_iter()
                        .map(|carried| self.bury(carried, "permanent", &error.to_string()))
                        .collect(),
                ),
                count => {
                    let mut first = part;
                    let second = first.split_off(count / 2);
                    // The first half goes first: nothing passes what came before it.
                    parts.extend([second, first]);
                }
            }
        }
        Ok(())
    }

    async fn append(&self, cx: &Context, outgoing: Vec<Outgoing>) -> Result<(), Error> {
        loop {
            let missing = match self.engine.append(cx, outgoing.clone()).await {
                Err(Error::UnknownTopic { topic }) => topic,
                done => return done.map(drop),
            };
            let Some(partitions) = self.topics.get(&*missing) else {
                return Err(Error::UnknownTopic { topic: missing });
            };
            let spec = TopicSpec::new(missing, *partitions);
            self.engine.ensure(cx, &spec).await?;
        }
    }

    fn read(&self, message: Message) -> Carried {
        let Message {
            topic, id, payload, ..
        } = &message;
        match form::read(topic, id, payload) {
            Ok((record, due)) => Carried {
                outgoing: Outgoing {
                    due,
                    ..Outgoing::new(topic.as_str(), record).deduplicated()
                },
                row: Some(message),
            },
            Err(problem) => {
                let unread = Carried {
                    outgoing: Outgoing::new("", Record::bare("", "", "")),
                    row: Some(message),
                };
                self.bury(unread, "undecodable", problem)
            }
        }
    }

    /// The letter that is published in place of a row.
    fn bury(&self, carried: Carried, class: &str, problem: &str) -> Carried {
        let Some(row) = carried.row else {
            return carried;
        };
        tracing::error!(
            topic = row.topic,
            id = row.id,
            class,
            problem,
            "a row of the outbox can never be published, and goes to the dead letters"
        );
        let now = self.clock.wall();
        let errors = serde_json::json!([
            {"at": now.0, "class": class, "code": "INVALID_ARGUMENT", "message": problem}
        ]);
        let time = backlot_core::Timestamp(now.0.max(0));
        let mut record = Record::new(row.id, "backlot.outbox-row", "outbox", row.payload)
            .with_time(time)
            .with_header("dlq-class", class)
            .with_header("dlq-topic", row.topic)
            .with_header("dlq-errors", errors.to_string());
        record.key = row.key;
        Carried {
            outgoing: Outgoing::new(DEAD, record).deduplicated(),
            row: None,
        }
    }
}

/// A row on its way.
struct Carried {
    outgoing: Outgoing,
    /// What it was made of, unless it is a letter.
    row: Option<Message>,
}

impl Forward for Carrier {
    async fn forward(&self, cx: &Context, batch: Batch) -> Result<(), backlot_core::Error> {
        let rows = batch.messages.into_iter();
        let outgoing: Vec<Carried> = rows.map(|message| self.read(message)).collect();
        Ok(self.publish(cx, outgoing).await?)
    }
}
