//! What groups promise: members, epochs, zombies, and messages that kill.

use super::stage::{PATIENCE, Reader, Stage, number, numbers, subscription};
use crate::engine::{Cause, Delivery, Input, Settle, Subscription, Token};
use std::collections::BTreeSet;
use std::time::Duration;

fn is_revoked(input: &Input) -> bool {
    matches!(input, Input::Revoked { .. })
}

/// Both members take what is theirs, until each partition has an owner.
async fn shares(one: &mut Reader, other: &mut Reader, all: usize) -> (Vec<u32>, Vec<u32>) {
    let waiting = async {
        loop {
            let (ones, others) = (one.partitions().await, other.partitions().await);
            let held: BTreeSet<u32> = ones.iter().chain(&others).copied().collect();
            if held.len() == all && ones.len() + others.len() == all && !others.is_empty() {
                return (ones, others);
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("each partition has an owner")
}

pub(super) async fn partitions_are_shared_evenly_and_move_when_members_come_and_go(stage: Stage) {
    stage.topic(5).await;
    let mut one = stage.reader("g").await;
    assert_eq!(one.holds(5).await, [0, 1, 2, 3, 4]);
    let mut other = stage.reader("g").await;
    let (ones, others) = shares(&mut one, &mut other, 5).await;
    assert!(
        ones.len().abs_diff(others.len()) == 1,
        "{ones:?} {others:?}"
    );
    stage.publish(0..50).await;
    let some = one.some(50).await;
    assert!(
        some.iter()
            .all(|delivery| ones.contains(&delivery.token.partition))
    );
    one.close().await;
    // What the first did not settle comes to the second.
    let mut came = numbers(&other.finish(50).await);
    came.sort_unstable();
    assert_eq!(came, (0..50).collect::<Vec<_>>());
    assert_eq!(other.holds(5).await, [0, 1, 2, 3, 4]);
}

pub(super) async fn a_zombie_is_refused_and_told(stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..3).await;
    let short = Subscription {
        lease: Duration::from_millis(150),
        ..subscription("g")
    };
    let mut zombie = stage.attach(&short).await;
    let taken = zombie.take(3).await;
    zombie.done(&taken[..1]).await;
    // It says nothing any more; another takes over.
    let mut heir = stage.reader("g").await;
    let again = heir.finish(2).await;
    assert_eq!(numbers(&again), [1, 2]);
    let late = vec![
        (taken[1].token, Settle::Done),
        (taken[2].token, Settle::Done),
    ];
    let stale = zombie.source.settle(late).await.expect("it is told");
    let refused: Vec<Token> = stale.iter().map(|stale| stale.token).collect();
    assert_eq!(refused, [taken[1].token, taken[2].token]);
    assert!(stale[0].epoch > taken[1].token.epoch, "{stale:?}");
    assert_eq!(stage.lag("g").await, 0);
}

pub(super) async fn a_leaving_member_may_finish_what_it_has(stage: Stage) {
    stage.topic(2).await;
    let mut one = stage.reader("g").await;
    one.holds(2).await;
    stage.publish(0..40).await;
    let taken = one.take(40).await;
    let mut other = stage.reader("g").await;
    other.nothing().await;
    let told = one.tell(is_revoked).await;
    let Input::Revoked { partitions, cause } = told else {
        unreachable!("it was asked for");
    };
    assert_eq!((partitions.len(), cause), (1, Cause::Rebalance));
    one.done(&taken).await;
    stage.publish(40..80).await;
    // Nothing came twice: what was out was settled before the partition moved.
    let mut came = BTreeSet::new();
    let theirs = other.some(80).await;
    other.done(&theirs).await;
    came.extend(numbers(&theirs));
    assert!(
        theirs
            .iter()
            .all(|delivery| delivery.token.partition == partitions[0])
    );
    while came.len() < 40 {
        for reader in [&mut one, &mut other] {
            let more = tokio::time::timeout(Duration::from_millis(100), reader.some(80)).await;
            if let Ok(more) = more {
                reader.done(&more).await;
                for delivery in more {
                    assert!(came.insert(number(&delivery)), "it came twice");
                }
            }
        }
    }
    assert_eq!(came, (40..80).collect());
}

pub(super) async fn a_partition_that_comes_back_has_another_epoch(stage: Stage) {
    stage.topic(2).await;
    let mut one = stage.reader("g").await;
    one.holds(2).await;
    stage.publish(0..40).await;
    let taken = one.take(40).await;
    let mut other = stage.reader("g").await;
    other.nothing().await;
    let told = one.tell(is_revoked).await;
    let Input::Revoked { partitions, .. } = told else {
        unreachable!("it was asked for");
    };
    // Before the first has let go of it the second is gone.
    other.close().await;
    one.done(&taken).await;
    let told = one.tell(|input| matches!(input, Input::Assigned(_))).await;
    let Input::Assigned(back) = told else {
        unreachable!("it was asked for");
    };
    assert_eq!(back[0].0, partitions[0]);
    let tokens = taken.iter().map(|delivery| delivery.token);
    let before = tokens.filter(|token| token.partition == partitions[0]);
    let before = before.map(|token| token.epoch).max();
    assert!(Some(back[0].1) > before, "{back:?} after {before:?}");
}

pub(super) async fn a_message_that_is_never_settled_goes_to_another(stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..2).await;
    let short = Subscription {
        lease: Duration::from_millis(150),
        ..subscription("g")
    };
    let mut reader = stage.attach(&short).await;
    let taken = reader.take(2).await;
    reader.done(&taken[1..]).await;
    // It still asks for more, but never says what became of the first.
    let again = reader.take(1).await;
    assert_eq!(numbers(&again), [0]);
    assert!(again[0].token.epoch > taken[0].token.epoch);
    let expired = |input: &Input| {
        matches!(
            input,
            Input::Revoked {
                cause: Cause::Expired,
                ..
            }
        )
    };
    assert!(reader.told.iter().any(expired), "{:?}", reader.told);
    let late = reader
        .source
        .settle(vec![(taken[0].token, Settle::Done)])
        .await;
    assert_eq!(late.expect("told").len(), 1);
    reader.done(&again).await;
    assert_eq!(stage.lag("g").await, 0);
}

pub(super) async fn an_extended_message_stays_out(stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..1).await;
    let short = Subscription {
        lease: Duration::from_millis(150),
        ..subscription("g")
    };
    let mut reader = stage.attach(&short).await;
    let taken = reader.take(1).await;
    let longer = Settle::Extend(Duration::from_secs(60));
    reader.settle(taken[0].token, longer).await;
    for _ in 0..4 {
        reader.nothing().await;
    }
    reader.done(&taken).await;
    assert_eq!(stage.lag("g").await, 0);
}

