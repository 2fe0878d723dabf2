//! How a service is: started, draining, serving, degraded, live. One watchable value; who shows
//! it (probes, `grpc.health.v1`) reads it from here.
//!
//! A dependency that is away makes a service *degraded*, never unready: otherwise one dead
//! database would take a whole fleet out of service (calls between services fail open).

use crate::tasks::Tasks;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the heartbeat beats.
pub const BEAT: Duration = Duration::from_secs(1);
/// How old the last beat may be while the process still counts as live.
pub const LIVE_WITHIN: Duration = Duration::from_secs(5);

/// Whether one gRPC service takes calls: the words of `grpc.health.v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// It takes calls.
    Serving,
    /// It does not.
    NotServing,
    /// Nobody here knows a service of that name.
    Unknown,
}

/// A moment's health.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether the start is over.
    pub started: bool,
    /// Whether the end has begun.
    pub draining: bool,
    /// Whether each service takes calls, by full name, as last set.
    pub services: BTreeMap<String, bool>,
    /// What does not work as it should, and why, by name.
    pub degraded: BTreeMap<String, String>,
}

/// The health of a process. Clones share it.
#[derive(Clone, Debug)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    report: watch::Sender<Report>,
    epoch: Instant,
    /// Milliseconds from the epoch to the last beat.
    beat: AtomicU64,
}

// === impl Report ===

impl Report {
    /// Whether new callers may come: started and not draining.
    #[must_use]
    pub fn readiness(&self) -> bool {
        self.started && !self.draining
    }

    /// Whether `service` takes calls; the empty name asks for the whole process.
    #[must_use]
    pub fn serving(&self, service: &str) -> Serving {
        let ready = self.readiness();
        match self.services.get(service) {
            None if !service.is_empty() => Serving::Unknown,
            Some(false) => Serving::NotServing,
            _ if ready => Serving::Serving,
            _ => Serving::NotServing,
        }
    }
}

// === impl Health ===

impl Default for Health {
    fn default() -> Self {
        Health::new()
    }
}

impl Health {
    /// Not started yet, and live as of now.
    #[must_use]
    pub fn new() -> Self {
        Health(Arc::new(Inner {
            report: watch::Sender::new(Report::default()),
            epoch: Instant::now(),
            beat: AtomicU64::new(0),
        }))
    }

    /// The start is over.
    pub fn started(&self) {
        self.change(|report| report.started = true);
    }

    /// The end has begun; every service stops serving.
    pub fn draining(&self) {
        self.change(|report| report.draining = true);
    }

    /// Sets whether the service of this full name takes calls.
    pub fn set_serving(&self, service: &str, serving: bool) {
        self.change(|report| {
            report.services.insert(service.to_owned(), serving);
        });
    }

    /// Something does not work as it should; a later word on the same name replaces it.
    pub fn degrade(&self, name: &str, why: &str) {
        self.change(|report| {
            report.degraded.insert(name.to_owned(), why.to_owned());
        });
    }

    /// It works again.
    pub fn recover(&self, name: &str) {
        self.change(|report| {
            report.degraded.remove(name);
        });
    }

    /// Health now.
    #[must_use]
    pub fn report(&self) -> Report {
        self.0.report.borrow().clone()
    }

    /// Health now and every later one (or the latest of several). It changes only when the report
    /// does.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Report> {
        self.0.report.subscribe()
    }

    /// Whether new callers may come: started and not draining. Never looks at dependencies.
    #[must_use]
    pub fn readiness(&self) -> bool {
        self.0.report.borrow().readiness()
    }

    /// Whether the runtime still runs tasks: its heartbeat ran in the last five seconds.
    #[must_use]
    pub fn liveness(&self) -> bool {
        let beat = self.0.epoch + Duration::from_millis(self.0.beat.load(Ordering::Relaxed));
        Instant::now().saturating_duration_since(beat) <= LIVE_WITHIN
    }

    /// Beats once.
    pub fn beat(&self) {
        let since = Instant::now()
            .saturating_duration_since(self.0.epoch)
            .as_millis();
        self.0
            .beat
            .store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Starts the heartbeat: a task that beats every second until the process has stopped.
    pub fn keep_beating(&self, tasks: &Tasks, shutdown: &backlot_core::env::Shutdown) {
        let health = self.clone();
        let shutdown = shutdown.clone();
        tasks.spawn("heartbeat", async move {
            loop {
                health.beat();
                tokio::select! {
                    biased;
                    () = shutdown.reached(backlot_core::env::Phase::Stopped) => return,
                    () = tokio::time::sleep(BEAT) => {}
                }
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Report)) {
        self.0.report.send_if_modified(|report| {
            let before = report.clone();
            change(report);
            *report != before
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlot_core::Env;
    use backlot_core::env::Phase;

    #[test]
    fn a_process_is_ready_between_its_start_and_its_drain() {
        let health = Health::new();
        assert!(!health.readiness());
        health.started();
        assert!(health.readiness());
        health.draining();
        assert!(!health.readiness());
    }

    #[test]
    fn a_dead_dependency_degrades_and_does_not_unready() {
        let health = Health::new();
        health.started();
        health.degrade("rating", "no instance answers");
        assert!(health.readiness());
        assert_eq!(health.report().degraded["rating"], "no instance answers");
        health.recover("rating");
        assert!(health.report().degraded.is_empty());
    }

    #[test]
    fn each_service_answers_for_itself_and_the_empty_name_for_all() {
        let health = Health::new();
        health.set_serving("movies.rating.v1.RatingService", true);
        health.set_serving("movies.auth.v1.AuthService", false);
        assert_eq!(
            health.report().serving("movies.rating.v1.RatingService"),
            Serving::NotServing
        );
        health.started();
        let report = health.report();
        assert_eq!(
            report.serving("movies.rating.v1.RatingService"),
            Serving::Serving
        );
        assert_eq!(
            report.serving("movies.auth.v1.AuthService"),
            Serving::NotServing
        );
        assert_eq!(
            report.serving("movies.mail.v1.MailService"),
            Serving::Unknown
        );
        assert_eq!(report.serving(""), Serving::Serving);
        health.draining();
        assert_eq!(
            health.report().serving("movies.rating.v1.RatingService"),
            Serving::NotServing
        );
        assert_eq!(health.report().serving(""), Serving::NotServing);
    }

    #[test]
    fn watchers_hear_of_changes_alone() {
        let health = Health::new();
        let mut watch = health.watch();
        health.started();
        assert!(watch.has_changed().unwrap());
        watch.mark_unchanged();
        health.started();
        assert!(!watch.has_changed().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_without_heartbeat_is_dead_after_five_seconds() {
        let health = Health::new();
        tokio::time::advance(LIVE_WITHIN).await;
        assert!(health.liveness());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!health.liveness());
        health.beat();
        assert!(health.liveness());
    }

    #[tokio::test(start_paused = true)]
    async fn the_heartbeat_beats_until_the_process_has_stopped() {
        let env = Env::real();
        let tasks = Tasks::new(&env);
        let health = Health::new();
        health.keep_beating(&tasks, &env.shutdown);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(health.liveness());
        env.shutdown.advance(Phase::Stopped);
        assert!(
            tasks
                .shutdown(Duration::from_secs(1))
                .await
                .aborted
                .is_empty()
        );
    }
}
