//! The group `work`: one message after the other, each with its id in the inbox, an effect and a
//! message in the outbox, in one commit.

use crate::journal::Journal;
use crate::system::{Break, EFFECT, Parts, cx};
use crate::traffic::{DEAD, Fate, IN, OUT, WORK, is_right, record, soon};
use backlot_messaging::Error;
use backlot_messaging::engine::{Delivery, Failure, Input, Outgoing, Settle, Source, Token};
use backlot_storage::outbox::Message;
use backlot_storage::{StoreError, params};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(5);

/// Works until it is dropped.
pub(crate) async fn work(parts: Parts) {
    loop {
        if let Err(error) = serve(&parts).await {
            parts
                .journal
                .line(&format!("# {}", backlot_core::error::chain(&error)));
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn serve(parts: &Parts) -> Result<(), Error> {
    let mut source = parts.source(IN, WORK).await?;
    loop {
        match source.next(8).await? {
            Input::Deliveries(deliveries) => batch(parts, &mut *source, &deliveries).await?,
            Input::Skipped {
                partition,
                first,
                end,
                cause,
            } => {
                let line = format!("skip {WORK} {IN} {partition} {first} {end} {cause:?}");
                parts.journal.line(&line);
            }
            Input::Assigned(_) | Input::Revoked { .. } => {}
        }
    }
}

/// Says what was delivered.
pub(crate) fn say(journal: &Journal, group: &str, topic: &str, now: i64, delivery: &Delivery) {
    let Token {
        partition,
        offset,
        epoch,
    } = delivery.token;
    let (attempts, starts) = (delivery.attempts, delivery.starts);
    let id = &delivery.record.id;
    journal.line(&format!(
        "deliver {group} {topic} {partition} {offset} {epoch} {attempts} {starts} {now} {id}"
    ));
    if !is_right(delivery) {
        let at = delivery.token;
        journal.line(&format!("wrong {group} got {at:?} as {id}, and it is not"));
    }
}

async fn batch(
    parts: &Parts,
    source: &mut dyn Source,
    deliveries: &[Delivery],
) -> Result<(), Error> {
    let journal = &parts.journal;
    let now = parts.env.clock.wall().0;
    for delivery in deliveries {
        say(journal, WORK, IN, now, delivery);
    }
    journal.step("receive");
    if parts.broken == Some(Break::SettlePastHole) {
        let done = deliveries.iter();
        let done = done.map(|delivery| (delivery.token, Settle::Done));
        source.settle(done.collect()).await?;
    }
    let mut later = Vec::new();
    for (index, delivery) in deliveries.iter().enumerate() {
        let id = &delivery.record.id;
        let fate = Fate::of(id);
        let settle = match fate {
            Fate::Dead => {
                let letter = Outgoing::new(DEAD, record(id, "-"));
                Settle::Dead(Box::new(letter))
            }
            Fate::Again if delivery.attempts == 0 => {
                let at = soon(&parts.env.clock);
                let failure = Failure {
                    at_ms: now,
                    class: "transient".to_owned(),
                    message: "on purpose".to_owned(),
                };
                Settle::Retry {
                    at,
                    failure: Some(failure),
                }
            }
            _ => {
                effect(parts, delivery).await?;
                Settle::Done
            }
        };
        parts.ahead.add_permits(1);
        // Some at once, others together: those of a partition are settled out of order.
        if index % 3 == 1 || settle != Settle::Done {
            acknowledge(parts, source, vec![(delivery, settle)]).await?;
        } else {
            later.push((delivery, settle));
        }
    }
    acknowledge(parts, source, later).await
}

async fn acknowledge(
    parts: &Parts,
    source: &mut dyn Source,
    settled: Vec<(&Delivery, Settle)>,
) -> Result<(), Error> {
    parts.journal.step("acknowledge");
    let tokens = settled.iter();
    let tokens = tokens.map(|(delivery, settle)| (delivery.token, settle.clone()));
    let stale = source.settle(tokens.collect()).await?;
    for (delivery, settle) in settled {
        let is_stale = stale.iter().any(|stale| stale.token == delivery.token);
        if let Settle::Retry { at, .. } = settle
            && !is_stale
        {
            let id = &delivery.record.id;
            let line = format!("again {WORK} {IN} {id} {}", at.0);
            parts.journal.line(&line);
        }
    }
    parts.journal.step("acknowledged");
    Ok(())
}

async fn effect(parts: &Parts, delivery: &Delivery) -> Result<(), Error> {
    let id = delivery.record.id.clone();
    let key = delivery.record.key.clone();
    let result = format!("r-{id}");
    let name = key.as_deref().unwrap_or("-");
    parts
        .journal
        .line(&format!("publish {result} {OUT} {name}"));
    let (journal, broken) = (parts.journal.clone(), parts.broken);
    let message = result.clone();
    let writing = parts.state.write(&cx(), move |tx| {
        let (journal, id, key, result) =
            (journal.clone(), id.clone(), key.clone(), message.clone());
        Box::pin(async move {
            let is_new = tx.inbox(WORK).first_time(&id).await?;
            journal.step("inbox");
            if !is_new && broken != Some(Break::SkipInbox) {
                return Ok(());
            }
            tx.execute(EFFECT, params![WORK, &id]).await?;
            journal.step("effect");
            let mut message = Message::new(OUT, result, crate::traffic::payload(&id));
            message.key = key;
            tx.outbox().add(message)?;
            journal.step("outbox");
            Ok::<(), StoreError>(())
        })
    });
    let written = writing.await;
    parts.journal.step("commit");
    match written {
        Ok(()) => {
            parts.journal.line(&format!("ok {result}"));
            Ok(())
        }
        Err(source) => {
            parts.journal.line(&format!("unknown {result}"));
            Err(Error::Failed { source })
        }
    }
}
