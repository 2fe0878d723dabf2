//! One run of a drill.

use crate::desk::contract::{DeskClient, ReadRequest, WriteRequest};
use crate::desk::{self, Mood, Stage};
use crate::drill::{AFTER, BEFORE, CALLER, Drill, INSTANCES, Trouble, Without, host};
use crate::measure::{Call, Figures};
use backlot::rpc::policy::{Knobs, Policy};
use backlot::rpc::was_made;
use backlot::{Context, Error};
use backlot_sim::service::REGISTRY;
use backlot_sim::{Event, Fault, Host, Options, Program, What, World, simulate};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long the instances have to be found and connected to, before anything counts.
const WARM_UP: Duration = Duration::from_secs(3);
/// Of so many calls one writes.
const WRITES: u64 = 5;
/// How long the caller of a call waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs a drill with its defences, or without; what it came to.
///
/// # Errors
/// When the world cannot be built or does not come to its end: the words say why.
pub fn run(drill: &Drill, seed: u64, defended: bool) -> anyhow::Result<Figures> {
    told(drill, seed, defended).map(|(figures, _)| figures)
}

/// The same, and what happened, in order.
///
/// # Errors
/// As [`run`].
pub fn told(drill: &Drill, seed: u64, defended: bool) -> anyhow::Result<(Figures, Vec<Event>)> {
    let mut policy = Policy::default();
    (drill.with)(&mut policy);
    let mut drains = true;
    match drill.without {
        Without::Policy(switch_off) if !defended => switch_off(&mut policy),
        Without::Drain => drains = defended,
        _ => {}
    }
    let (stage, watched) = (Stage::default(), Watched::default());
    let total = WARM_UP + BEFORE + drill.lasts + AFTER;
    let options = Options {
        limit: total + Duration::from_secs(30),
        ..Options::default()
    };
    let outcome = simulate(seed, options, |world| {
        let built = build(world, drill, (policy, drains), &stage, &watched);
        if let Err(problem) = built {
            let why = format!("it cannot be built: {problem:#}");
            world.trace().violation("world", why);
        }
    });
    if let Some(broken) = outcome.violations().next() {
        anyhow::bail!("{broken}");
    }
    let from = WARM_UP + BEFORE;
    let calls = watched.calls.lock();
    let after_warm_up: Vec<_> = calls
        .iter()
        .filter(|call| call.began >= WARM_UP)
        .copied()
        .collect();
    let sent = watched.sent_since.load(Ordering::Relaxed);
    let times = (from, from + drill.lasts);
    let figures = Figures::of(&after_warm_up, times, sent, |number| stage.written(number));
    Ok((figures, outcome.events))
}

/// What is seen of a run.
#[derive(Clone, Debug, Default)]
struct Watched {
    calls: Arc<Mutex<Vec<Call>>>,
    /// Attempts since the trouble began.
    sent_since: Arc<AtomicU64>,
}

