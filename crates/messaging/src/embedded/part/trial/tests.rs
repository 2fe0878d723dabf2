//! What is suspect, and what is on trial.

use super::*;
use crate::embedded::repository::cursors::Cursor;
use crate::embedded::trials::Trials;
use std::sync::Weak;
use std::time::Duration;

pub(in crate::embedded::part) fn loaded(acked: u64, is_clean: bool, span: u32) -> Loaded {
    Loaded {
        cursor: Cursor {
            acked,
            ahead: Vec::new(),
            ahead_count: 0,
            epoch: 1,
            is_clean,
            span,
            incarnation: 1,
            marks: Marks::default(),
            is_sound: true,
        },
        exceptions: Vec::new(),
        epoch: 2,
    }
}

pub(in crate::embedded::part) fn begun(member: u64, loaded: Loaded, head: u64) -> Part {
    let mut part = Part::new();
    part.look_back(&loaded, head, 0);
    part.begin(member, loaded);
    part
}

fn marked(acked: u64, suspects: u64, trial: u64) -> Loaded {
    let mut loaded = loaded(acked, false, 1000);
    loaded.cursor.marks = Marks { suspects, trial };
    loaded
}

fn permit() -> Permit {
    let permit = Trials::default().begin(Weak::new(), Duration::from_secs(30));
    permit.expect("nobody has another")
}

/// Everything that is suspect.
fn suspects(part: &Part) -> Vec<u64> {
    let pending = part.pending.iter();
    let pending = pending.filter(|(_, pending)| pending.is_suspect);
    let pending = pending.map(|(offset, _)| *offset);
    let mut all: Vec<u64> = part.ordinary_suspects().chain(pending).collect();
    all.sort_unstable();
    all
}

/// A trial goes out.
fn out(part: &mut Part, offsets: &[u64]) -> Marks {
    let (marks, _) = part.begin_trial(offsets, permit());
    part.is_doubted = false;
    part.marks = marks;
    for offset in offsets {
        assert!(part.try_out(*offset).is_some());
    }
    part.out += offsets.len();
    part.trial_is_out();
    marks
}

/// Messages are done.
fn done(part: &mut Part, offsets: &[u64]) {
    let mut tracker = part.tracker.clone();
    for offset in offsets {
        tracker.settle(*offset);
    }
    part.settled(tracker);
    for offset in offsets {
        part.pending.remove(offset);
        part.is_back(*offset);
    }
}

#[test]
fn after_a_death_only_what_could_be_out_is_suspect() {
    let part = begun(1, loaded(5, false, 3), 100);
    assert_eq!(suspects(&part), [5, 6, 7]);
    let part = begun(1, loaded(5, false, 300), 7);
    assert_eq!(
        suspects(&part),
        [5, 6],
        "beyond the log's end there is nothing"
    );
    let part = begun(1, loaded(5, true, 3), 100);
    assert!(!part.has_suspects());
}

#[test]
fn after_a_death_during_a_trial_only_what_was_on_trial_is_suspect() {
    assert_eq!(suspects(&begun(1, marked(5, 50, 9), 100)), [5, 6, 7, 8]);
    let over = begun(1, marked(9, 12, 9), 100);
    assert_eq!(suspects(&over), [9, 10, 11], "the trial was over");
    assert!(!begun(1, marked(12, 12, 9), 12).has_suspects());
    let damaged = begun(1, marked(5, 1 << 40, 1 << 41), 8);
    assert_eq!(suspects(&damaged), [5, 6, 7]);
}

#[test]
fn what_waits_for_another_attempt_was_not_out() {
    let mut left = marked(5, 50, 9);
    let later = |not_before| Exception {
        not_before,
        ..Exception::default()
    };
    left.exceptions = vec![(6, later(7)), (7, later(-7)), (20, later(-7))];
    let part = begun(1, left.clone(), 100);
    assert_eq!(suspects(&part), [5, 7, 8]);
    left.cursor.acked = 7;
    left.exceptions = vec![(7, later(7)), (8, later(7))];
    let part = begun(1, left, 100);
    let beyond: Vec<u64> = (9..50).collect();
    assert_eq!(suspects(&part), beyond, "nothing of the trial was out");
}

#[test]
fn trials_begin_with_half_and_double() {
    let mut part = begun(1, loaded(0, false, 100), 100);
    let mut sizes = Vec::new();
    while part.has_suspects() {
        let next = part.next_trial(0, 64);
        sizes.push(next.len());
        let marks = out(&mut part, &next);
        assert_eq!(Some(marks.trial), next.last().map(|last| last + 1));
        assert!(part.next_trial(0, 64).is_empty(), "one at a time");
        assert!(!part.end_trial());
        done(&mut part, &next);
        assert!(part.end_trial());
    }
    assert_eq!(sizes, [50, 50]);
    let mut part = begun(1, marked(0, 100, 5), 100);
    assert_eq!(part.next_trial(0, 64), [0, 1, 2]);
    assert_eq!(part.next_trial(0, 2), [0, 1], "no more than there is room");
    for (size, expected) in [(3, vec![0, 1, 2]), (2, vec![3, 4])] {
        let next = part.next_trial(0, 64);
        assert_eq!((next.len(), &next), (size, &expected));
        out(&mut part, &next);
        done(&mut part, &next);
        part.end_trial();
    }
    assert!(!part.has_suspects(), "what was behind the trial is free");
}

