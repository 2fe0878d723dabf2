//! A group is paused when its engine says so, whatever happens beside it.

use crate::far::{Far, Fault};
use crate::mortal::nothing;
use crate::stage::{Stage, TOPIC, cx, ids, messages, out};
use backlot_messaging::embedded::Options;
use backlot_messaging::engine::Engine;
use std::time::Duration;

async fn stage() -> (Stage, Far) {
    let (store, far) = Far::open().await;
    let stage = Stage::over(store, Options::default()).await;
    // The paused clock goes on when everybody waits: the faults are not for the engine's start.
    tokio::time::sleep(Duration::from_millis(1)).await;
    stage.publish(vec![out(1)]).await.unwrap();
    (stage, far)
}

#[tokio::test(start_paused = true)]
async fn who_joins_while_a_group_is_paused_hears_of_it() {
    let (stage, far) = stage().await;
    // The group is stored, and whoever made it does not know yet.
    far.next_fails(Fault::Slow);
    let pausing = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stage.engine.pause(&cx(), TOPIC, "g", true).await.unwrap();
    };
    let (mut reader, ()) = tokio::join!(stage.reader("g"), pausing);
    nothing(&mut *reader).await;
    stage.engine.pause(&cx(), TOPIC, "g", false).await.unwrap();
    assert_eq!(ids(&messages(&mut *reader).await), [1]);
}

#[tokio::test(start_paused = true)]
async fn of_two_who_say_different_things_the_last_one_stored_is_heard() {
    let (stage, far) = stage().await;
    let mut reader = stage.reader("g").await;
    far.next_fails(Fault::Slow);
    let resuming = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stage.engine.pause(&cx(), TOPIC, "g", false).await
    };
    let cx = cx();
    let pausing = stage.engine.pause(&cx, TOPIC, "g", true);
    let (paused, resumed) = tokio::join!(pausing, resuming);
    paused.and(resumed).unwrap();
    let report = stage.engine.inspect(&cx, TOPIC, Some("g")).await.unwrap();
    assert!(!report.groups[0].paused);
    assert_eq!(ids(&messages(&mut *reader).await), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_whose_answer_was_lost_is_what_the_store_says() {
    for fault in [Fault::Undone, Fault::Unheard] {
        let (stage, far) = stage().await;
        let mut reader = stage.reader("g").await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        far.next_fails(fault);
        let told = stage.engine.pause(&cx(), TOPIC, "g", true).await;
        assert!(told.unwrap_err().may_have_happened());
        match fault {
            Fault::Unheard => nothing(&mut *reader).await,
            _ => assert_eq!(ids(&messages(&mut *reader).await), [1]),
        }
    }
}
