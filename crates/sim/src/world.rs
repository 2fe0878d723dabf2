//! A world under construction, and as it runs: hosts, registry, services, clients, faults.

use crate::clock::EPOCH;
use crate::database::{self, DATABASE, Database, Mood, Weakness};
use crate::faults::{Fault, SLOW, What};
use crate::host::Host;
use crate::logs::Hosts;
use crate::power::Power;
use crate::service::{self, Program, REGISTRY};
use crate::trace::Trace;
use backlot_core::Dice;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// The time between two looks at the network.
const TICK: Duration = Duration::from_millis(2);
/// The longest a message takes on a healthy link; the shortest is half a millisecond, and most
/// are near it.
const LATENCY: Duration = Duration::from_millis(5);

/// A probe: looks at the world from outside, again and again.
struct Probe {
    every: Duration,
    next: Duration,
    look: Box<dyn FnMut(&Trace)>,
}

/// A look at the world when all clients are done.
type Ending = Box<dyn FnOnce(&Trace)>;

/// A simulated world.
pub struct World {
    seed: u64,
    dice: Dice,
    trace: Trace,
    hosts: Hosts,
    sim: turmoil::Sim<'static>,
    power: BTreeMap<String, Power>,
    database: Option<Database>,
    faults: Vec<Fault>,
    probes: Vec<Probe>,
    endings: Vec<Ending>,
}

/// What a fault does to the world when it begins and when it is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Begins,
    Ends,
}

impl World {
    pub(crate) fn new(seed: u64, trace: Trace, hosts: Hosts) -> Self {
        let epoch = UNIX_EPOCH + Duration::from_millis(EPOCH.0.unsigned_abs());
        let sim = turmoil::Builder::new()
            .rng_seed(seed)
            .epoch(epoch)
            .tick_duration(TICK)
            .min_message_latency(Duration::from_micros(500))
            .max_message_latency(LATENCY)
            .tcp_capacity(1024)
            // The run has its own limit.
            .simulation_duration(Duration::from_secs(365 * 24 * 3600))
            .build();
        World {
            seed,
            dice: Dice::seeded(seed),
            trace,
            hosts,
            sim,
            power: BTreeMap::new(),
            database: None,
            faults: Vec::new(),
            probes: Vec::new(),
            endings: Vec::new(),
        }
    }

    /// The seed of this world.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Randomness for one component.
    #[must_use]
    pub fn dice(&self, label: &str) -> Dice {
        self.dice.branch(label)
    }

    /// The event log.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The secret that services of this world get under `name`.
    #[must_use]
    pub fn secret(&self, name: &str) -> [u8; 32] {
        // The simulated secrets never fail.
        (service::secrets(&self.dice))(name).unwrap_or_default()
    }

    /// A host with a process that crashes and is started again. `software` makes each of them; one
    /// that ends, well or not, fails the run.
    pub fn process<F, S>(&mut self, name: &str, software: F)
    where
        F: Fn(Host) -> S + 'static,
        S: Future<Output = std::io::Result<()>> + 'static,
    {
        let host = self.host(name);
        let software = Arc::new(software);
        self.sim.host(name, move || {
            let (software, host) = (Arc::clone(&software), host.clone());
            async move { Ok(software(host.process()).await?) }
        });
    }

    /// A host of somebody who uses the system. The run is over when all of them are done.
    pub fn client<F, S>(&mut self, name: &str, software: F)
    where
        F: FnOnce(Host) -> S + 'static,
        S: Future<Output = ()> + 'static,
    {
        let host = self.host(name);
        self.sim.client(name, async move {
            software(host.process()).await;
            Ok(())
        });
    }

    /// The host of the registry.
    pub fn registry(&mut self) {
        self.process(REGISTRY, service::registry);
    }

    /// The host of the database.
    pub fn database(&mut self, weakness: Option<Weakness>) -> Database {
        let database = Database::new(weakness, self.dice("database"), self.trace.clone());
        self.database = Some(database.clone());
        let state = Arc::clone(database.state());
        self.process(DATABASE, move |host| {
            database::serve(host, Arc::clone(&state))
        });
        database
    }

    /// A host that runs a service.
    pub fn service(&mut self, name: &str, program: Program) {
        let secrets = service::secrets(&self.dice);
        self.process(name, move |host| {
            let (program, secrets) = (program.clone(), Arc::clone(&secrets));
            async move {
                service::serve(host, program, secrets).await;
                Ok(())
            }
        });
    }

    /// The switch of a host that runs a service, if there is such a host.
    #[must_use]
    pub fn power(&self, host: &str) -> Option<Power> {
        self.power.get(host).cloned()
    }

    /// What goes wrong, in order of time.
    pub fn faults(&mut self, faults: Vec<Fault>) {
        self.faults = faults;
    }

