//! What killed a process is found in few deaths, wherever it is, and costs its neighbours little.

use crate::mortal::{DEAD, Mortal, finish, nothing, some};
use crate::stage::{Stage, TOPIC, cx, done, ids, out};
use backlot_core::Dice;
use backlot_messaging::engine::{Delivery, Engine, Failure, Input, Outgoing, Settle, Subscription};
use std::collections::BTreeMap;
use std::time::Duration;

const ALL: u64 = 1000;
/// How many starts without an end a message may have.
const STARTS: u32 = 3;

/// What it took to come to the end of a topic some of whose messages kill.
#[derive(Debug, Default)]
struct Story {
    /// Deaths until one of the killers was alone, after the first.
    until_alone: Vec<u32>,
    deaths: u32,
    /// What was given up.
    dead: Vec<u64>,
    /// What was settled, in this order.
    done: Vec<u64>,
    /// The most starts that were counted of any message that kills nobody.
    innocent_starts: u32,
}

/// Handles messages one after the other, each until it is settled; `kills` dies when they are begun.
async fn story(mortal: &mut Mortal, kills: &[u64], most: usize) -> Story {
    let mut story = Story::default();
    let mut alone: BTreeMap<u64, u32> = BTreeMap::new();
    'alive: loop {
        let mut reader = mortal.reader().await;
        while mortal.stage().lag_of_all("g").await > 0 {
            let came = some(&mut *reader, most).await;
            for delivery in &came {
                let id = ids(std::slice::from_ref(delivery))[0];
                let is_killer = kills.contains(&id);
                if delivery.starts > STARTS {
                    assert!(is_killer, "{id} is innocent");
                    assert_eq!(came.len(), 1, "it is alone");
                    let letter = Outgoing::new(DEAD, delivery.record.clone());
                    let dead = vec![(delivery.token, Settle::Dead(Box::new(letter)))];
                    assert_eq!(reader.settle(dead).await.unwrap(), []);
                    story.dead.push(id);
                } else if is_killer {
                    if came.len() == 1 {
                        alone.entry(id).or_insert_with(|| {
                            story.until_alone.push(story.deaths);
                            story.deaths
                        });
                    }
                    story.deaths += 1;
                    drop(reader);
                    mortal.die().await;
                    continue 'alive;
                } else {
                    story.innocent_starts = story.innocent_starts.max(delivery.starts);
                }
            }
            // Nothing of them is settled before all of them are handled: that is as bad as it gets.
            let innocent: Vec<Delivery> = came
                .into_iter()
                .filter(|delivery| !kills.contains(&ids(std::slice::from_ref(delivery))[0]))
                .collect();
            finish(&mut *reader, &innocent).await;
            story.done.extend(ids(&innocent));
        }
        return story;
    }
}

#[tokio::test(start_paused = true)]
async fn what_kills_is_alone_after_few_deaths_wherever_it_is() {
    let dice = Dice::seeded(7);
    let seeded = (0..4).map(|_| dice.below(ALL));
    for killer in [0, 1, ALL / 2, ALL - 2, ALL - 1].into_iter().chain(seeded) {
        let mut mortal = Mortal::new(1).await;
        mortal.die_with_all_out(0..ALL).await;
        let story = story(&mut mortal, &[killer], 2000).await;
        // The first death is not counted in the story.
        assert!(story.until_alone[0] < 11, "{killer}: {story:?}");
        assert_eq!(story.deaths, story.until_alone[0] + STARTS + 1, "{killer}");
        assert_eq!(story.dead, [killer]);
        assert_eq!(story.innocent_starts, 0, "{killer}");
        let others: Vec<u64> = (0..ALL).filter(|id| *id != killer).collect();
        assert_eq!(story.done, others, "{killer}: once, and in order");
    }
}

