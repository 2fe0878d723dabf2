//! Processes of a small world, each with its own tasks and shutdown, on one network.

use crate::net::Memory;
use backlot_cluster::Config;
use backlot_cluster::embedded::{Client, Server};
use backlot_core::discovery::{Instance, InstanceSet};
use backlot_core::net::Network;
use backlot_core::{Dice, Env};
use backlot_service::Tasks;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) const ADDRESS: &str = "127.0.0.1:8070";

/// A process: kill it, and its tasks and connections are gone at once.
pub(crate) struct Process {
    pub(crate) env: Env,
    pub(crate) tasks: Tasks,
}

impl Process {
    pub(crate) fn on(net: Arc<dyn Network>, seed: u64) -> Self {
        let env = Env {
            dice: Dice::seeded(seed),
            net,
            ..Env::real()
        };
        let tasks = Tasks::new(&env);
        Process { env, tasks }
    }

    pub(crate) fn new(net: &Memory, seed: u64) -> Self {
        Process::on(Arc::new(net.clone()), seed)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(Config::default(), &self.env, &self.tasks)
    }

    /// Binds, trying until whoever was there before is gone.
    pub(crate) async fn serve(&self) -> Server {
        loop {
            if let Ok(listener) = self.env.net.bind(ADDRESS).await {
                return Server::serve(listener, &self.env, &self.tasks).unwrap();
            }
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn kill(self) {
        self.tasks.shutdown(Duration::ZERO).await;
    }
}

pub(crate) fn instance(service: &str, id: &str) -> Instance {
    Instance {
        id: id.to_owned(),
        service: service.to_owned(),
        address: "127.0.0.1:8082".to_owned(),
        version: "1".to_owned(),
        metadata: BTreeMap::new(),
    }
}

pub(crate) fn ids(set: &InstanceSet) -> String {
    set.instances
        .iter()
        .map(|instance| instance.id.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Waits until the set holds these ids, and tells how long that took.
pub(crate) async fn until(watch: &mut watch::Receiver<InstanceSet>, expected: &str) -> Duration {
    until_set(watch, expected, |set| ids(set) == expected).await
}

pub(crate) async fn until_set(
    watch: &mut watch::Receiver<InstanceSet>,
    what: &str,
    mut holds: impl FnMut(&InstanceSet) -> bool,
) -> Duration {
    let began = Instant::now();
    let outcome = tokio::time::timeout(Duration::from_secs(60), watch.wait_for(|set| holds(set)))
        .await
        .map(drop);
    assert!(
        outcome.is_ok(),
        "waited a minute for {what:?}, last seen {:?}",
        *watch.borrow()
    );
    Instant::now() - began
}
