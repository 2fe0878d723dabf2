//! Tasks somebody owns. A task nobody owns is a leak: it outlives the service, and its panic is
//! lost.
//!
//! Every task has a name. A panic is logged with the name and counted in
//! `backlot_task_panics_total`; a restart of a supervised task in `backlot_task_restarts_total`.
//! Works under a paused clock and on one thread.

mod entry;

use crate::telemetry::{Count, Counter, Gauge, Level, Metrics};
use backlot_core::backoff::Backoff;
use backlot_core::env::{Phase, Shutdown};
use backlot_core::{Dice, Env};
use entry::Entry;
use futures_util::FutureExt;
use parking_lot::Mutex;
use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::Instrument;

/// Tasks that panicked, by name.
pub const PANICS: Counter<1> = Counter::new(
    "backlot_task_panics_total",
    "tasks that panicked, by name",
    ["task"],
);
/// Restarts of supervised tasks, by name.
pub const RESTARTS: Counter<1> = Counter::new(
    "backlot_task_restarts_total",
    "restarts of supervised tasks, by name",
    ["task"],
);
/// Tasks alive now.
pub const ALIVE: Gauge<0> = Gauge::new("backlot_tasks_alive", "tasks alive now", []);

/// A set of tasks that ends with its owner. Clones share it.
///
/// Dropping the last clone does not end the tasks: call [`Tasks::shutdown`].
#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    dice: Dice,
    shutdown: Shutdown,
    metrics: Metrics,
    alive: Level,
    panics: Count,
    state: Mutex<State>,
    /// How many are alive, and how far the set's own end has come.
    progress: watch::Sender<Progress>,
}

#[derive(Default)]
struct State {
    last: u64,
    alive: BTreeMap<u64, Alive>,
}

struct Alive {
    name: Cow<'static, str>,
    /// Absent for the moment between making the entry and starting the task.
    abort: Option<AbortHandle>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    alive: usize,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// Tasks come and go.
    Open,
    /// The set waits for its tasks; supervised ones are not started again.
    Closing,
    /// What was left is aborted; new tasks are dropped unstarted.
    Closed,
}

/// What did not end in time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// Names of the tasks that were aborted, in order of their start.
    pub aborted: Vec<Cow<'static, str>>,
}

/// A started task. Dropping this leaves the task running.
#[derive(Clone, Debug)]
pub struct Task {
    abort: Option<AbortHandle>,
}

impl Task {
    /// Ends the task at its next await; nothing when it has ended.
    pub fn abort(&self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.abort.as_ref().is_none_or(AbortHandle::is_finished)
    }
}

// === impl Tasks ===

impl Tasks {
    /// An empty set with metrics of its own, which nobody reads.
    #[must_use]
    pub fn new(env: &Env) -> Self {
        Tasks::with_metrics(env, &Metrics::new())
    }

    /// An empty set that counts in `metrics`.
    #[must_use]
    pub fn with_metrics(env: &Env, metrics: &Metrics) -> Self {
        Tasks(Arc::new(Inner {
            dice: env.dice.branch("tasks"),
            shutdown: env.shutdown.clone(),
            metrics: metrics.clone(),
            alive: metrics.gauge(&ALIVE, []),
            panics: Count::default(),
            state: Mutex::default(),
            progress: watch::Sender::new(Progress {
                alive: 0,
                end: End::Open,
            }),
        }))
    }