fn build(
    world: &mut World,
    drill: &Drill,
    (policy, drains): (Policy, bool),
    stage: &Stage,
    watched: &Watched,
) -> anyhow::Result<()> {
    world.registry();
    for number in 1..=INSTANCES {
        let host = host(number);
        let service = desk::service(stage);
        let mut set = vec![format!("desk.host={host}")];
        if !drains {
            set.push("desk.server.drain=0s".to_owned());
        }
        let program =
            Program::of(&service, &host, &set).map_err(|wrong| anyhow::anyhow!("{wrong}"))?;
        let program = match drains {
            true => program,
            false => program.spreading(Duration::ZERO),
        };
        world.service(&host, program);
    }
    world.faults(faults(drill));
    let (load, stage, moods) = (*drill, stage.clone(), stage.clone());
    let watched = watched.clone();
    world.client(CALLER, move |host| call(host, load, policy, stage, watched));
    let powers: Vec<_> = (1..=INSTANCES)
        .filter_map(|number| world.power(&host(number)))
        .collect();
    let trouble = *drill;
    world.client("director", move |_host| async move {
        tokio::time::sleep(WARM_UP + BEFORE).await;
        match trouble.trouble {
            Trouble::Moods(count, mood) => {
                (1..=count).for_each(|number| moods.set(&host(number), mood));
                tokio::time::sleep(trouble.lasts).await;
                (1..=count).for_each(|number| moods.set(&host(number), Mood::Well));
            }
            Trouble::Rolling => {
                for power in powers {
                    power.stop().await;
                    power.start().await;
                    // Whoever rolls waits until the new one is ready, and a little longer.
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
            }
            _ => {}
        }
    });
    Ok(())
}

fn faults(drill: &Drill) -> Vec<Fault> {
    let at = WARM_UP + BEFORE;
    let lasts = drill.lasts;
    let first = || [CALLER.to_owned(), host(1)];
    let one = |what| vec![Fault { at, lasts, what }];
    let again = |every: Duration, host: &str| {
        let times = lasts.as_millis() / every.as_millis();
        let fault = |time| Fault {
            at: at + every * u32::try_from(time).unwrap_or(u32::MAX),
            lasts: Duration::from_secs(1),
            what: What::Crash(host.to_owned()),
        };
        (0..times).map(fault).collect()
    };
    match drill.trouble {
        Trouble::Kills => again(Duration::from_secs(2), &host(1)),
        Trouble::OneWay => one(What::OneWay(first())),
        Trouble::BothWays => one(What::Partition(first())),
        Trouble::NoRegistry => one(What::Crash(REGISTRY.to_owned())),
        Trouble::RegistryFlaps => again(Duration::from_secs(4), REGISTRY),
        Trouble::Forgotten => (1..=INSTANCES)
            .map(|number| Fault {
                at,
                lasts,
                what: What::Partition([REGISTRY.to_owned(), host(number)]),
            })
            .collect(),
        Trouble::Moods(..) | Trouble::Rolling => Vec::new(),
    }
}

/// Calls at a rate, however the calls before fare.
async fn call(host: Host, drill: Drill, policy: Policy, stage: Stage, watched: Watched) {
    let caller = host.caller().with_knobs(&Knobs::new(policy));
    let desk: DeskClient = caller.client();
    let total = WARM_UP + BEFORE + drill.lasts + AFTER;
    let pause = Duration::from_secs(1) / drill.rate;
    let dice = host.dice("arrivals");
    let (mut calls, began) = (JoinSet::new(), Instant::now());
    let mut number = 0;
    let mut before = None;
    let unmade = Arc::new(Mutex::new(Vec::new()));
    while Instant::now() - began < total {
        if before.is_none() && host.elapsed() >= WARM_UP + BEFORE {
            before = Some(stage.came());
        }
        number += 1;
        let (desk, host) = (desk.clone(), host.clone());
        let (seen, unmade) = (Arc::clone(&watched.calls), Arc::clone(&unmade));
        calls.spawn_local(async move {
            let (at, started) = (host.elapsed(), Instant::now());
            let cx = Context::background().with_timeout(PATIENCE);
            let wrote = (number % WRITES == 0).then_some(number);
            let outcome: Result<(), Error> = match wrote {
                Some(number) => desk.write(&cx, WriteRequest { number }).await.map(drop),
                None => desk.read(&cx, ReadRequest { number }).await.map(drop),
            };
            if let Err(error) = &outcome {
                let what = if wrote.is_some() { "write" } else { "read" };
                let took = (Instant::now() - started).as_millis();
                let told = format!("{what} {number} failed after {took} ms: {}", error.chain());
                host.trace().detail(CALLER, told);
            }
            seen.lock().push(Call {
                began: at,
                took: Instant::now() - started,
                well: outcome.is_ok(),
                wrote,
            });
            if let (Err(error), Some(number)) = (&outcome, wrote)
                && !was_made(error)
            {
                unmade.lock().push(number);
            }
        });
        while calls.try_join_next().is_some() {}
        // As callers come who do not know of each other: exponentially spread.
        let spread = -(1.0 - dice.unit()).ln();
        tokio::time::sleep(pause.mul_f64(spread)).await;
    }
    while calls.join_next().await.is_some() {}
    // What still goes on at an instance has ended.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for number in unmade.lock().iter() {
        if stage.written(*number) > 0 {
            let told = format!("{number} was made, and its caller told that it was not");
            host.trace().violation(CALLER, told);
        }
    }
    let came = stage.came() - before.unwrap_or_default();
    watched.sent_since.store(came, Ordering::Relaxed);
}
