//! What software on a simulated host is handed.

use crate::clock::{self, clock};
use crate::logs::Hosts;
use crate::network::Simulated;
use crate::power::Power;
use crate::service;
use crate::trace::Trace;
use backlot_cluster::Registry;
use backlot_cluster::embedded::Client as RegistryClient;
use backlot_core::env::Shutdown;
use backlot_core::{Dice, Env, Offload};
use backlot_rpc::contract::Service;
use backlot_rpc::policy::Knobs;
use backlot_rpc::{Binding, Client, Remote};
use backlot_service::tasks::Tasks;
use backlot_service::telemetry::Metrics;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A host, as the process that runs on it now sees it. Clones are the same process.
#[derive(Clone, Debug)]
pub struct Host {
    name: Arc<str>,
    trace: Trace,
    env: Env,
    /// The host's own, from which every process gets a branch.
    dice: Dice,
    runs: Arc<AtomicU64>,
    power: Power,
    hosts: Hosts,
}

impl Host {
    pub(crate) fn new(name: &str, trace: Trace, dice: &Dice, power: Power, hosts: Hosts) -> Self {
        let dice = dice.branch(name);
        let env = Env {
            clock: clock(),
            dice: dice.branch("process 0"),
            net: Arc::new(Simulated::new(name, trace.clone())),
            offload: Offload::here(),
            variables: Arc::default(),
            shutdown: Shutdown::new(),
        };
        Host {
            name: name.into(),
            trace,
            env,
            dice,
            runs: Arc::default(),
            power,
            hosts,
        }
    }

    /// The same host for a new process: fresh dice, nothing stopping.
    #[must_use]
    pub fn process(&self) -> Host {
        let run = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        let dice = self.dice.branch(&format!("process {run}"));
        self.hosts.is_here(&self.name);
        Host {
            env: Env {
                dice,
                shutdown: Shutdown::new(),
                ..self.env.clone()
            },
            ..self.clone()
        }
    }

    /// Its name, which is its address without the port.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The seams to the outside.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// Randomness for one component.
    #[must_use]
    pub fn dice(&self, label: &str) -> Dice {
        self.env.dice.branch(label)
    }

    /// The event log.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Simulated time since the beginning.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        clock::elapsed()
    }

    /// The switch of this host.
    pub(crate) fn power(&self) -> &Power {
        &self.power
    }

    /// A way to the services of this world, over the network and through its registry.
    #[must_use]
    pub fn caller(&self) -> Caller {
        let tasks = Tasks::new(&self.env);
        let registry = RegistryClient::new(service::registry_config(), &self.env, &tasks);
        let metrics = Metrics::new();
        Caller {
            registry,
            caller: backlot_rpc::Caller::new(&metrics, &self.env, &tasks),
            metrics,
        }
    }
}

/// A way to the services of a simulated world. Its connections end with the host's process.
#[derive(Clone, Debug)]
pub struct Caller {
    registry: RegistryClient,
    metrics: Metrics,
    caller: backlot_rpc::Caller,
}

impl Caller {
    /// The same, by this policy.
    #[must_use]
    pub fn with_knobs(mut self, knobs: &Knobs) -> Self {
        self.caller = self.caller.with_knobs(knobs);
        self
    }

    /// The same, in this zone.
    #[must_use]
    pub fn in_zone(mut self, zone: &str) -> Self {
        self.caller = self.caller.in_zone(zone);
        self
    }

    /// What its clients count.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A client of a service, bound remotely.
    #[must_use]
    pub fn client<C: Client>(&self) -> C {
        C::bind(self.binding(C::SERVICE))
    }

    /// The way to a service of this contract.
    #[must_use]
    pub fn binding(&self, service: &'static Service) -> Binding {
        Binding::Remote(Remote::new(
            service,
            service.target,
            self.registry.resolver().watch(service.target),
            &self.caller,
        ))
    }
}
