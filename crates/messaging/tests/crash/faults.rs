//! Disks that fail, fill up, and take less than they were given.

use crate::child::{Work, start_on};
use crate::journal::history;
use crate::kills::judge;
use backlot_testkit::disk::{Disk, Fault, Run};
use backlot_testkit::history::Verdict;
use backlot_testkit::{Process, folder};

const COUNT: u64 = 40;

/// What a child said and came to on a disk with these faults, without being started again.
async fn met(disk: &Disk, faults: &[Fault]) -> (String, Verdict) {
    let place = folder();
    let run = Run {
        folder: place.path().to_owned(),
        faults: faults.to_vec(),
        ..Run::default()
    };
    let work = Work {
        count: COUNT,
        ..Work::default()
    };
    let mut child = start_on(disk, &run, &work);
    child.ended().await;
    let text = finished(&child);
    let verdict = judge(place.path(), text.clone()).await;
    (text, verdict)
}

/// The history of a child that finished all it had to do.
fn finished(child: &Process) -> String {
    let text = history(&child.out());
    assert!(text.ends_with("# all is done\n"), "{}", child.said());
    text
}

/// How often somebody was told that it did not work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_acknowledges_nothing_and_the_next_goes_well() {
    let Some(disk) = Disk::build() else { return };
    for fault in [
        Fault::SyncFails("broker.db-wal", 12),
        Fault::SyncFails("broker.db-wal", 31),
        Fault::SyncFails("state.db-wal", 20),
    ] {
        let (text, verdict) = met(&disk, std::slice::from_ref(&fault)).await;
        assert!(verdict.is_sound(), "{fault}: {verdict}");
        assert!(text.contains("\n# "), "{fault}: somebody was told: {text}");
        assert!(text.lines().count() > 300, "{fault}: it went on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_checkpoint_loses_nothing() {
    let Some(disk) = Disk::build() else { return };
    for fault in [
        Fault::SyncFails("broker.db", 3),
        Fault::WriteFails("broker.db", 40),
        Fault::SyncFails("state.db", 3),
    ] {
        let (_, verdict) = met(&disk, std::slice::from_ref(&fault)).await;
        assert!(verdict.is_sound(), "{fault}: {verdict}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_or_is_short_loses_nothing() {
    let Some(disk) = Disk::build() else { return };
    let faults = [
        vec![Fault::WriteFails("broker.db-wal", 250)],
        vec![Fault::WriteFails("state.db-wal", 277)],
        // A page, and the head of a frame.
        vec![Fault::ShortWrite("broker.db-wal", 260, 1000)],
        vec![Fault::ShortWrite("broker.db-wal", 261, 10)],
        vec![Fault::ShortWrite("broker.db", 30, 512)],
        vec![
            Fault::ShortWrite("state.db-wal", 240, 7),
            Fault::SyncFails("state.db-wal", 15),
        ],
    ];
    for faults in faults {
        let (_, verdict) = met(&disk, &faults).await;
        assert!(verdict.is_sound(), "{faults:?}: {verdict}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_until_it_has_space_and_nobody_restarts() {
    let Some(disk) = Disk::build() else { return };
    let (place, outside) = (folder(), folder());
    let space = outside.path().join("space");
    let run = Run {
        folder: place.path().to_owned(),
        faults: vec![Fault::Full(900_000)],
        space: Some(space.clone()),
        ..Run::default()
    };
    let work = Work {
        count: COUNT * 4,
        ..Work::default()
    };
    let mut child = start_on(&disk, &run, &work);
    // Whoever comes first: when the consumer cannot settle, publishers wait for it.
    let refused = |line: &str| line.contains("disk is full");
    child.wait_for_line("somebody is refused", refused).await;
    let so_far = child.lines().len();
    std::fs::write(&space, "").unwrap();
    let kept = |line: &str| line.starts_with("| ok ");
    child.wait_for_line_after(so_far, "it goes on", kept).await;
    child.ended().await;
    let text = finished(&child);
    judge(place.path(), text).await.expect_sound();
}
