//! One run of a seed.

use crate::entropy;
use crate::faults::Fault;
use crate::logs::{Hosts, Logs};
use crate::trace::{Event, Kind, Trace};
use crate::world::World;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::Duration;
use tracing::Level;

/// How a run is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The run fails when it takes longer than this, in simulated time.
    pub limit: Duration,
    /// Up to which level the services' log lines go into the timeline; none by default.
    pub logs: Option<Level>,
    /// Whether panics are expected, because somebody catches them. By default each is a broken
    /// promise.
    pub panics: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limit: Duration::from_secs(60),
            logs: None,
            panics: false,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The hash of every byte sent and every event but log lines.
    pub hash: u64,
    /// How long it took in simulated time.
    pub simulated: Duration,
    /// What went wrong on purpose.
    pub faults: Vec<Fault>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What was counted, by name.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Outcome {
    /// Whether every promise was kept.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.violations().next().is_none()
    }

    /// The broken promises.
    pub fn violations(&self) -> impl Iterator<Item = &Event> {
        self.events
            .iter()
            .filter(|event| event.kind == Kind::Violation)
    }

    /// How many were counted of something.
    #[must_use]
    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }
}

/// Clock and randomness are the whole process's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Enough for the deep futures of unoptimized builds.
const STACK: usize = 16 * 1024 * 1024;

/// Builds a world and runs it, on a thread of its own: what a thread keeps to itself (the keys of
/// its hash maps) is made from the seed as well. Panics of the world are broken promises.
pub fn simulate(seed: u64, options: Options, build: impl FnOnce(&mut World) + Send) -> Outcome {
    let _alone = ONE_AT_A_TIME.lock();
    let trace = Trace::new();
    let usual = std::panic::take_hook();
    std::panic::set_hook({
        let trace = trace.clone();
        Box::new(move |panic| {
            if !options.panics {
                trace.panicked(format!("panic: {panic}"));
            }
        })
    });
    let (simulated, faults) = std::thread::scope(|scope| {
        let run = || {
            // Before anything on this thread asks for randomness.
            let _installed = entropy::install(seed);
            let hosts = Hosts::default();
            let run = || {
                let mut world = World::new(seed, trace.clone(), hosts.clone());
                build(&mut world);
                world.run(options.limit)
            };
            match options.logs {
                Some(level) => tracing::subscriber::with_default(
                    Logs {
                        trace: trace.clone(),
                        hosts: hosts.clone(),
                        level,
                    },
                    run,
                ),
                None => run(),
            }
        };
        let thread = std::thread::Builder::new()
            .name(format!("seed {seed}"))
            .stack_size(STACK);
        match thread
            .spawn_scoped(scope, run)
            .map(std::thread::ScopedJoinHandle::join)
        {
            Ok(Ok(ran)) => ran,
            // The hook has told what the panic said.
            Ok(Err(_panic)) => (Duration::ZERO, Vec::new()),
            Err(error) => {
                trace.violation("world", format!("no thread to run it on: {error}"));
                (Duration::ZERO, Vec::new())
            }
        }
    });
    std::panic::set_hook(usual);
    let (hash, events, counts) = trace.take();
    Outcome {
        seed,
        hash,
        simulated,
        faults,
        events,
        counts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::What;
    use std::collections::HashSet;
    use tokio::time::{Instant, timeout};

    #[test]
    fn what_libraries_take_from_the_system_follows_the_seed() {
        let order = |seed| {
            let outcome = simulate(seed, Options::default(), |world| {
                world.client("one", |host| async move {
                    let numbers: HashSet<u32> = (0..32).collect();
                    host.trace().note("one", format!("{numbers:?}"));
                });
            });
            outcome.events[0].text.clone()
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }

    #[test]
    fn what_tokio_draws_follows_the_seed() {
        let drawn = |seed| {
            let outcome = simulate(seed, Options::default(), |world| {
                world.client("one", |host| async move {
                    let mut drawn = String::new();
                    for _ in 0..32 {
                        tokio::select! {
                            () = std::future::ready(()) => drawn.push('a'),
                            () = std::future::ready(()) => drawn.push('b'),
                        }
                    }
                    host.trace().note("one", drawn);
                });
            });
            outcome.events[0].text.clone()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn a_panic_anywhere_is_a_broken_promise() {
        let outcome = simulate(1, Options::default(), |world| {
            world.client("one", |_host| async {
                drop(tokio::task::spawn_local(async { panic!("on purpose") }).await)
            });
        });
        assert!(
            outcome
                .violations()
                .any(|event| event.text.contains("on purpose")),
            "{:?}",
            outcome.events
        );
    }

    #[test]
    fn a_run_that_hangs_ends_at_its_limit() {
        let options = Options {
            limit: Duration::from_secs(3),
            ..Options::default()
        };
        let outcome = simulate(1, options, |world| {
            world.client("one", |_host| std::future::pending())
        });
        assert!(!outcome.holds());
        assert!(outcome.simulated < Duration::from_secs(4));
    }

    #[test]
    fn connecting_across_a_partition_is_met_with_silence() {
        let outcome = simulate(1, Options::default(), |world| {
            world.process("there", |host| async move {
                let mut listener = host.env().net.bind("0.0.0.0:1").await?;
                loop {
                    listener.accept().await?;
                }
            });
            let cut = What::Partition(["here".into(), "there".into()]);
            world.faults(vec![Fault {
                at: Duration::ZERO,
                lasts: Duration::from_secs(3),
                what: cut,
            }]);
            world.client("here", |host| async move {
                let began = Instant::now();
                let net = &host.env().net;
                let silence = timeout(Duration::from_millis(900), net.connect("there:1")).await;
                assert!(silence.is_err());
                // Asked again after 1 s and 2 s more, when the way is whole.
                assert!(net.connect("there:1").await.is_ok());
                assert!(Instant::now() - began < Duration::from_secs(5));
                assert!(net.connect("there:2").await.is_err());
            });
        });
        assert!(outcome.holds(), "{:?}", outcome.events);
    }
}
