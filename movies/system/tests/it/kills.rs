//! kill -9 of any process at any moment, under load.
//!
//! The promise: a write that was acknowledged is there, once; a write that was not can be repeated
//! under its key until it is. Workers rate films and take ratings back, each for a user of its own,
//! repeating what was not acknowledged; meanwhile processes are killed, as seeded dice say. In the
//! end what the workers were told ([`shadow`]) has to equal what is stored, by every way of asking:
//! every rating, the aggregate of every film, and the number of changes it went through, so that a
//! write that happened twice and was put right would show too.
//!
//! `KILLS=1000 SEED=7 cargo test -p movies-system --test it kills -- --nocapture` kills more often,
//! and otherwise.

mod events;
mod queues;
mod shadow;
mod store;
mod workload;

use crate::site::{Site, nobody_panicked};
use backlot::Dice;
use backlot_testkit::process::{children, signal};
use backlot_testkit::{Process, knob, wait_until};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use workload::Workload;

/// How often, unless `KILLS` says otherwise.
struct Plan {
    kills: u64,
    dice: Dice,
}

impl Plan {
    fn new(kills: u64) -> Plan {
        let seed = knob::number("SEED").unwrap_or(1895);
        let kills = knob::number("KILLS").unwrap_or(kills);
        println!("{kills} kills; SEED={seed} gives the same dice");
        Plan {
            kills,
            dice: Dice::seeded(seed),
        }
    }

    /// A time drawn from the dice: when faults happen is the test's input, not a wait for anything.
    async fn some_time(&self, at_most: Duration) {
        tokio::time::sleep(at_most.mul_f64(self.dice.unit())).await;
    }

    fn pick<'a>(&self, among: &[&'a str]) -> &'a str {
        let index = usize::try_from(self.dice.below(among.len() as u64)).unwrap();
        among[index]
    }

    /// Whether this happens, so many times out of a hundred.
    fn happens(&self, percent: u64) -> bool {
        self.dice.below(100) < percent
    }
}

/// Everything in one process.
#[tokio::test]
async fn no_acknowledged_write_is_lost_or_doubled_when_the_one_process_is_killed() {
    let plan = Plan::new(10);
    let site = Arc::new(Site::new());
    let start = || site.movies(&["--no-sample"]).start();
    let mut movies = start();
    wait_until("all services are ready", async || site.all_ready().await).await;
    let load = Workload::start(&site, &plan.dice);
    for _ in 0..plan.kills {
        plan.some_time(Duration::from_millis(900)).await;
        movies.kill().await;
        nobody_panicked(&movies.said());
        movies = start();
        if plan.happens(50) {
            movies
                .wait_until("all services are ready", async || site.all_ready().await)
                .await;
        }
    }
    let shadow = load.finish().await;
    movies.kill().await;
    movies = start();
    movies
        .wait_until("all services are ready", async || site.all_ready().await)
        .await;
    shadow.equals_what_is_answered(&site).await;
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
    store::equals(&shadow, &site.file("rating.db"));
}

/// Each service on its own; whoever hosts the registry is killed like all others.
#[tokio::test]
async fn no_acknowledged_write_is_lost_or_doubled_when_processes_are_killed() {
    const SERVICES: [&str; 4] = ["auth", "metadata", "rating", "movie"];
    let plan = Plan::new(24);
    let site = Arc::new(Site::new());
    let start = |service: &str| site.movies(&[service]).start();
    let mut running: BTreeMap<&str, Process> =
        SERVICES.map(|service| (service, start(service))).into();
    let ready = async || match backlot_testkit::http::get(&site.admin("rating"), "/ready").await {
        Ok(answer) if answer.status.as_u16() == 200 && site.file("auth.key").exists() => Ok(()),
        other => Err(format!("{other:?}")),
    };
    wait_until("rating is ready", ready).await;
    let load = Workload::start(&site, &plan.dice);
    for _ in 0..plan.kills {
        plan.some_time(Duration::from_millis(500)).await;
        // The one that holds the ratings is the most interesting.
        let victim = if plan.happens(50) {
            "rating"
        } else {
            plan.pick(&SERVICES)
        };
        let process = running.get_mut(victim).unwrap();
        process.kill().await;
        nobody_panicked(&process.said());
        plan.some_time(Duration::from_millis(200)).await;
        *process = start(victim);
        if plan.happens(50) {
            process.wait_until("rating is ready", ready).await;
        }
    }
    let shadow = load.finish().await;
    for (service, process) in &mut running {
        process.kill().await;
        nobody_panicked(&process.said());
        *process = start(service);
    }
    wait_until("rating is ready", ready).await;
    shadow.equals_what_is_answered(&site).await;
    for (service, process) in &mut running {
        process.terminate();
        assert_eq!(
            process.exit_code().await,
            0,
            "{service}: {}",
            process.said()
        );
    }
    store::equals(&shadow, &site.file("rating.db"));
}

/// As a fleet, which restarts its children by itself, and is itself killed now and then.
#[tokio::test]
async fn no_acknowledged_write_is_lost_or_doubled_when_a_fleet_or_its_children_are_killed() {
    let plan = Plan::new(8);
    let site = Arc::new(Site::new());
    let start = || site.movies(&["fleet", "--no-sample"]).start();
    let mut fleet = start();
    fleet
        .wait_until("all services are ready", async || site.all_ready().await)
        .await;
    let load = Workload::start(&site, &plan.dice);
    for kill in 1..=plan.kills {
        plan.some_time(Duration::from_millis(1500)).await;
        // A child that crashes again and again waits longer and longer: a new fleet begins anew.
        if kill % 5 == 0 {
            let orphans: Vec<i32> = children(fleet.pid())
                .into_iter()
                .map(|(pid, _)| pid)
                .collect();
            fleet.kill().await;
            wait_until("the children are gone", async || {
                let left: Vec<_> = orphans
                    .iter()
                    .filter(|pid| backlot_testkit::process::runs(**pid))
                    .collect();
                if left.is_empty() {
                    Ok(())
                } else {
                    Err(format!("{left:?}"))
                }
            })
            .await;
            fleet = start();
            continue;
        }
        let victim = plan.pick(&[
            "auth", "broker", "rating", "rating", "metadata", "movie", "web",
        ]);
        let is_victim =
            |arguments: &[String]| arguments.get(1).is_some_and(|first| first == victim);
        if let Some((pid, _)) = children(fleet.pid())
            .iter()
            .find(|(_, arguments)| is_victim(arguments))
        {
            // It may have ended just now.
            drop(signal(*pid, Signal::SIGKILL));
        }
    }
    let shadow = load.finish().await;
    fleet
        .wait_until("all services are ready", async || site.all_ready().await)
        .await;
    shadow.equals_what_is_answered(&site).await;
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
    nobody_panicked(&fleet.said());
    store::equals(&shadow, &site.file("rating.db"));
}