#[tokio::test(start_paused = true)]
async fn two_that_kill_are_found_one_after_the_other() {
    for kills in [[3, 900], [499, 500], [998, 999], [0, 1]] {
        let mut mortal = Mortal::new(1).await;
        mortal.die_with_all_out(0..ALL).await;
        let story = story(&mut mortal, &kills, 2000).await;
        assert_eq!(story.dead, kills);
        assert_eq!(story.innocent_starts, 0);
        assert!(story.deaths <= 2 * (11 + STARTS + 1), "{story:?}");
        assert_eq!(story.done.len() as u64, ALL - 2);
        assert!(story.done.is_sorted());
    }
}

#[tokio::test(start_paused = true)]
async fn what_kills_in_several_partitions_is_found() {
    let mut mortal = Mortal::new(3).await;
    mortal.die_with_all_out(0..300).await;
    let mut story = story(&mut mortal, &[10, 11, 200], 2000).await;
    story.dead.sort_unstable();
    assert_eq!(story.dead, [10, 11, 200]);
    assert_eq!(story.innocent_starts, 0);
    assert!(story.deaths <= 3 * (8 + STARTS + 1), "{story:?}");
    story.done.sort_unstable();
    story.done.dedup();
    assert_eq!(story.done.len(), 297);
}

#[tokio::test(start_paused = true)]
async fn the_innocent_are_through_in_few_trials() {
    for (most, trials) in [(2000, 2), (100, 10)] {
        let mut mortal = Mortal::new(1).await;
        mortal.die_with_all_out(0..ALL).await;
        let mut reader = mortal.reader().await;
        let mut came = Vec::new();
        for _ in 0..trials {
            let trial = some(&mut *reader, most).await;
            nothing(&mut *reader).await;
            finish(&mut *reader, &trial).await;
            came.extend(ids(&trial));
        }
        assert_eq!(came, (0..ALL).collect::<Vec<_>>());
        // Nothing is in doubt any more.
        mortal.publish(ALL..ALL + 8).await;
        assert_eq!(some(&mut *reader, 4).await.len(), 4);
        assert_eq!(some(&mut *reader, 4).await.len(), 4, "beside the others");
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_trials_everything_may_kill_again() {
    let mut mortal = Mortal::new(1).await;
    mortal.die_with_all_out(0..8).await;
    for round in 1..4 {
        let mut reader = mortal.reader().await;
        let first = some(&mut *reader, 100).await;
        assert_eq!(first.len(), 4);
        // The first of them failed, waits with its member, and is done in the end.
        let failed = Settle::Failed(Failure {
            at_ms: 0,
            class: "transient".into(),
            message: String::new(),
        });
        let stale = reader.settle(vec![(first[0].token, failed)]).await;
        assert_eq!(stale.unwrap(), []);
        finish(&mut *reader, &first[1..]).await;
        let rest = some(&mut *reader, 100).await;
        assert_eq!(rest.len(), 4);
        finish(&mut *reader, &rest).await;
        finish(&mut *reader, &first[..1]).await;
        mortal.publish(round * 8..round * 8 + 8).await;
        assert_eq!(some(&mut *reader, 100).await.len(), 8, "nothing is suspect");
        drop(reader);
        mortal.die().await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_one_that_was_alone_trials_grow_again() {
    let mut mortal = Mortal::new(1).await;
    mortal.die_with_all_out(0..8).await;
    for size in [4, 2, 1] {
        let mut reader = mortal.reader().await;
        assert_eq!(some(&mut *reader, 100).await.len(), size);
        drop(reader);
        mortal.die().await;
    }
    // Only the first is suspect still: the rest is free.
    let mut reader = mortal.reader().await;
    let first = some(&mut *reader, 100).await;
    assert_eq!((ids(&first), first[0].starts), (vec![0], 1));
    finish(&mut *reader, &first).await;
    assert_eq!(ids(&some(&mut *reader, 100).await), [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test(start_paused = true)]
async fn no_start_is_counted_beside_one_that_failed_and_is_out_still() {
    let mut mortal = Mortal::new(1).await;
    mortal.die_with_all_out(0..2).await;
    let mut reader = mortal.reader().await;
    let failed = some(&mut *reader, 100).await;
    let failure = Failure {
        at_ms: 0,
        class: "transient".into(),
        message: String::new(),
    };
    let held = vec![(failed[0].token, Settle::Failed(failure))];
    assert_eq!(reader.settle(held).await.unwrap(), []);
    let beside = some(&mut *reader, 100).await;
    assert_eq!((ids(&beside), beside[0].starts), (vec![1], 0));
    drop(reader);
    mortal.die().await;
    // Either may have been it.
    let mut reader = mortal.reader().await;
    let first = some(&mut *reader, 100).await;
    assert_eq!((ids(&first), first[0].starts), (vec![0], 0));
    finish(&mut *reader, &first).await;
    for starts in [0, 1] {
        let alone = some(&mut *reader, 100).await;
        assert_eq!((ids(&alone), alone[0].starts), (vec![1], starts));
        drop(reader);
        mortal.die().await;
        reader = mortal.reader().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_survives_the_engine() {
    let mut mortal = Mortal::new(1).await;
    mortal.die_with_all_out(0..ALL).await;
    let mut reader = mortal.reader().await;
    assert_eq!(some(&mut *reader, 2000).await.len(), 500);
    drop(reader);
    mortal.die().await;
    // Twice, the second time before anything was delivered.
    for _ in 0..2 {
        let mut reader = mortal.reader().await;
        let assigned = reader.next(2000).await.unwrap();
        assert!(matches!(assigned, Input::Assigned(_)), "{assigned:?}");
        drop(reader);
        mortal.die().await;
    }
    let mut reader = mortal.reader().await;
    let trial = some(&mut *reader, 2000).await;
    assert_eq!(ids(&trial), (0..250).collect::<Vec<_>>());
    finish(&mut *reader, &trial[..200]).await;
    // An end in order is no death: nothing is halved, and nothing is forgotten.
    reader.close().await.unwrap();
    mortal.stage().engine.close().await.unwrap();
    mortal.die().await;
    let mut reader = mortal.reader().await;
    let trial = some(&mut *reader, 2000).await;
    assert_eq!(ids(&trial), (200..350).collect::<Vec<_>>());
    finish(&mut *reader, &trial).await;
    let rest = some(&mut *reader, 2000).await;
    assert_eq!(ids(&rest), (350..500).collect::<Vec<_>>());
    finish(&mut *reader, &rest).await;
    assert_eq!(ids(&some(&mut *reader, 2000).await).len(), 500);
}

#[tokio::test(start_paused = true)]
async fn an_end_in_order_counts_no_start() {
    for has_closed in [true, false] {
        let mut mortal = Mortal::new(1).await;
        mortal.die_with_all_out(0..1).await;
        for _ in 0..3 {
            let mut reader = mortal.reader().await;
            let alone = some(&mut *reader, 100).await;
            assert_eq!((ids(&alone), alone[0].starts), (vec![0], 0));
            // The member closes, or the engine alone.
            if has_closed {
                reader.close().await.unwrap();
            }
            mortal.stage().engine.close().await.unwrap();
            mortal.die().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_partition_is_on_trial_at_a_time_and_what_is_not_suspect_goes_on() {
    let mut mortal = Mortal::new(3).await;
    // Two messages of each of two partitions.
    let to = |partition: &str, id: u64| {
        let mut message = out(id);
        message.record.key = Some(partition.to_owned());
        message
    };
    let mut keys: BTreeMap<u32, String> = BTreeMap::new();
    for key in 0..50 {
        let key = key.to_string();
        keys.entry(backlot_messaging::partition::of_key(&key, 3))
            .or_insert(key);
    }
    let messages = (0..8).map(|id| to(&keys[&u32::from(id >= 4)], id));
    mortal.stage().publish(messages.collect()).await.unwrap();
    let mut reader = mortal.reader().await;
    assert_eq!(some(&mut *reader, 100).await.len(), 8);
    drop(reader);
    mortal.die().await;
    // Two members share what was one's.
    let subscription = Subscription::new(TOPIC, "g");
    let engine = &mortal.stage().engine;
    let mut one = engine.attach(&cx(), &subscription).await.unwrap();
    let mut other = engine.attach(&cx(), &subscription).await.unwrap();
    let mut came: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    let first = tokio::select! {
        biased;
        first = some(&mut *one, 100) => first,
        first = some(&mut *other, 100) => first,
    };
    assert_eq!(first.len(), 2);
    nothing(&mut *one).await;
    nothing(&mut *other).await;
    let free = vec![to(&keys[&2], 8), to(&keys[&2], 9)];
    mortal.stage().publish(free).await.unwrap();
    let free = tokio::select! {
        biased;
        free = some(&mut *one, 100) => free,
        free = some(&mut *other, 100) => free,
    };
    assert_eq!(ids(&free), [8, 9]);
    // Whoever has it settles it.
    let mut waiting = vec![first];
    while !waiting.is_empty() {
        for some in std::mem::take(&mut waiting) {
            for delivery in &some {
                let came = came.entry(delivery.token.partition).or_default();
                came.extend(ids(std::slice::from_ref(delivery)));
            }
            assert_eq!(one.settle(done(&some)).await.unwrap().len() % some.len(), 0);
            other.settle(done(&some)).await.unwrap();
        }
        let next = async {
            tokio::select! {
                biased;
                next = some(&mut *one, 100) => next,
                next = some(&mut *other, 100) => next,
            }
        };
        if came.values().map(Vec::len).sum::<usize>() < 8 {
            let next = next.await;
            assert_eq!(next.len(), 2, "{next:?}");
            waiting.push(next);
        }
    }
    assert_eq!(
        came,
        BTreeMap::from([(0, vec![0, 1, 2, 3]), (1, vec![4, 5, 6, 7])])
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_runs_out_makes_the_trial_smaller() {
    let mut mortal = Mortal::new(1).await;
    mortal.die_with_all_out(0..8).await;
    let mut reader = mortal.reader().await;
    for (size, starts) in [(4, 0), (2, 0), (1, 0), (1, 1)] {
        let trial = some(&mut *reader, 100).await;
        assert_eq!((trial.len(), trial[0].starts), (size, starts));
        tokio::time::sleep(Duration::from_secs(31)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_topic_that_was_emptied_nothing_is_suspect() {
    let mut mortal = Mortal::new(1).await;
    mortal.die_with_all_out(0..ALL).await;
    let Stage { engine, .. } = mortal.stage();
    engine.purge(TOPIC).await.unwrap();
    mortal.publish(0..5).await;
    let mut reader = mortal.reader().await;
    assert_eq!(some(&mut *reader, 100).await.len(), 5, "nothing is suspect");
}

#[tokio::test(start_paused = true)]
async fn holes_without_number_are_closed_after_an_end_in_order() {
    let mortal = Mortal::new(1).await;
    mortal.publish(0..10_000).await;
    let subscription = Subscription {
        in_flight: 10_000,
        ..Subscription::new(TOPIC, "g")
    };
    let engine = &mortal.stage().engine;
    let mut reader = engine.attach(&cx(), &subscription).await.unwrap();
    let mut taken = Vec::new();
    while taken.len() < 10_000 {
        taken.extend(some(&mut *reader, 10_000).await);
    }
    let odd: Vec<Delivery> = taken.into_iter().skip(1).step_by(2).collect();
    finish(&mut *reader, &odd).await;
    reader.close().await.unwrap();
    let mut reader = engine.attach(&cx(), &subscription).await.unwrap();
    let mut left = 5000;
    while left > 0 {
        let even = some(&mut *reader, 10_000).await;
        finish(&mut *reader, &even).await;
        left -= even.len();
    }
    assert_eq!(mortal.stage().lag("g").await, 0);
}
