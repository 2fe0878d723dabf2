//! Random histories: handlers that fail, processes that die, publishers that repeat themselves. A
//! checker looks at the effects; consumers that are wrong on purpose show that it sees.

use super::stage::{Script, Stage, script};
use backlot_core::{Code, Dice, Error};
use backlot_messaging::consume::sabotage::Sabotage;
use backlot_messaging::consume::{Failure, Group, Order};
use std::collections::BTreeMap;
use std::time::Duration;

const MESSAGES: u64 = 80;
const LANES: u64 = 5;
const SOON: Duration = Duration::from_millis(200);

fn failing(seed: u64) -> Script {
    let dice = Dice::seeded(seed).branch("failures");
    script(move |_, call| match dice.below(10) {
        0 if call < 4 => Err(Error::unavailable("not now").into()),
        1 if call < 4 => Err(Failure::new(Code::Aborted, "later").later(Duration::from_secs(1))),
        2 if call < 3 => panic!("on purpose"),
        _ => Ok(()),
    })
}

/// Runs a history; what is wrong with the effects afterwards, if anything is.
async fn history(seed: u64, group: &Group, order: Order) -> Result<(), String> {
    let mut stage = Stage::new(seed).await;
    let dice = Dice::seeded(seed).branch("history");
    let script = failing(seed);
    stage.publish(0..MESSAGES / 2, |n| n % LANES).await;
    for round in 0..4 {
        let consumer = stage.consumer(group, &script);
        let time = Duration::from_millis(dice.below(3000));
        // The process of the consumer dies, at times with the engine's.
        drop(tokio::time::timeout(time, consumer.run(std::future::pending())).await);
        if dice.below(2) == 0 {
            stage.die().await;
        }
        let half = MESSAGES / 2;
        let from = half + round * half / 4;
        stage.publish(from..from + half / 4, |n| n % LANES).await;
    }
    // Repetitions come last: the first of each is in order. Batches know offsets, not ids.
    if !format!("{group:?}").contains("batch: Some") {
        let again = (0..MESSAGES).filter(|n| n % 7 == 0);
        stage.publish(again, |n| n % LANES).await;
    }
    stage.consume(group, &script).await;
    let letters = stage.letters(group.name()).await;
    if !letters.is_empty() {
        return Err(format!("{} letters", letters.len()));
    }
    check(&stage.effects().await, order)
}

fn check(effects: &[(u64, u64)], order: Order) -> Result<(), String> {
    let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
    for (n, _) in effects {
        *counts.entry(*n).or_default() += 1;
    }
    for n in 0..MESSAGES {
        match counts.get(&n) {
            Some(1) => {}
            Some(times) => return Err(format!("the effect of {n} was made {times} times")),
            None => return Err(format!("the effect of {n} was not made")),
        }
    }
    for lane in 0..LANES {
        let mine = effects.iter().filter(|(_, of)| *of == lane);
        let mine: Vec<u64> = mine.map(|(n, _)| *n).collect();
        if order != Order::None && !mine.is_sorted() {
            return Err(format!("out of order: {mine:?}"));
        }
    }
    Ok(())
}

fn groups() -> Vec<(Group, Order)> {
    let mut groups = Vec::new();
    for order in [Order::Key, Order::Partition, Order::None] {
        let group = || {
            Group::new("g")
                .order(order)
                .attempts(20)
                .starts(100)
                .backoff(SOON, 4 * SOON)
        };
        groups.push((group(), order));
        groups.push((group().batch(7), order));
        groups.push((group().in_flight(4), order));
    }
    groups
}

#[tokio::test(start_paused = true)]
async fn every_effect_is_made_once_and_in_order_whatever_fails() {
    for (group, order) in groups() {
        for seed in 0..4 {
            let checked = history(seed, &group, order).await;
            assert_eq!(checked, Ok(()), "seed {seed}, {group:?}");
        }
    }
}

/// Whether some history of a consumer that is wrong is found out.
async fn is_found_out(group: Group) -> bool {
    for seed in 0..20 {
        if history(seed, &group, Order::Key).await.is_err() {
            return true;
        }
    }
    false
}

#[tokio::test(start_paused = true)]
async fn consumers_that_are_wrong_are_found_out() {
    let group = || {
        let group = Group::new("g").attempts(20).starts(100);
        group.backoff(SOON, 4 * SOON)
    };
    let early = Sabotage {
        acknowledges_early: true,
        ..Sabotage::default()
    };
    assert!(is_found_out(group().sabotaged(early)).await);
    let skips = Sabotage {
        skips_inbox: true,
        ..Sabotage::default()
    };
    assert!(is_found_out(group().sabotaged(skips)).await);
    let passes = Sabotage {
        passes_holes: true,
        ..Sabotage::default()
    };
    assert!(is_found_out(group().batch(7).sabotaged(passes)).await);
}
