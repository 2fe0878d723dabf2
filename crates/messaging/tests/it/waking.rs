//! Who waits hears of what others do, and of what they do not do any more.

use crate::far::{Far, Fault};
use crate::mortal::some;
use crate::stage::{Stage, TOPIC, cx, done, ids, messages, out, out_to};
use backlot_core::Clock;
use backlot_messaging::embedded::{MIGRATIONS, Options};
use backlot_messaging::engine::{
    Delivery, Engine, Gap, Input, Settle, Source, Subscription, TopicSpec,
};
use backlot_storage::sqlite;
use std::time::Duration;
use tokio::time::{Instant, timeout};

async fn assigned(reader: &mut dyn Source) -> Vec<u32> {
    loop {
        if let Input::Assigned(parts) = reader.next(100).await.unwrap() {
            return parts.into_iter().map(|(part, _)| part).collect();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_answer_ended_is_known_to_those_who_wait() {
    let (store, far) = Far::open().await;
    let stage = Stage::on(store, Options::default(), 2).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut one = stage.reader("g").await;
    assert_eq!(assigned(&mut *one).await, [0, 1]);
    stage
        .publish(vec![out_to((0, 2), 0), out_to((1, 2), 1)])
        .await
        .unwrap();
    let mut taken: Vec<Delivery> = Vec::new();
    while taken.len() < 2 {
        taken.extend(messages(&mut *one).await);
    }
    let mut other = stage.reader("g").await;
    let told = one.next(100).await.unwrap();
    assert!(matches!(told, Input::Revoked { .. }), "{told:?}");
    far.next_fails(Fault::Unheard);
    one.settle(done(&taken)).await.unwrap_err();
    let begun = Instant::now();
    let again = async {
        tokio::task::yield_now().await;
        one.settle(done(&taken)).await.unwrap()
    };
    let (theirs, stale) = tokio::join!(assigned(&mut *other), again);
    assert_eq!((theirs.len(), stale), (1, vec![]));
    assert!(
        Instant::now() - begun < Duration::from_secs(1),
        "not after the drain"
    );
}

#[tokio::test(start_paused = true)]
async fn who_hangs_after_others_began_to_wait_is_noticed() {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    let stage = Stage::on(store, Options::default(), 2).await;
    let (mut one, mut other) = (stage.reader("g").await, stage.reader("g").await);
    let part = assigned(&mut *one).await;
    assert_eq!(assigned(&mut *other).await.len(), 1);
    // Both wait when a message comes to one of them, which calls no more from then on.
    let (theirs, hung, ()) = tokio::join!(
        timeout(Duration::from_secs(61), other.next(100)),
        some(&mut *one, 100),
        async { stage.publish(vec![out_to((part[0], 2), 0)]).await.unwrap() },
    );
    assert_eq!(hung.len(), 1);
    let theirs = theirs.expect("it is noticed within its lease").unwrap();
    assert!(matches!(theirs, Input::Assigned(_)), "{theirs:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_over_leaves_room_for_others() {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    let stage = Stage::over(store, Options::default()).await;
    stage.publish((0..4).map(out).collect()).await.unwrap();
    let few = Subscription {
        in_flight: 5,
        ..Subscription::new(TOPIC, "g")
    };
    // Given back, and out again with another.
    let mut reader = stage.engine.attach(&cx(), &few).await.unwrap();
    let taken = some(&mut *reader, 100).await;
    let later = Settle::Retry {
        at: backlot_core::Timestamp(0),
        failure: None,
    };
    let back = taken.iter().map(|one| (one.token, later.clone()));
    assert_eq!(reader.settle(back.collect()).await.unwrap(), []);
    reader.close().await.unwrap();
    let mut reader = stage.engine.attach(&cx(), &few).await.unwrap();
    assert_eq!(ids(&some(&mut *reader, 100).await), [0, 1, 2, 3]);
    // They are too much for the log.
    let small = TopicSpec {
        retention_bytes: Some(1),
        ..TopicSpec::new(TOPIC, 1)
    };
    stage.engine.ensure(&cx(), &small).await.unwrap();
    stage.engine.tend().await.unwrap();
    let keeps = TopicSpec::new(TOPIC, 1);
    stage.engine.ensure(&cx(), &keeps).await.unwrap();
    stage.publish((4..10).map(out).collect()).await.unwrap();
    let skipped = reader.next(100).await.unwrap();
    let all = Input::Skipped {
        partition: 0,
        first: 0,
        end: 4,
        cause: Gap::Retention,
    };
    assert_eq!(skipped, all);
    assert_eq!(ids(&some(&mut *reader, 100).await), [4, 5, 6, 7, 8]);
}