pub(super) async fn a_token_of_another_epoch_changes_nothing(stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..2).await;
    let mut reader = stage.reader("g").await;
    let taken = reader.take(1).await;
    let token = taken[0].token;
    let wrong = [
        Token {
            epoch: token.epoch + 1,
            ..token
        },
        Token {
            epoch: token.epoch.wrapping_sub(1),
            ..token
        },
        Token {
            partition: 7,
            ..token
        },
    ];
    let all = wrong.iter().map(|token| (*token, Settle::Done)).collect();
    let stale = reader.source.settle(all).await.expect("told");
    assert_eq!(stale.len(), 3, "{stale:?}");
    // The right epoch, but never delivered.
    let never = Token {
        offset: token.offset + 1,
        ..token
    };
    reader.settle(never, Settle::Done).await;
    assert_eq!(stage.lag("g").await, 2);
    assert_eq!(numbers(&reader.finish(1).await), [1]);
    reader.done(&taken).await;
    assert_eq!(stage.lag("g").await, 0);
}

pub(super) async fn a_message_that_kills_its_process_is_found(mut stage: Stage) {
    const KILLER: u64 = 3;
    stage.topic(1).await;
    stage.publish(0..8).await;
    let mut reader = stage.reader("g").await;
    // All of them are out when the process dies.
    reader.take(8).await;
    let (mut finished, mut deaths, mut starts) = (BTreeSet::new(), 0, 0);
    loop {
        drop(reader);
        stage.die().await;
        reader = stage.reader("g").await;
        let some = loop {
            let some = reader.some(8).await;
            let is_killer = |delivery: &Delivery| number(delivery) == KILLER;
            let mut innocent = some.iter().filter(|delivery| !is_killer(delivery));
            assert!(
                innocent.all(|delivery| delivery.starts == 0),
                "the innocent are not counted"
            );
            if some.iter().any(is_killer) {
                break some;
            }
            reader.done(&some).await;
            for number in numbers(&some) {
                assert!(finished.insert(number), "what is settled does not come");
            }
        };
        if let [alone] = &*some {
            assert_eq!(alone.starts, starts, "each of its deaths is counted");
            if starts == 3 {
                reader.done(&some).await;
                finished.insert(KILLER);
                break;
            }
            starts += 1;
        } else {
            assert_eq!(starts, 0, "once it is alone it stays so");
            deaths += 1;
            assert!(deaths <= 8, "it is alone after some deaths");
        }
    }
    while finished.len() < 8 {
        let some = reader.some(8).await;
        reader.done(&some).await;
        finished.extend(numbers(&some));
    }
    // Once nothing is in doubt, they come together again.
    stage.publish(8..12).await;
    assert_eq!(reader.some(8).await.len(), 4);
}

pub(super) async fn a_clean_end_counts_nothing(mut stage: Stage) {
    stage.topic(1).await;
    stage.publish(0..4).await;
    for _ in 0..3 {
        let mut reader = stage.reader("g").await;
        let taken = reader.some(4).await;
        assert_eq!(taken.len(), 4, "nothing is in doubt");
        assert!(taken.iter().all(|delivery| delivery.starts == 0));
        reader.close().await;
        stage.restart().await;
    }
}
