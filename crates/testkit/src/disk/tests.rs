use super::image::{Image, LOSSES, Loss, Platter};
use super::record::{Event, read};
use super::*;
use backlot_core::Dice;

fn written(name: &str, offset: u64, data: &[u8]) -> Event {
    Event::Written {
        name: name.into(),
        offset,
        data: data.to_vec(),
    }
}

fn synced(name: &str) -> Event {
    Event::Synced { name: name.into() }
}

fn platter(events: &[Event]) -> Platter {
    let mut platter = Platter::new(Dice::seeded(1));
    for event in events {
        platter.apply(event);
    }
    platter
}

/// Everything that may be there.
fn images(events: &[Event]) -> Vec<Image> {
    let platter = platter(events);
    let dice = Dice::seeded(2);
    let losses = LOSSES.into_iter().cycle().take(500);
    losses.map(|loss| platter.lose(loss, &dice)).collect()
}

#[test]
fn what_was_synced_is_there_and_what_was_not_may_be() {
    let events = [
        Event::Made { name: "a".into() },
        written("a", 0, b"old"),
        synced("a"),
        synced("."),
        written("a", 0, b"new"),
        written("a", 4, b"end"),
    ];
    let mut found: Vec<Vec<u8>> = images(&events)
        .into_iter()
        .map(|image| image["a"].clone())
        .collect();
    found.sort();
    found.dedup();
    let expected: [&[u8]; 4] = [b"new", b"new\0end", b"old", b"old\0end"];
    assert_eq!(found, expected);
    assert_eq!(
        platter(&events).lose(Loss::Nothing, &Dice::seeded(1))["a"],
        b"new\0end"
    );
    assert_eq!(
        platter(&events).lose(Loss::Everything, &Dice::seeded(1))["a"],
        b"old"
    );
}

#[test]
fn a_write_is_torn_at_sectors() {
    let events = [
        Event::Made { name: "a".into() },
        synced("."),
        written("a", 0, &[7; 1024]),
    ];
    let torn = images(&events).into_iter().any(|image| {
        let bytes = &image["a"];
        bytes.len() == 1024 && bytes[..512] == [0; 512] && bytes[512..] == [7; 512]
    });
    assert!(torn, "the second sector without the first");
}

#[test]
fn a_name_may_be_missing_until_its_folder_was_synced() {
    let made = [
        Event::Made { name: "a".into() },
        written("a", 0, b"x"),
        synced("a"),
    ];
    let there = |events: &[Event]| {
        let images = images(events);
        let count = images
            .iter()
            .filter(|image| image.contains_key("a"))
            .count();
        (count, images.len())
    };
    let (count, all) = there(&made);
    assert!(count > 0 && count < all, "{count} of {all}");
    let mut kept = made.to_vec();
    kept.push(synced("."));
    assert_eq!(there(&kept), (500, 500));
    kept.push(Event::Removed { name: "a".into() });
    let (count, all) = there(&kept);
    assert!(count > 0 && count < all, "{count} of {all}");
    kept.push(synced("."));
    assert_eq!(there(&kept), (0, 500));
}

#[test]
fn what_a_failed_sync_was_to_keep_may_be_gone_for_good() {
    let events = [
        Event::Made { name: "a".into() },
        synced("."),
        written("a", 0, b"x"),
        Event::SyncFailed { name: "a".into() },
        written("a", 1, b"y"),
        synced("a"),
    ];
    let found: Vec<Vec<u8>> = (0..20)
        .map(|seed| {
            let mut platter = Platter::new(Dice::seeded(seed));
            events.iter().for_each(|event| platter.apply(event));
            platter.lose(Loss::Everything, &Dice::seeded(1))["a"].clone()
        })
        .collect();
    assert!(found.contains(&b"\0y".to_vec()), "{found:?}");
}

async fn shell(disk: &Disk, run: &Run, script: &str) -> crate::process::Ended {
    let program = Program::new("/bin/sh").args(["-c", script]);
    disk.under(program, run).run().await
}

#[tokio::test]
async fn what_a_child_does_is_written_down_in_order_with_what_it_says() {
    let Some(disk) = Disk::build() else { return };
    let (watched, outside) = (folder(), folder());
    let run = Run {
        folder: watched.path().to_owned(),
        log: Some(outside.path().join("log")),
        ..Run::default()
    };
    let script = format!(
        "dd if=/dev/zero of={0}/a bs=4 count=2 conv=fsync 2>&-; echo done",
        text(watched.path())
    );
    let ended = shell(&disk, &run, &script).await;
    assert_eq!(ended.out, "done\n", "{}", ended.err);
    let events = read(&std::fs::read(outside.path().join("log")).unwrap());
    let expected = [
        Event::Made { name: "a".into() },
        written("a", 0, &[0; 4]),
        written("a", 4, &[0; 4]),
        synced("a"),
        Event::Said("done\n".into()),
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_disk_fails_where_it_was_told_to() {
    let Some(disk) = Disk::build() else { return };
    let watched = folder();
    let file = text(&watched.path().join("a"));
    let dd = format!("dd if=/dev/zero of={file} bs=4 count=3 conv=fsync");
    for (fault, said, left) in [
        (Fault::SyncFails("a", 1), "Input/output error", 12),
        (Fault::WriteFails("", 2), "Input/output error", 4),
        (Fault::Full(6), "No space left on device", 6),
        (Fault::SyncFails("b", 1), "", 12),
    ] {
        let run = Run {
            folder: watched.path().to_owned(),
            faults: vec![fault.clone()],
            ..Run::default()
        };
        let ended = shell(&disk, &run, &dd).await;
        assert!(ended.err.contains(said), "{fault}: {}", ended.err);
        assert_eq!(ended.status.success(), said.is_empty(), "{fault}");
        let size = std::fs::metadata(&file).unwrap().len();
        assert_eq!(size, left, "{fault}");
    }
}

#[tokio::test]
async fn a_child_is_killed_in_the_middle_of_a_write() {
    let Some(disk) = Disk::build() else { return };
    let watched = folder();
    let run = Run {
        folder: watched.path().to_owned(),
        faults: vec![Fault::KilledAtWrite("a", 2)],
        ..Run::default()
    };
    let file = text(&watched.path().join("a"));
    let script = format!("exec dd if=/dev/zero of={file} bs=2048 count=3");
    let ended = shell(&disk, &run, &script).await;
    assert!(!ended.status.success());
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 3072);
}

#[tokio::test]
async fn a_full_disk_has_space_again_when_it_is_made() {
    let Some(disk) = Disk::build() else { return };
    let (watched, outside) = (folder(), folder());
    let space = outside.path().join("space");
    let run = Run {
        folder: watched.path().to_owned(),
        faults: vec![Fault::Full(0)],
        space: Some(space.clone()),
        ..Run::default()
    };
    let file = text(&watched.path().join("a"));
    let dd = format!("dd if=/dev/zero of={file} bs=4 count=1");
    let script = format!("{dd} && exit 1; : > {}; {dd}", text(&space));
    let ended = shell(&disk, &run, &script).await;
    assert!(ended.status.success(), "{}", ended.err);
}