    /// Looks at the world from outside, again and again.
    pub fn every(&mut self, every: Duration, look: impl FnMut(&Trace) + 'static) {
        self.probes.push(Probe {
            every,
            next: every,
            look: Box::new(look),
        });
    }

    /// Looks at the world from outside when all clients are done.
    pub fn at_end(&mut self, look: impl FnOnce(&Trace) + 'static) {
        self.endings.push(Box::new(look));
    }

    fn host(&mut self, name: &str) -> Host {
        let power = Power::new();
        self.power.insert(name.to_owned(), power.clone());
        Host::new(
            name,
            self.trace.clone(),
            &self.dice.branch("hosts"),
            power,
            self.hosts.clone(),
        )
    }

    /// Runs until all clients are done, a promise is broken or the limit is reached. How long it
    /// took in simulated time, and what went wrong.
    pub(crate) fn run(mut self, limit: Duration) -> (Duration, Vec<Fault>) {
        let mut edges: Vec<(Duration, Edge, What)> = Vec::new();
        for fault in &self.faults {
            edges.push((fault.at, Edge::Begins, fault.what.clone()));
            edges.push((fault.until(), Edge::Ends, fault.what.clone()));
        }
        // Stable: a fault begins before it ends.
        edges.sort_by_key(|(at, ..)| *at);
        let mut edges = edges.into_iter().peekable();
        let done = loop {
            let now = self.sim.elapsed();
            self.trace.set_now(now);
            while let Some((_, edge, what)) = edges.next_if(|(at, ..)| *at <= now) {
                self.apply(edge, &what);
            }
            for probe in &mut self.probes {
                if probe.next <= now {
                    probe.next = now + probe.every;
                    (probe.look)(&self.trace);
                }
            }
            if self.trace.is_broken() {
                break false;
            }
            match self.sim.step() {
                Ok(true) => break true,
                Ok(false) if now >= limit => {
                    self.trace.violation(
                        "world",
                        format!("not done after {:.0} s", limit.as_secs_f64()),
                    );
                }
                Ok(false) => {}
                Err(error) => self
                    .trace
                    .violation("world", format!("a process ended: {error}")),
            }
        };
        if done {
            self.trace.set_now(self.sim.elapsed());
            for look in std::mem::take(&mut self.endings) {
                look(&self.trace);
            }
        }
        (self.sim.elapsed(), self.faults)
    }

    fn apply(&mut self, edge: Edge, what: &What) {
        let begins = edge == Edge::Begins;
        let text = match (edge, what) {
            (Edge::Begins, what) => what.to_string(),
            (Edge::Ends, What::Crash(host)) => format!("{host} is started again"),
            (Edge::Ends, What::Restart(_)) => return,
            (
                Edge::Ends,
                What::Partition([a, b])
                | What::OneWay([a, b])
                | What::Hold([a, b])
                | What::Slow([a, b]),
            ) => {
                format!("the way between {a} and {b} is whole again")
            }
            (Edge::Ends, What::Refuse | What::Stall | What::LoseAnswers) => {
                "the database is well again".to_owned()
            }
        };
        self.trace.fault("world", text);
        let sim = &mut self.sim;
        match what {
            What::Crash(host) if begins => sim.crash(host.as_str()),
            What::Crash(host) => sim.bounce(host.as_str()),
            What::Restart(host) => {
                if let Some(power) = self.power.get(host) {
                    power.restart();
                }
            }
            What::Partition([a, b]) if begins => sim.partition(a.as_str(), b.as_str()),
            What::Partition([a, b]) => sim.repair(a.as_str(), b.as_str()),
            What::OneWay([from, to]) if begins => sim.partition_oneway(from.as_str(), to.as_str()),
            What::OneWay([from, to]) => sim.repair_oneway(from.as_str(), to.as_str()),
            What::Hold([a, b]) if begins => sim.hold(a.as_str(), b.as_str()),
            What::Hold([a, b]) => sim.release(a.as_str(), b.as_str()),
            What::Slow([a, b]) => {
                let latency = if begins { SLOW } else { LATENCY };
                sim.set_link_max_message_latency(a.as_str(), b.as_str(), latency);
            }
            What::Refuse => self.mood(begins, Mood::Refusing),
            What::Stall => self.mood(begins, Mood::Stalled),
            What::LoseAnswers => self.mood(begins, Mood::LosingAnswers),
        }
    }

    fn mood(&self, begins: bool, mood: Mood) {
        if let Some(database) = &self.database {
            database.set_mood(if begins { mood } else { Mood::Well });
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.seed)
            .field("now", &self.sim.elapsed())
            .finish_non_exhaustive()
    }
}