    /// Starts a task. After the set's end the task is dropped unstarted.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Task {
        let name = name.into();
        if self.is_closed() {
            tracing::debug!(task = %name, "task {name} not started: its owner has ended");
            return Task { abort: None };
        }
        let entry = Entry::new(self, name);
        let number = entry.number;
        let owner = self.clone();
        let work = async move {
            // Dropped last, also when the task is aborted.
            let entry = entry;
            if let Err(panic) = AssertUnwindSafe(future).catch_unwind().await {
                owner.panicked(&entry.name, panic.as_ref());
            }
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where tasks start; the set owns them"
        )]
        let abort = tokio::spawn(work.in_current_span()).abort_handle();
        if let Some(alive) = self.0.state.lock().alive.get_mut(&number) {
            alive.abort = Some(abort.clone());
        }
        if self.is_closed() {
            // The set ended meanwhile, perhaps before it could see the handle.
            abort.abort();
        }
        Task { abort: Some(abort) }
    }

    /// Starts a task that has no end of its own, such as a watch: it is dropped when the process
    /// stops, and is no leftover then.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn_endless(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Task {
        let owner = self.clone();
        self.spawn(name, async move {
            tokio::select! {
                biased;
                () = owner.ending() => {}
                () = future => {}
            }
        })
    }

    /// Keeps a task running: when it ends or panics it is made anew after a full-jitter wait, until
    /// the set or the process stops. A run longer than the backoff's cap counts as healthy: the
    /// next wait starts from the base again.
    ///
    /// The task should end by itself when the process stops; a shutdown waits for it.
    pub fn supervise<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        backoff: Backoff,
        mut make: impl FnMut() -> F + Send + 'static,
    ) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let owner = self.clone();
        let dice = self.0.dice.branch(&name);
        let restarts = self.0.metrics.counter(&RESTARTS, [&name]);
        self.spawn(name.clone(), async move {
            let mut failures = 0;
            loop {
                let began = Instant::now();
                // Making the future may panic as well as running it.
                let run = AssertUnwindSafe(async { make().await }).catch_unwind().await;
                if let Err(panic) = &run {
                    owner.panicked(&name, panic.as_ref());
                }
                if owner.is_ending() {
                    return;
                }
                let healthy = Instant::now().saturating_duration_since(began) > backoff.cap;
                failures = if healthy { 1 } else { failures + 1 };
                let wait = backoff.wait(failures, &dice);
                if run.is_ok() {
                    tracing::warn!(task = %name, failures, ?wait, "task {name} ended early and is started again");
                }
                tokio::select! {
                    biased;
                    () = owner.ending() => return,
                    () = tokio::time::sleep(wait) => {}
                }
                restarts.inc();
            }
        })
    }

    /// Waits until all tasks have ended, or until `deadline` from now has passed, and aborts what
    /// is left. Supervised tasks are not started again.
    pub async fn shutdown(&self, deadline: Duration) -> Leftover {
        self.advance(End::Closing);
        let mut progress = self.0.progress.subscribe();
        // The sender lives in self, so that waiting ends by the condition or by the timeout alone.
        let ended = tokio::time::timeout(deadline, progress.wait_for(|now| now.alive == 0))
            .await
            .is_ok();
        self.advance(End::Closed);
        if ended {
            return Leftover::default();
        }
        let left: Vec<_> = {
            let state = self.0.state.lock();
            state
                .alive
                .values()
                .map(|alive| (alive.name.clone(), alive.abort.clone()))
                .collect()
        };
        for (name, abort) in &left {
            tracing::warn!(task = %name, "task {name} did not end in time and is aborted");
            if let Some(abort) = abort {
                abort.abort();
            }
        }
        // An aborted task ends at its next await. One that never awaits cannot be ended at all.
        let grace = Duration::from_millis(100);
        if tokio::time::timeout(grace, progress.wait_for(|now| now.alive == 0))
            .await
            .is_err()
        {
            tracing::error!("a task that was aborted still runs: it never awaits");
        }
        Leftover {
            aborted: left.into_iter().map(|(name, _)| name).collect(),
        }
    }

    /// Names of the tasks alive now, in order of their start.
    #[must_use]
    pub fn alive(&self) -> Vec<Cow<'static, str>> {
        self.0
            .state
            .lock()
            .alive
            .values()
            .map(|alive| alive.name.clone())
            .collect()
    }

    /// How many tasks have panicked so far.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.0.panics.get()
    }

    fn advance(&self, end: End) {
        self.0
            .progress
            .send_modify(|progress| progress.end = progress.end.max(end));
    }

    fn is_closed(&self) -> bool {
        self.0.progress.borrow().end == End::Closed
    }

    fn is_ending(&self) -> bool {
        self.0.progress.borrow().end > End::Open || self.0.shutdown.phase() == Phase::Stopped
    }

    async fn ending(&self) {
        let mut progress = self.0.progress.subscribe();
        tokio::select! {
            biased;
            () = self.0.shutdown.reached(Phase::Stopped) => {}
            _ended = progress.wait_for(|now| now.end > End::Open) => {}
        }
    }

    fn panicked(&self, name: &str, panic: &(dyn Any + Send)) {
        let message = panic_message(panic);
        self.0.panics.inc();
        self.0.metrics.counter(&PANICS, [name]).inc();
        tracing::error!(task = %name, panic = message, "task {name} panicked: {message}");
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks")
            .field("alive", &self.alive())
            .field("panics", &self.panics())
            .finish()
    }
}

/// What a panic said.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without text")
}

#[cfg(test)]
mod tests;
