//! What a killed process leaves, and the next one finds.

use crate::stage::{MIGRATIONS, count, one_reader, open, write};
use backlot_core::Clock;
use backlot_storage::{Refusal, StoreError, sqlite};
use std::path::Path;
use tempfile::TempDir;

const WRITES: i64 = 5;

/// The files as they are in the middle of a store's life.
async fn left() -> TempDir {
    let (living, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(living.path(), one_reader());
    for id in 0..WRITES {
        write(&store, id).await.unwrap();
    }
    for name in ["notes.db", "notes.db-wal"] {
        std::fs::copy(living.path().join(name), left.path().join(name)).unwrap();
    }
    store.close().await.unwrap();
    left
}

fn log(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("notes.db-wal")).unwrap()
}

#[tokio::test]
async fn what_was_left_is_moved_into_the_file_before_it_is_served() {
    let left = left().await;
    assert!(!log(left.path()).is_empty());
    let store = open(left.path(), one_reader());
    assert!(log(left.path()).is_empty());
    assert_eq!(count(&store).await, WRITES);
}

#[tokio::test]
async fn a_log_that_was_cut_off_gives_what_was_whole() {
    let left = left().await;
    let whole = log(left.path());
    std::fs::write(left.path().join("notes.db-wal"), &whole[..whole.len() - 1]).unwrap();
    let store = open(left.path(), one_reader());
    assert_eq!(count(&store).await, WRITES - 1);
}

#[tokio::test]
async fn a_log_that_is_damaged_in_front_of_other_commits_is_refused_and_left_alone() {
    let left = left().await;
    let mut damaged = log(left.path());
    damaged[100] ^= 1;
    std::fs::write(left.path().join("notes.db-wal"), &damaged).unwrap();
    let path = left.path().join("notes.db");
    let refused = sqlite::open(&path, one_reader(), MIGRATIONS, Clock::real()).unwrap_err();
    let StoreError::Refused { refusal, text } = &refused else {
        panic!("{refused:?} is no refusal")
    };
    assert_eq!(*refusal, Refusal::NotADatabase);
    assert!(
        text.contains("notes.db-wal is damaged at frame 1") && text.contains("restore"),
        "{text}"
    );
    assert_eq!(log(left.path()), damaged);
}
