//! The end of a process: steps, each with its own limit, none able to hold up the rest.
//!
//! Stages run one after another; the steps of one stage run together. The whole takes at most
//! [`TOTAL`], which is below the 30 s that orchestrators commonly wait before they kill.

use crate::tasks::panic_message;
use crate::telemetry::{Counter, Metrics};
use backlot_core::BoxFuture;
use futures_util::FutureExt;
use futures_util::future::join_all;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;

/// Steps of drains, by how they ended.
pub const ENDED: Counter<2> = Counter::new(
    "backlot_drain_steps_total",
    "steps of the drain that ended: done, cut (its time was up), panicked",
    ["step", "outcome"],
);

/// The most a whole drain takes.
pub const TOTAL: Duration = Duration::from_secs(28);

/// One step: what it is called, when its turn is, how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What log and metrics call it.
    pub name: &'static str,
    /// Stages run in growing order.
    pub stage: u8,
    /// How long it may take before it is cut.
    pub limit: Duration,
}

/// Give up leaderships and stop campaigning.
pub const RESIGN: Step = Step {
    name: "resign",
    stage: 1,
    limit: Duration::from_secs(1),
};
/// Leave the registry; readiness is false from here.
pub const DEREGISTER: Step = Step {
    name: "deregister",
    stage: 1,
    limit: Duration::from_secs(1),
};
/// Keep accepting while the news spreads. Its work is to wait as long as configured (3 s in a
/// fleet, nothing when embedded); the limit only bounds that.
pub const SPREAD: Step = Step {
    name: "spread",
    stage: 1,
    limit: Duration::from_secs(3),
};
/// Close the listeners and tell live streams to reconnect.
pub const CLOSE: Step = Step {
    name: "close listeners",
    stage: 2,
    limit: Duration::from_secs(1),
};
/// Consumers stop pulling and finish what they hold.
pub const CONSUMERS: Step = Step {
    name: "consumers",
    stage: 3,
    limit: Duration::from_secs(5),
};
/// Calls in flight finish.
pub const CALLS: Step = Step {
    name: "calls",
    stage: 3,
    limit: Duration::from_secs(20),
};
/// Abort what is left; flush the outbox.
pub const ABORT: Step = Step {
    name: "abort",
    stage: 4,
    limit: Duration::from_secs(2),
};
/// Flush telemetry.
pub const TELEMETRY: Step = Step {
    name: "telemetry",
    stage: 5,
    limit: Duration::from_secs(2),
};

/// All steps in order of their stage; together at most [`TOTAL`].
pub const STEPS: [Step; 8] = [
    RESIGN, DEREGISTER, SPREAD, CLOSE, CONSUMERS, CALLS, ABORT, TELEMETRY,
];

/// A step with its work.
pub struct Work<'a> {
    step: Step,
    work: BoxFuture<'a, ()>,
}

/// A step that did not finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which step.
    pub name: &'static str,
    /// Why it did not finish.
    pub reason: Reason,
}

/// Why a step did not finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its time was up.
    Limit(Duration),
    /// It panicked, saying this.
    Panic(String),
}

// === impl Work ===

impl<'a> Work<'a> {
    /// Gives a step its work.
    pub fn new(step: Step, work: impl Future<Output = ()> + Send + 'a) -> Self {
        Work {
            step,
            work: Box::pin(work),
        }
    }

    /// With another limit than the step's default.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.step.limit = limit;
        self
    }
}

impl std::fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Work").field(&self.step).finish()
    }
}

/// Runs the steps, stage by stage, counts how each ended, and returns those that did not finish, in
/// order of their stage. Whatever the steps do, it returns within [`TOTAL`].
pub async fn run(mut steps: Vec<Work<'_>>, metrics: &Metrics) -> Vec<Cut> {
    let end = Instant::now() + TOTAL;
    steps.sort_by_key(|work| work.step.stage);
    let mut cut = Vec::new();
    let mut steps = steps.into_iter().peekable();
    while let Some(stage) = steps.peek().map(|work| work.step.stage) {
        let together: Vec<_> =
            std::iter::from_fn(|| steps.next_if(|work| work.step.stage == stage))
                .map(|work| run_one(work, end, metrics))
                .collect();
        cut.extend(join_all(together).await.into_iter().flatten());
    }
    cut
}

