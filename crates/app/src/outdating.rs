//! Caches that hear of changes.

use async_trait::async_trait;
use backlot_cache::{Cache, Source};
use backlot_messaging::Event;
use backlot_messaging::follow::Follow;

/// Tells a cache which of its keys events changed.
pub(crate) struct Outdating<S: Source, F> {
    cache: Cache<S>,
    changed: F,
}

impl<S: Source, F> Outdating<S, F> {
    pub(crate) fn new(cache: Cache<S>, changed: F) -> Self {
        Outdating { cache, changed }
    }
}

#[async_trait]
impl<E, S, F, K> Follow<E> for Outdating<S, F>
where
    E: Event,
    S: Source,
    F: Fn(E) -> K + Send + Sync + 'static,
    K: IntoIterator<Item = (S::Key, Option<u64>)>,
{
    async fn begin(&self) {
        // Events may have been missed.
        self.cache.outdate_all();
    }

    fn tell(&self, event: E) {
        for (key, version) in (self.changed)(event) {
            self.cache.outdate(&key, version);
        }
    }
}
