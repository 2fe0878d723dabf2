//! Databases from before a table of our own was there, and from after.

use crate::stage::{MIGRATIONS, count, one_reader, open, write};
use backlot_core::{Clock, Context};
use backlot_storage::outbox::{Limits, Message};
use backlot_storage::{Refusal, StoreError, sqlite};
use std::path::Path;

/// Makes a file as it was before there were outbox, inbox and positions.
fn before_messages(path: &Path) {
    let file = rusqlite::Connection::open(path).unwrap();
    file.execute_batch(
        "DROP TABLE backlot_outbox; DROP TABLE backlot_lease; DROP TABLE backlot_inbox; DROP TABLE backlot_position;
         DELETE FROM backlot_schema WHERE space = 'backlot' AND version >= 2;",
    )
    .unwrap();
}

#[tokio::test]
async fn an_old_file_gets_what_it_lacks_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), one_reader());
    write(&store, 1).await.unwrap();
    store.close().await.unwrap();
    before_messages(&folder.path().join("notes.db"));

    let store = open(folder.path(), one_reader());
    assert_eq!(count(&store).await, 1);
    let cx = Context::background();
    let sent: Result<(), StoreError> = store
        .write(&cx, |tx| {
            Box::pin(async move {
                assert!(tx.inbox("g").first_time("1").await?);
                tx.outbox().add(Message::new("t", "2", b""))
            })
        })
        .await;
    sent.unwrap();
    let waiting = store.outbox().take(&cx, Limits::default()).await.unwrap();
    assert_eq!(waiting.messages[0].id, "2");
}

#[tokio::test]
async fn a_file_with_newer_tables_of_our_own_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path(), one_reader()).close().await.unwrap();
    let path = folder.path().join("notes.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch("INSERT INTO backlot_schema VALUES ('backlot', 99, 'later', 'x', 0)")
        .unwrap();
    drop(file);
    let refused = sqlite::open(&path, one_reader(), MIGRATIONS, Clock::real()).unwrap_err();
    let text = refused.to_string();
    let StoreError::Refused { refusal, .. } = refused else {
        panic!("{text}")
    };
    assert_eq!(refusal, Refusal::Newer);
    assert!(text.contains("backlot schema version 99 (later)"), "{text}");
}
