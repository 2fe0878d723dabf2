//! One message in a transaction of its own, once by the inbox.

use super::{Consume, Event, Inner};
use crate::consume::failure::Failure;
use crate::consume::identity;
use crate::engine::Delivery;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Makes the effect; answers whether it was not made before.
pub(super) async fn run<E: Event, C: Consume<E>>(
    inner: &Arc<Inner<E, C>>,
    delivery: &Delivery,
) -> Result<bool, Failure> {
    // Read here and not in the transaction, which others wait for; only an attempt that the
    // database asks for again reads it again.
    let decoded = Inner::<E, C>::decode(delivery)?;
    let cx = inner.contexts.of(&delivery.record);
    let shared = Arc::new(Shared {
        inner: Arc::clone(inner),
        event: Mutex::new(Some(decoded)),
        id: identity::of(&delivery.record),
        delivery: delivery.clone(),
        handling: AtomicBool::new(false),
        cx: cx.clone(),
    });
    let mine = Arc::clone(&shared);
    let writing = inner.store.write(&cx, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let inner = &shared.inner;
            let is_new = tx.inbox(&inner.group.name).first_time(&shared.id).await?;
            #[cfg(feature = "testing")]
            let is_new = is_new || inner.group.sabotage.skips_inbox;
            if !is_new {
                return Ok(false);
            }
            let event = shared.event.lock().take();
            let event = match event {
                Some(event) => event,
                None => Inner::<E, C>::decode(&shared.delivery)?,
            };
            shared.handling.store(true, Ordering::Relaxed);
            let handed = inner.hand(&shared.cx, tx, vec![event]).await;
            shared.handling.store(false, Ordering::Relaxed);
            handed.map_err(|(failure, _)| failure)?;
            Ok::<bool, Failure>(true)
        })
    });
    writing.await.map_err(|failure| {
        if mine.handling.load(Ordering::Relaxed) {
            failure.attempted()
        } else {
            failure
        }
    })
}

struct Shared<E, C> {
    inner: Arc<Inner<E, C>>,
    event: Mutex<Option<E>>,
    id: String,
    delivery: Delivery,
    /// Whether the handler is at work.
    handling: AtomicBool,
    cx: backlot_core::Context,
}
