//! Flipped bits: what was acknowledged comes back right, or it is said that it does not.

use crate::child::{Work, start, start_on};
use crate::journal::{Journal, history};
use crate::system::{LOG_PAGES, Parts};
use crate::traffic::{IN, OUT};
use backlot_core::Dice;
use backlot_testkit::disk::{Disk, Fault, Run};
use backlot_testkit::history::{Kind, Rules, Verdict, check};
use backlot_testkit::{folder, knob};
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

/// The files of a folder.
type Files = BTreeMap<String, Vec<u8>>;

/// How often a bit is flipped in each kind of file.
const FLIPS: u64 = 60;

fn files(place: &Path) -> Files {
    let entries = std::fs::read_dir(place).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| !name.ends_with("-shm"));
    names
        .map(|name| (name.clone(), std::fs::read(place.join(name)).unwrap()))
        .collect()
}

fn laid_out(files: &Files) -> TempDir {
    let place = tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_not_there| folder());
    for (name, bytes) in files {
        std::fs::write(place.path().join(name), bytes).unwrap();
    }
    place
}

/// What a new reader of the log finds, or why there is none.
async fn read(files: &Files, before: &str) -> Result<Verdict, String> {
    let place = laid_out(files);
    let journal = Journal::kept();
    let said = |error: backlot_messaging::Error| backlot_core::error::chain(&error).to_string();
    let parts = Parts::open(place.path(), LOG_PAGES, journal.clone(), None).await;
    let parts = parts.map_err(said)?;
    let read = tokio::time::timeout(std::time::Duration::from_secs(20), parts.read_log()).await;
    parts.close().await;
    read.map_err(|_| "it does not come to an end".to_owned())?
        .map_err(said)?;
    let text = format!("{before}{}", journal.text());
    Ok(check(&text, &rules()))
}

/// Only the log itself: groups begin after it.
fn rules() -> Rules {
    Rules::new([("audit", IN), ("audit", OUT)]).with_told_gaps()
}

/// What must not be said of a log with a flipped bit. That groups have made no effects is so here.
fn silent(verdict: &Verdict) -> Vec<Kind> {
    let kinds = verdict.kinds().into_iter();
    kinds
        .filter(|kind| {
            !matches!(
                kind,
                Kind::MissingEffect | Kind::DeadLetters | Kind::NotAgain
            )
        })
        .collect()
}

/// Flips bits of one file in turn; answers how often it was refused, told, and harmless.
async fn flip(files: &Files, name: &str, before: &str, dice: &Dice, to: usize) -> [usize; 3] {
    let mut counts = [0; 3];
    for _ in 0..knob::number("FLIPS").unwrap_or(FLIPS) {
        let mut damaged = files.clone();
        let bytes = damaged.get_mut(name).unwrap();
        let bit = dice.below((bytes.len().min(to) * 8) as u64) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        match read(&damaged, before).await {
            Err(told) => {
                assert!(!told.contains("panic"), "bit {bit} of {name}: {told}");
                counts[0] += 1;
            }
            Ok(verdict) => {
                assert_eq!(silent(&verdict), [], "bit {bit} of {name}: {verdict}");
                let whole = verdict.stored >= verdict.acknowledged;
                counts[if whole { 2 } else { 1 }] += 1;
            }
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_that_flips_in_the_file_is_never_passed_over_in_silence() {
    let dice = Dice::seeded(crate::seed());
    let place = folder();
    let work = Work {
        count: 150,
        ..Work::default()
    };
    let mut child = start(place.path(), &work);
    child.ended().await;
    let before = history(&child.out());
    assert!(before.ends_with("# all is done\n"), "{}", child.said());
    let files = files(place.path());
    read(&files, &before).await.unwrap();
    let counts = flip(&files, "broker.db", &before, &dice, usize::MAX).await;
    assert!(counts[0] + counts[1] > 0, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_that_flips_in_the_write_ahead_log_is_never_passed_over_in_silence() {
    let Some(disk) = Disk::build() else { return };
    let dice = Dice::seeded(crate::seed());
    let place = folder();
    let run = Run {
        folder: place.path().to_owned(),
        faults: vec![Fault::KilledAtSync("broker.db-wal", 60)],
        ..Run::default()
    };
    let work = Work {
        count: 150,
        // Frames of a log that was moved and begun anew mean nothing, whatever their bits.
        keeps_log: true,
        ..Work::default()
    };
    let mut child = start_on(&disk, &run, &work);
    child.ended().await;
    // What is in the outbox may not be in the log yet.
    let before = history(&child.out()).replace("ok r-", "unknown r-");
    let files = files(place.path());
    let sound = read(&files, &before).await.unwrap();
    assert_eq!(silent(&sound), [], "{sound}");
    let log = &files["broker.db-wal"];
    // Of the last commit, and of the one before, nothing proves that they were ever whole.
    let counts = flip(&files, "broker.db-wal", &before, &dice, log.len() / 2).await;
    assert!(counts[0] > 0, "{counts:?}");
}
