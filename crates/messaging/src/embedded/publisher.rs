//! The one task that publishes: it takes what waits, commits it, answers, and wakes the readers.

use super::Inner;
use super::append::Plan;
use super::queue::Request;
use crate::Error;
use std::sync::Arc;
use tokio::time::Instant;

/// Runs until the engine is closed and nothing waits any more.
pub(super) async fn run(inner: Arc<Inner>) {
    // If this ends in any other way, nobody would answer.
    let _abandoning = Abandoning(Arc::clone(&inner));
    while let Some(requests) = inner.queue.take().await {
        inner.telemetry.queued.set(inner.queue.len() as i64);
        commit(&inner, requests).await;
    }
}

struct Abandoning(Arc<Inner>);

impl Drop for Abandoning {
    fn drop(&mut self) {
        self.0.queue.abandon();
    }
}

async fn commit(inner: &Arc<Inner>, mut requests: Vec<Request>) {
    let counts: Vec<usize> = requests.iter().map(|request| request.items.len()).collect();
    let items = requests.iter_mut().flat_map(Request::split).collect();
    let now = inner.clock.wall();
    let plan = Arc::new(Plan::new(items, now));
    let began = Instant::now();
    let written = inner.write({
        let plan = Arc::clone(&plan);
        move |tx| {
            let plan = Arc::clone(&plan);
            Box::pin(async move { plan.run(tx, now).await })
        }
    });
    match written.await {
        Ok(added) => {
            inner.telemetry.commit_messages.observe(plan.len() as f64);
            let took = Instant::now() - began;
            inner.telemetry.commit_duration.observe_duration(took);
            plan.announce(&added);
            if let Some(due) = added.due {
                inner.alarm.at_most(due);
            }
            let mut receipts = added.receipts.into_iter();
            for (request, count) in requests.into_iter().zip(counts) {
                request.answer(Ok(receipts.by_ref().take(count).collect()));
            }
        }
        Err(error) => {
            let error = Error::of_write(error);
            tracing::error!(
                error = backlot_core::error::chain(&error),
                messages = plan.len(),
                "messages could not be stored"
            );
            if error.may_have_happened() {
                inner.doubt();
            }
            for request in requests {
                request.answer(Err(error.clone()));
            }
        }
    }
}
