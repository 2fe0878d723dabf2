//! What comes to the next member of a group comes in the order of the log.

use crate::stage::{Stage, ids, messages, out};
use backlot_core::Clock;
use backlot_core::Timestamp;
use backlot_messaging::embedded::MIGRATIONS;
use backlot_messaging::embedded::Options;
use backlot_messaging::engine::{Delivery, Settle, Source};
use backlot_storage::sqlite;

const ALL: u64 = 20;

/// A group whose first member gave these back and left the others unsettled.
async fn given_back(gives: fn(u64) -> bool) -> (Stage, Box<dyn Source>) {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    let stage = Stage::over(store, Options::default()).await;
    stage.publish((0..ALL).map(out).collect()).await.unwrap();
    let mut first = stage.reader("g").await;
    let taken = take(&mut *first, ALL).await;
    let back = taken.iter().filter(|delivery| gives(delivery.token.offset));
    let later = Settle::Retry {
        at: Timestamp(0),
        failure: None,
    };
    let back = back.map(|delivery| (delivery.token, later.clone()));
    assert_eq!(first.settle(back.collect()).await.unwrap(), []);
    first.close().await.unwrap();
    let next = stage.reader("g").await;
    (stage, next)
}

async fn take(reader: &mut dyn Source, many: u64) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while (taken.len() as u64) < many {
        taken.extend(messages(reader).await);
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn what_was_given_back_does_not_overtake_what_was_running() {
    let patterns: [fn(u64) -> bool; 5] = [
        |offset| offset > 5,
        |offset| offset != 0,
        |offset| offset % 2 == 0,
        |offset| offset % 3 == 1,
        |_all| true,
    ];
    for (place, gives) in patterns.into_iter().enumerate() {
        let (_stage, mut next) = given_back(gives).await;
        let came = ids(&take(&mut *next, ALL).await);
        assert_eq!(came, (0..ALL).collect::<Vec<_>>(), "pattern {place}");
    }
}