async fn run_one(work: Work<'_>, end: Instant, metrics: &Metrics) -> Option<Cut> {
    let name = work.step.name;
    let began = Instant::now();
    let limit = work.step.limit.min(end.saturating_duration_since(began));
    let outcome = tokio::time::timeout(limit, AssertUnwindSafe(work.work).catch_unwind()).await;
    let took = Instant::now().saturating_duration_since(began);
    let how = match &outcome {
        Ok(Ok(())) => "done",
        Ok(Err(_)) => "panicked",
        Err(_) => "cut",
    };
    metrics.counter(&ENDED, [name, how]).inc();
    let reason = match outcome {
        Ok(Ok(())) => {
            tracing::debug!(step = name, ?took, "drain step {name} done");
            return None;
        }
        Ok(Err(panic)) => Reason::Panic(panic_message(panic.as_ref()).to_owned()),
        Err(_elapsed) => Reason::Limit(limit),
    };
    tracing::warn!(
        step = name,
        ?took,
        ?reason,
        "drain step {name} did not finish"
    );
    Some(Cut { name, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[test]
    fn the_default_steps_fit_into_the_total() {
        let mut total = Duration::ZERO;
        for stage in 1..=5 {
            total += STEPS
                .iter()
                .filter(|step| step.stage == stage)
                .map(|step| step.limit)
                .max()
                .unwrap_or_default();
        }
        assert!(total <= TOTAL, "{total:?}");
        assert!(STEPS.is_sorted_by_key(|step| step.stage));
    }

    #[tokio::test(start_paused = true)]
    async fn stages_run_one_after_another_and_their_steps_together() {
        let log = Mutex::new(Vec::new());
        let began = Instant::now();
        let step = |step: Step, seconds| {
            let log = &log;
            Work::new(step, async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                log.lock()
                    .push((step.name, (Instant::now() - began).as_secs()));
            })
        };
        // Handed in out of order on purpose.
        let cut = run(
            vec![
                step(CALLS, 10),
                step(DEREGISTER, 0),
                step(CONSUMERS, 4),
                step(SPREAD, 3),
            ],
            &Metrics::new(),
        )
        .await;
        assert_eq!(cut, []);
        assert_eq!(
            *log.lock(),
            [
                ("deregister", 0),
                ("spread", 3),
                ("consumers", 7),
                ("calls", 13)
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_hangs_is_cut_at_its_limit_and_the_rest_goes_on() {
        let began = Instant::now();
        let (done, metrics) = (Mutex::new(false), Metrics::new());
        let cut = run(
            vec![
                Work::new(DEREGISTER, std::future::pending()),
                Work::new(CALLS, std::future::pending()).with_limit(Duration::from_secs(2)),
                Work::new(TELEMETRY, async { *done.lock() = true }),
            ],
            &metrics,
        )
        .await;
        assert_eq!(
            cut,
            [
                Cut {
                    name: "deregister",
                    reason: Reason::Limit(Duration::from_secs(1))
                },
                Cut {
                    name: "calls",
                    reason: Reason::Limit(Duration::from_secs(2))
                },
            ]
        );
        assert!(*done.lock());
        assert_eq!(Instant::now() - began, Duration::from_secs(3));
        let ended = |step, how| metrics.counter(&ENDED, [step, how]).get();
        assert_eq!(
            (ended("deregister", "cut"), ended("telemetry", "done")),
            (1, 1)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_panics_does_not_stop_the_rest() {
        let done = Mutex::new(false);
        let cut = run(
            vec![
                Work::new(RESIGN, async { panic!("no crown to give back") }),
                Work::new(ABORT, async { *done.lock() = true }),
            ],
            &Metrics::new(),
        )
        .await;
        assert_eq!(
            cut,
            [Cut {
                name: "resign",
                reason: Reason::Panic("no crown to give back".into())
            }]
        );
        assert!(*done.lock());
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_never_takes_longer_than_its_total() {
        let began = Instant::now();
        let endless = |stage| {
            let step = Step {
                name: "endless",
                stage,
                limit: Duration::from_secs(20),
            };
            Work::new(step, std::future::pending())
        };
        let cut = run(vec![endless(1), endless(2), endless(3)], &Metrics::new()).await;
        assert_eq!(cut.len(), 3);
        assert_eq!(Instant::now() - began, TOTAL);
    }
}
