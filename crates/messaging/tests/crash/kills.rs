//! `kill -9` at random times, at named steps, in the middle of writes and before syncs.

use crate::child::{Work, start, start_on};
use crate::journal::{Journal, history};
use crate::system::{LOG_PAGES, Parts};
use crate::traffic::{IN, OUT, TALLY, WORK};
use backlot_core::Dice;
use backlot_testkit::disk::{Disk, Fault, Run};
use backlot_testkit::history::{Rules, Verdict, check};
use backlot_testkit::{folder, knob};
use std::path::Path;
use std::time::Duration;

/// Where a child may be killed by its own hand.
const STEPS: [&str; 12] = [
    "receive",
    "inbox",
    "effect",
    "outbox",
    "commit",
    "acknowledge",
    "acknowledged",
    "publish",
    "published",
    "confirm",
    "tally",
    "tallied",
];
/// Files with what is on its way.
const LOGS: [&str; 2] = ["broker.db-wal", "state.db-wal"];
const FILES: [&str; 2] = ["broker.db", "state.db"];
/// More than a child can publish before it is killed.
const ENDLESS: u64 = 1_000_000;
/// A child that is not killed by then, because it does not come to its step so often, is killed.
const LONGEST: u64 = 400;

pub(crate) fn rules() -> Rules {
    Rules::new([(WORK, IN), (TALLY, OUT)])
}

/// Finishes what is in a folder, and checks the whole history.
pub(crate) async fn judge(folder: &Path, mut text: String) -> Verdict {
    let journal = Journal::kept();
    journal.line("start");
    let parts = Parts::open(folder, LOG_PAGES, journal.clone(), None).await;
    let parts = parts.unwrap_or_else(|error| {
        panic!("it does not open: {}", backlot_core::error::chain(&error));
    });
    let drained = parts.drain().await;
    parts.close().await;
    text.push_str(&journal.text());
    if let Err(problem) = drained {
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(40)..].join("\n");
        panic!("{problem}; {}\nlast:\n{last}", check(&text, &rules()));
    }
    check(&text, &rules())
}

/// How the next child is killed.
enum Kill {
    After(Duration),
    Step(String),
    Disk(Fault),
}

fn kill(dice: &Dice, has_disk: bool) -> Kill {
    let pick = |from: &[&'static str]| from[dice.below(from.len() as u64) as usize];
    match dice.below(if has_disk { 10 } else { 7 }) {
        0..=2 => Kill::After(Duration::from_millis(dice.below(200))),
        3..=6 => Kill::Step(format!("{}:{}", pick(&STEPS), 1 + dice.below(60))),
        7 => Kill::Disk(Fault::KilledAtSync(pick(&LOGS), 1 + dice.below(80))),
        8 => Kill::Disk(Fault::KilledAtWrite(pick(&LOGS), 1 + dice.below(300))),
        _ => Kill::Disk(Fault::KilledAtWrite(pick(&FILES), 1 + dice.below(40))),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_made_twice_through_a_hundred_kills() {
    let dice = Dice::seeded(crate::seed());
    let kills = knob::number("KILLS").unwrap_or(100);
    let (place, disk) = (folder(), Disk::build());
    let mut text = String::new();
    for run in 0..kills {
        let kill = kill(&dice, disk.is_some());
        let mut work = Work {
            run,
            count: ENDLESS,
            ..Work::default()
        };
        let mut longest = Duration::from_millis(LONGEST);
        let mut child = match (&kill, &disk) {
            (Kill::Disk(fault), Some(disk)) => {
                let on = Run {
                    folder: place.path().to_owned(),
                    faults: vec![fault.clone()],
                    syncs: true,
                    ..Run::default()
                };
                start_on(disk, &on, &work)
            }
            (Kill::Step(step), _) => {
                work.kill = Some(step.clone());
                start(place.path(), &work)
            }
            (Kill::After(time), _) => {
                longest = *time;
                start(place.path(), &work)
            }
            (Kill::Disk(_), None) => continue,
        };
        // It ends by itself, or is killed; how it ended does not matter.
        let ended = tokio::time::timeout(longest, child.ended()).await;
        if ended.is_err() {
            child.kill().await;
        }
        let error = child.err();
        assert!(!error.contains("panicked"), "{error}");
        text.push_str(&history(&child.out()));
    }
    let verdict = judge(place.path(), text).await;
    verdict.expect_sound();
    assert!(verdict.acknowledged > 1_000, "{verdict}");
    let repeated = verdict.deliveries.saturating_sub(verdict.stored);
    // What was out when a process died comes again, and no more than that.
    let out = (kills as usize + 1) * 5 * 16 * 2;
    assert!(repeated < verdict.stored / 2 + out, "{verdict}");
    report(&verdict);
}

#[expect(clippy::print_stderr, reason = "how much was under test")]
fn report(verdict: &Verdict) {
    eprintln!("{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_named_step_is_come_to() {
    for step in STEPS {
        let place = folder();
        let work = Work {
            count: ENDLESS,
            kill: Some(format!("{step}:2")),
            ..Work::default()
        };
        let mut child = start(place.path(), &work);
        child.ended().await;
        let text = history(&child.out());
        judge(place.path(), text).await.expect_sound();
    }
}
