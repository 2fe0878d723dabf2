//! Letters on their way: sent again or removed, slice by slice, until all are or somebody says stop.

use crate::access::Operator;
use crate::audit::Audit;
use crate::snapshot::told;
use backlot_core::env::{Phase, Shutdown};
use backlot_core::{Clock, Context, Timestamp};
use backlot_messaging::Engine;
use backlot_messaging::dead::{Ended, Letters, Redrive, Report, Which};
use backlot_service::Tasks;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// How many runs are remembered.
const KEPT: usize = 50;
/// How many may be under way at once.
const AT_ONCE: usize = 8;
/// How long a run may take.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// What is done with letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Redrive(Redrive),
    Purge,
}

impl What {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            What::Redrive(_) => "redrive",
            What::Purge => "purge",
        }
    }
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) matching: u64,
    pub(crate) moved: u64,
    pub(crate) passed: u64,
    /// How it ended, when it has.
    pub(crate) ended: Option<Result<&'static str, String>>,
}

/// A run.
pub(crate) struct Run {
    pub(crate) number: u64,
    pub(crate) what: &'static str,
    /// Of which letters.
    pub(crate) of: String,
    pub(crate) by: Operator,
    pub(crate) began: Timestamp,
    progress: watch::Sender<Progress>,
    stopped: AtomicBool,
}

impl Run {
    /// How far it is, now and later.
    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Ends it after the slice that is under way.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn tell(&self, report: &Report) -> ControlFlow<()> {
        self.progress.send_modify(|progress| {
            progress.matching = report.matching;
            progress.moved = report.moved;
            progress.passed = report.passed;
        });
        match self.stopped.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// All runs of this process. Clones share them.
#[derive(Clone)]
pub(crate) struct Runs(Arc<Inner>);

struct Inner {
    engine: Arc<dyn Engine>,
    tasks: Tasks,
    clock: Clock,
    shutdown: Shutdown,
    audit: Audit,
    known: Mutex<(u64, BTreeMap<u64, Arc<Run>>)>,
}

impl Runs {
    pub(crate) fn new(
        engine: Arc<dyn Engine>,
        tasks: Tasks,
        clock: Clock,
        shutdown: Shutdown,
        audit: Audit,
    ) -> Self {
        Runs(Arc::new(Inner {
            engine,
            tasks,
            clock,
            shutdown,
            audit,
            known: Mutex::default(),
        }))
    }

    pub(crate) fn find(&self, number: u64) -> Option<Arc<Run>> {
        self.0.known.lock().1.get(&number).cloned()
    }

    /// The latest first.
    pub(crate) fn all(&self) -> Vec<Arc<Run>> {
        self.0.known.lock().1.values().rev().cloned().collect()
    }

    /// Begins a run, unless too many are under way.
    pub(crate) fn begin(
        &self,
        by: &Operator,
        what: What,
        which: impl Into<Which>,
        of: String,
    ) -> Option<Arc<Run>> {
        let run = {
            let (last, known) = &mut *self.0.known.lock();
            let under_way = |run: &&Arc<Run>| run.progress.borrow().ended.is_none();
            if known.values().filter(under_way).count() >= AT_ONCE {
                return None;
            }
            *last += 1;
            let run = Arc::new(Run {
                number: *last,
                what: what.name(),
                of,
                by: by.clone(),
                began: self.0.clock.wall(),
                progress: watch::Sender::default(),
                stopped: AtomicBool::new(false),
            });
            while known.len() >= KEPT {
                let over = known.iter().find(|(_, run)| !under_way(run));
                let Some(over) = over.map(|(number, _)| *number) else {
                    break;
                };
                known.remove(&over);
            }
            known.insert(run.number, Arc::clone(&run));
            run
        };
        self.0.audit.note(
            by,
            run.what,
            &*run.of,
            format!("begun as run {}", run.number),
        );
        let (inner, going, which) = (Arc::clone(&self.0), Arc::clone(&run), which.into());
        self.0.tasks.spawn("run of dead letters", async move {
            let mut work = pin!(inner.go(&going, what, which));
            let outcome = tokio::select! {
                biased;
                outcome = &mut work => outcome,
                // What is under way is finished, and told.
                () = inner.shutdown.reached(Phase::Draining) => {
                    going.stop();
                    work.await
                }
            };
            let said = match &outcome {
                Ok(ended) => {
                    let progress = going.progress.borrow();
                    format!(
                        "run {}: {ended}, {} of {}",
                        going.number, progress.moved, progress.matching
                    )
                }
                Err(error) => format!("run {}: {error}", going.number),
            };
            inner.audit.note(&going.by, going.what, &*going.of, said);
            going
                .progress
                .send_modify(|progress| progress.ended = Some(outcome));
        });
        Some(run)
    }
}

impl Inner {
    async fn go(&self, run: &Arc<Run>, what: What, which: Which) -> Result<&'static str, String> {
        let cx = Context::system("console").with_timeout(LONGEST);
        let letters = Letters::of(&*self.engine).map_err(told)?;
        let telling = Arc::clone(run);
        let tell = move |report: &Report| telling.tell(report);
        let report = match what {
            What::Redrive(options) => letters.redrive(&cx, which, &options, tell).await,
            What::Purge => letters.purge_by_slices(&cx, which, tell).await,
        };
        let report = report.map_err(told)?;
        let _told = run.tell(&report);
        Ok(match report.ended {
            Ended::Done => "done",
            Ended::Limit => "came to its limit",
            Ended::Stopped => "stopped",
            Ended::Late => "ran out of time",
        })
    }
}
