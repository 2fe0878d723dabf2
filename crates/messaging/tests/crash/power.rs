//! Lost power: of what was not synced, anything may be gone, in any order, in part.

use crate::child::{Work, start_on};
use crate::journal::{Journal, history};
use crate::kills::rules;
use crate::system::{LOG_PAGES, Parts};
use backlot_core::Dice;
use backlot_testkit::disk::image::{LOSSES, Loss, Platter, lay_out};
use backlot_testkit::disk::record::{Event, read};
use backlot_testkit::disk::{Disk, Fault, Run};
use backlot_testkit::history::{Kind, Verdict, check};
use backlot_testkit::{folder, knob};
use std::collections::BTreeSet;
use std::path::Path;
use tempfile::TempDir;

/// How many messages each publisher sends before the power is lost.
const COUNT: u64 = 60;

/// What happened to a disk under one child after the other.
async fn recorded(disk: &Disk, runs: &[Vec<Fault>], count: u64) -> Vec<Event> {
    let (place, outside) = (folder(), folder());
    let log = outside.path().join("log");
    for (number, faults) in (0..).zip(runs) {
        let run = Run {
            folder: place.path().to_owned(),
            log: Some(log.clone()),
            faults: faults.clone(),
            ..Run::default()
        };
        let work = Work {
            run: number,
            count,
            ..Work::default()
        };
        let mut child = start_on(disk, &run, &work);
        child.ended().await;
        let error = child.err();
        assert!(!error.contains("panicked"), "{error}");
    }
    read(&std::fs::read(log).unwrap())
}

/// A folder whose syncs cost nothing, where the machine has such: whoever judges an image loses no
/// power any more.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_not_there| folder())
}

/// What was said before an event.
fn said(events: &[Event], cut: usize) -> String {
    let said = events[..cut].iter().filter_map(|event| match event {
        Event::Said(text) => Some(text.as_str()),
        _ => None,
    });
    history(&said.collect::<String>())
}

/// Opens what a disk holds, finishes what is there, and checks it together with what was said
/// before the power was lost.
async fn judge(place: &Path, mut text: String) -> Result<Verdict, String> {
    let journal = Journal::kept();
    journal.line("start");
    let parts = Parts::open(place, LOG_PAGES, journal.clone(), None).await;
    let parts = parts.map_err(|error| backlot_core::error::chain(&error).to_string())?;
    let drained = parts.drain().await;
    parts.close().await;
    drained?;
    text.push_str(&journal.text());
    Ok(check(&text, &rules()))
}

/// Where the power may be lost: around every sync, and anywhere between.
fn cuts(events: &[Event], dice: &Dice, count: usize) -> BTreeSet<usize> {
    let opened = events
        .iter()
        .position(|event| matches!(event, Event::Said(text) if text.contains("it is open")));
    let first = opened.unwrap();
    let is_sync = |event: &Event| matches!(event, Event::Synced { .. });
    let syncs: Vec<usize> = (first..events.len())
        .filter(|index| is_sync(&events[*index]))
        .collect();
    let mut cuts = BTreeSet::new();
    while cuts.len() < count.min(events.len() - first) {
        let at = match dice.below(3) {
            // Right before one, and right after: what it was to keep is lost, or may not be.
            0 => syncs[dice.below(syncs.len() as u64) as usize],
            1 => syncs[dice.below(syncs.len() as u64) as usize] + 1,
            _ => first + dice.below((events.len() - first) as u64) as usize,
        };
        cuts.insert(at);
    }
    cuts
}

/// Loses the power at so many points, and expects that nothing is wrong.
async fn lose_often(events: &[Event], seed: u64, count: usize) -> usize {
    let dice = Dice::seeded(seed);
    let cuts = cuts(events, &dice, count);
    let (mut platter, mut at) = (Platter::new(dice.branch("platter")), 0);
    for (index, cut) in cuts.iter().enumerate() {
        for event in &events[at..*cut] {
            platter.apply(event);
        }
        at = *cut;
        let loss = LOSSES[index % LOSSES.len()];
        let image = platter.lose(loss, &dice);
        let place = in_memory();
        lay_out(&image, place.path());
        match judge(place.path(), said(events, *cut)).await {
            Ok(verdict) => assert!(verdict.is_sound(), "cut at {cut}, {loss:?}: {verdict}"),
            Err(problem) => panic!("cut at {cut}, {loss:?}: {problem}"),
        }
    }
    cuts.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_lost_power() {
    let Some(disk) = Disk::build() else { return };
    let seed = crate::seed();
    let images = knob::number("IMAGES").unwrap_or(220) as usize;
    let events = recorded(&disk, &[vec![]], COUNT).await;
    assert_eq!(lose_often(&events, seed, images).await, images);
}

/// What the second process found, but nobody had synced, may be gone after the power was lost: it
/// must be kept before anybody sees it, also when its sync had failed and no later one helps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_kill_left_is_kept_before_it_is_served() {
    let Some(disk) = Disk::build() else { return };
    let seed = crate::seed();
    for fault in [
        Fault::KilledAtSync("broker.db-wal", 17),
        Fault::KilledAtFailedSync("broker.db-wal", 18),
        Fault::KilledAtFailedSync("broker.db-wal", 25),
        Fault::KilledAtFailedSync("state.db-wal", 9),
    ] {
        let events = recorded(&disk, &[vec![fault.clone()], vec![]], 10).await;
        let is_open =
            |event: &Event| matches!(event, Event::Said(text) if text.contains("it is open"));
        let second = events.iter().rposition(is_open).unwrap();
        let dice = Dice::seeded(seed);
        let mut platter = Platter::new(dice.branch("platter"));
        for (index, event) in events.iter().enumerate() {
            platter.apply(event);
            let after = index.checked_sub(second).unwrap_or(usize::MAX);
            if !(after < 40 && after % 8 == 0 || index + 1 == events.len()) {
                continue;
            }
            let place = in_memory();
            lay_out(&platter.lose(Loss::Everything, &dice), place.path());
            match judge(place.path(), said(&events, index + 1)).await {
                Ok(verdict) => assert!(verdict.is_sound(), "{fault}, {after} later: {verdict}"),
                Err(problem) => panic!("{fault}, {after} later: {problem}"),
            }
        }
    }
}

/// A disk that says that it has synced and has not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_lies_is_found_out() {
    let Some(disk) = Disk::build() else { return };
    let events = recorded(&disk, &[vec![]], 10).await;
    let mut platter = Platter::new(Dice::seeded(1));
    let opened = events
        .iter()
        .position(|event| matches!(event, Event::Said(text) if text.contains("it is open")));
    for (index, event) in events.iter().enumerate() {
        let lied = index > opened.unwrap()
            && matches!(event, Event::Synced { name } if name == "broker.db-wal" || name == "broker.db");
        if !lied {
            platter.apply(event);
        }
    }
    let place = in_memory();
    lay_out(
        &platter.lose(Loss::Everything, &Dice::seeded(1)),
        place.path(),
    );
    let verdict = judge(place.path(), said(&events, events.len()))
        .await
        .unwrap();
    assert!(verdict.kinds().contains(&Kind::Lost), "{verdict}");
}