#[test]
fn an_unclean_end_here_halves_and_a_clean_one_does_not() {
    for (is_unclean, next, left) in [(true, 3, 5), (false, 5, 10)] {
        let mut part = begun(1, loaded(0, false, 10), 100);
        let trial = part.next_trial(0, 64);
        assert_eq!(trial.len(), 5);
        out(&mut part, &trial);
        part.release(is_unclean);
        let left_with = part.left(0).map(|left| left.marks);
        let marks = Marks {
            suspects: left,
            trial: 0,
        };
        assert_eq!(left_with, Some(marks));
        part.begin(2, loaded(0, false, 10));
        assert_eq!(suspects(&part), (0..left).collect::<Vec<_>>());
        assert_eq!(part.next_trial(0, 64).len(), next);
    }
}

#[test]
fn what_comes_again_is_on_trial_in_its_place() {
    let mut left = loaded(0, false, 10);
    left.exceptions = vec![(3, Exception::default())];
    let mut part = begun(1, left.clone(), 10);
    part.release(false);
    // It failed here, and nothing died of it: but what lies behind it must not overtake it.
    if let Before::Here(suspects) = &mut part.before {
        suspects.pending.clear();
    }
    part.begin(2, left);
    assert!(!suspects(&part).contains(&3));
    assert_eq!(part.next_trial(0, 64), [0, 1, 2, 3, 4]);
}

#[test]
fn only_what_is_alone_is_counted() {
    let mut part = begun(1, loaded(0, false, 3), 3);
    let (_, alone) = part.begin_trial(&[0, 1], permit());
    assert_eq!(alone, None);
    let mut part = begun(1, loaded(0, false, 1), 3);
    let (marks, alone) = part.begin_trial(&[0], permit());
    assert_eq!((marks.suspects, marks.trial), (1, 1));
    assert_eq!(
        alone.map(|(offset, known)| (offset, known.starts)),
        Some((0, 1))
    );
    // What is known here is how many starts had no end.
    assert_eq!(part.try_out(0).map(|known| known.starts), Some(0));
}

#[test]
fn what_is_not_alone_is_not_counted() {
    let mut part = begun(1, loaded(0, false, 2), 2);
    let held = Pending {
        is_out: true,
        is_held: true,
        is_stored: true,
        ..Pending::ordinary()
    };
    part.pending.insert(0, held);
    part.out = 1;
    let (marks, alone) = part.begin_trial(&[1], permit());
    assert_eq!((marks.trial, alone), (2, None));
    assert!(!part.pending.contains_key(&1), "nothing is known of it");
}

#[test]
fn what_failed_is_suspect_also_beyond_what_a_later_owner_could_have_out() {
    let known = |not_before| Exception {
        not_before,
        ..Exception::default()
    };
    let mut left = loaded(5, false, 3);
    left.exceptions = vec![(40, known(-7)), (50, known(7)), (60, known(-7))];
    let part = begun(1, left, 55);
    let pending = |offset| part.pending.get(&offset).map(|known| known.is_suspect);
    assert_eq!(pending(40), Some(true));
    assert_eq!(pending(50), Some(false), "it waits still");
    assert_eq!(pending(60), Some(false), "it is not in the log");
}

#[test]
fn what_is_held_ends_no_trial_and_is_suspect_with_the_next() {
    let mut part = begun(1, loaded(0, false, 8), 8);
    let trial = part.next_trial(0, 64);
    out(&mut part, &trial);
    let held = Pending {
        is_out: true,
        is_held: true,
        is_stored: true,
        ..Pending::ordinary()
    };
    part.pending.insert(2, held);
    done(&mut part, &[0, 1, 3]);
    assert_eq!(part.marks_after(0, 1).map(|marks| marks.trial), Some(0));
    assert!(part.end_trial());
    let next = part.next_trial(0, 64);
    assert_eq!(next, [4, 5, 6, 7]);
    let marks = out(&mut part, &next[..1]);
    assert_eq!(marks.trial, 5);
    part.release(true);
    let mut left = loaded(2, false, 8);
    left.exceptions = vec![(2, Exception::default())];
    left.cursor.ahead = {
        let mut tracker = crate::Tracker::new(2, 9);
        tracker.settle(3);
        tracker.encode()
    };
    part.begin(2, left);
    assert_eq!(suspects(&part), [2, 4]);
}
