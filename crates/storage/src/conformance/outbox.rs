//! What an outbox promises: to those that write it, and to those that relay it.

pub(super) mod lease;
pub(super) mod relay;
pub(super) mod rows;

use super::{ADD, Stage, VALUE};
use crate::outbox::{Batch, Depth, Limits, Message};
use crate::{Store, StoreError, params};
use backlot_core::{BoxFuture, Context, Error};
use std::time::Duration;

pub(super) fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(60))
}

/// Adds these messages in one write.
pub(super) fn send(
    store: &Store,
    messages: Vec<Message>,
) -> BoxFuture<'static, Result<(), StoreError>> {
    Box::pin(store.write(&cx(), move |tx| {
        let messages = messages.clone();
        Box::pin(async move {
            for message in messages {
                tx.outbox().add(message)?;
            }
            Ok(())
        })
    }))
}

/// Adds one to a counter and sends its value under its name, `a-1` and so on.
pub(super) fn count(store: &Store, name: &'static str) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(store.write(&cx(), move |tx| {
        Box::pin(async move {
            tx.execute(ADD, params![1, name]).await?;
            let value: i64 = tx.query_one(VALUE, params![name]).await?.get(0)?;
            tx.outbox()
                .add(Message::new("counters", format!("{name}-{value}"), b"").key(name))?;
            Ok(())
        })
    }))
}

pub(super) async fn take(store: &Store, messages: usize, bytes: usize) -> Batch {
    let limits = Limits { messages, bytes };
    let taken = store.outbox().take(&cx(), limits).await;
    taken.expect("the outbox is read")
}

pub(super) async fn waiting(store: &Store) -> Vec<String> {
    ids(&take(store, 1000, usize::MAX).await)
}

pub(super) fn ids(batch: &Batch) -> Vec<String> {
    let ids = batch.messages.iter().map(|message| message.id.clone());
    ids.collect()
}

pub(super) fn named(ids: &[&str]) -> Vec<Message> {
    let messages = ids
        .iter()
        .map(|id| Message::new("t", *id, id.as_bytes()).key("k"));
    messages.collect()
}

pub(super) async fn depth(stage: &Stage) -> Depth {
    let depth = stage.store.outbox().depth(&cx()).await;
    depth.expect("the outbox is read")
}
