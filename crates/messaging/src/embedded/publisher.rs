//! The one task that publishes: it takes what waits, commits it, answers, and wakes the readers.

use super::Inner;
use super::append::Plan;
use super::queue::Request;
use crate::Error;
use std::sync::Arc;
use tokio::time::Instant;

/// What is prepared while a commit runs must be worth it: a little is better left to come together
/// with more.
const AHEAD_BYTES: usize = 256 * 1024;

/// Runs until the engine is closed and nothing waits any more.
pub(super) fn run(inner: Arc<Inner>) -> impl Future<Output = ()> {
    // If this ends in any other way, or never runs, nobody would answer.
    let abandoning = Abandoning(Arc::clone(&inner));
    async move {
        let _abandoning = abandoning;
        publish(inner).await;
    }
}

async fn publish(inner: Arc<Inner>) {
    while let Some(requests) = inner.queue.take(0).await {
        let mut running = Box::pin(commit(&inner, prepare(&inner, requests)));
        // Under load the next commit is worked out while one is on its way to the disk.
        loop {
            tokio::select! {
                biased;
                () = &mut running => break,
                requests = inner.queue.take(AHEAD_BYTES) => {
                    let Some(requests) = requests else {
                        running.await;
                        return;
                    };
                    let next = prepare(&inner, requests);
                    running.await;
                    running = Box::pin(commit(&inner, next));
                }
            }
        }
    }
}

struct Abandoning(Arc<Inner>);

impl Drop for Abandoning {
    fn drop(&mut self) {
        self.0.queue.abandon();
    }
}

/// A commit that is worked out, and who waits for it.
struct Prepared {
    requests: Vec<Request>,
    /// How many messages each has.
    counts: Vec<usize>,
    plan: Arc<Plan>,
}

fn prepare(inner: &Inner, mut requests: Vec<Request>) -> Prepared {
    inner.telemetry.queued.set(inner.queue.len() as i64);
    let counts = requests.iter().map(|request| request.items.len()).collect();
    let items = requests.iter_mut().flat_map(Request::split).collect();
    let plan = Arc::new(Plan::new(items, inner.clock.wall()));
    Prepared {
        requests,
        counts,
        plan,
    }
}

async fn commit(inner: &Arc<Inner>, prepared: Prepared) {
    let Prepared {
        requests,
        counts,
        plan,
    } = prepared;
    let began = Instant::now();
    let written = inner.write({
        let plan = Arc::clone(&plan);
        move |tx| {
            let plan = Arc::clone(&plan);
            Box::pin(async move { plan.run(tx).await })
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
