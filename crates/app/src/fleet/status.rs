//! How the fleet stands, on one line.

use crate::out;
use crate::service::Service;
use backlot_core::Env;
use backlot_core::discovery::{InstanceSet, Resolver};
use backlot_core::env::Phase;
use backlot_service::tasks::Tasks;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What is known of the children. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Board(Arc<Mutex<BTreeMap<String, Row>>>);

#[derive(Clone, Debug, Default)]
struct Row {
    service: &'static str,
    pid: Option<u32>,
    restarts: u32,
    cut: bool,
}

impl Board {
    pub(super) fn started(&self, name: &str, service: &'static str, pid: Option<u32>) {
        let mut rows = self.0.lock();
        let row = rows.entry(name.to_owned()).or_default();
        row.service = service;
        row.pid = pid;
    }

    pub(super) fn restarting(&self, name: &str) {
        let mut rows = self.0.lock();
        let row = rows.entry(name.to_owned()).or_default();
        row.pid = None;
        row.restarts += 1;
    }

    pub(super) fn ended(&self, name: &str, cut: bool) {
        let mut rows = self.0.lock();
        let row = rows.entry(name.to_owned()).or_default();
        row.pid = None;
        row.cut |= cut;
    }

    pub(super) fn any_cut(&self) -> bool {
        self.0.lock().values().any(|row| row.cut)
    }

    /// For example `metadata 1/1 · rating 0/1 (restarted 2×) · movie 2/2`.
    fn line(&self, announced: &BTreeMap<&'static str, usize>) -> String {
        let rows = self.0.lock();
        announced
            .iter()
            .map(|(service, ready)| {
                let of_service = || rows.values().filter(|row| row.service == *service);
                // A crashed instance stays announced until its time to live is over.
                let ready = of_service()
                    .filter(|row| row.pid.is_some())
                    .count()
                    .min(*ready);
                let restarts: u32 = of_service().map(|row| row.restarts).sum();
                let again = if restarts > 0 {
                    format!(" (restarted {restarts}×)")
                } else {
                    String::new()
                };
                format!("{service} {ready}/{}{again}", of_service().count())
            })
            .collect::<Vec<_>>()
            .join(" · ")
    }
}

/// Prints the line whenever it changes; on a terminal in place.
pub(super) fn show(
    board: &Board,
    resolver: Arc<dyn Resolver>,
    services: &[Service],
    env: &Env,
    tasks: &Tasks,
) {
    let (board, shutdown) = (board.clone(), env.shutdown.clone());
    let mut watched: Vec<(&'static str, watch::Receiver<InstanceSet>)> = services
        .iter()
        .map(|service| (service.name(), resolver.watch(service.name())))
        .collect();
    let terminal = std::io::stderr().is_terminal();
    tasks.spawn("status line", async move {
        let mut last = String::new();
        loop {
            let announced = watched
                .iter_mut()
                .map(|(name, set)| (*name, set.borrow_and_update().instances.len()))
                .collect();
            let line = board.line(&announced);
            if line != last {
                if terminal {
                    out::over(&line);
                } else {
                    out::note(&line);
                }
                last = line;
            }
            tokio::select! {
                biased;
                () = shutdown.reached(Phase::Draining) => return,
                () = tokio::time::sleep(Duration::from_millis(250)) => {}
            }
        }
    });
}
