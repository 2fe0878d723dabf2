//! A death is laid to what was on trial in one group: never to what other groups do meanwhile.

use crate::mortal::{Mortal, finish, nothing, some};
use crate::stage::{ids, out};
use backlot_messaging::engine::{Input, Settle, Source};
use std::time::Duration;

/// Two groups of a process that died while both had these out.
async fn died_with_two(messages: u64) -> Mortal {
    let mut mortal = Mortal::new(1).await;
    mortal.publish(0..messages).await;
    for group in ["slow", "deadly"] {
        let mut reader = mortal.stage().reader(group).await;
        assert_eq!(some(&mut *reader, 100).await.len() as u64, messages);
    }
    mortal.die().await;
    mortal
}

async fn two(mortal: &Mortal) -> (Box<dyn Source>, Box<dyn Source>) {
    let stage = mortal.stage();
    (stage.reader("slow").await, stage.reader("deadly").await)
}

#[tokio::test(start_paused = true)]
async fn what_is_slow_in_one_group_is_not_given_up_for_what_kills_in_another() {
    let mut mortal = died_with_two(1).await;
    // The slow one is still at work at each death that the other group causes.
    for deaths in 0..8 {
        let (mut slow, mut deadly) = two(&mortal).await;
        let alone = some(&mut *slow, 100).await;
        assert_eq!((ids(&alone), alone[0].starts), (vec![0], 0));
        let killed = tokio::time::timeout(Duration::from_secs(1), some(&mut *deadly, 100)).await;
        if killed.is_err() {
            // It has the time that it needs, as nothing kills beside it.
            finish(&mut *slow, &alone).await;
            assert_eq!(ids(&some(&mut *deadly, 100).await), [0]);
            return;
        }
        drop((slow, deadly));
        mortal.die().await;
        assert!(deaths < 7, "it ends");
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_waits_for_the_trial_of_another_goes_on_when_it_ends() {
    let mortal = died_with_two(2).await;
    let (mut one, mut other) = two(&mortal).await;
    let first = some(&mut *one, 100).await;
    assert_eq!(ids(&first), [0]);
    nothing(&mut *other).await;
    // It goes on as soon as the trial is settled, long before anything times out.
    let started = tokio::time::Instant::now();
    let settling = finish(&mut *one, &first);
    let (came, ()) = tokio::join!(some(&mut *other, 100), settling);
    assert_eq!(ids(&came), [0]);
    assert!(tokio::time::Instant::now() - started < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_trial_whose_member_is_gone_keeps_no_other_group_waiting() {
    for drops in [true, false] {
        let mortal = died_with_two(2).await;
        let (mut one, mut other) = two(&mortal).await;
        assert_eq!(ids(&some(&mut *one, 100).await), [0]);
        nothing(&mut *other).await;
        // It leaves without a word, or hangs: nobody of its own group is there to notice.
        let one = (!drops).then_some(one);
        let waiting = async {
            loop {
                if let Input::Deliveries(came) = other.next(100).await.unwrap() {
                    return came;
                }
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(61), waiting).await;
        assert_eq!(ids(&came.expect("it comes within a lease")), [0]);
        drop(one);
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_does_not_end_keeps_no_other_group_waiting() {
    let mortal = died_with_two(2).await;
    let (mut one, mut other) = two(&mortal).await;
    let held = some(&mut *one, 100).await;
    assert_eq!(ids(&held), [0]);
    nothing(&mut *other).await;
    // It is well, and holds what it has for an hour: until its store is there again, say.
    let holding = async {
        loop {
            let longer = Settle::Extend(Duration::from_secs(30));
            let stale = one.settle(vec![(held[0].token, longer)]).await.unwrap();
            assert_eq!(stale, []);
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    };
    let waiting = async {
        loop {
            if let Input::Deliveries(came) = other.next(100).await.unwrap() {
                return came;
            }
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(31), async {
        tokio::select! {
            biased;
            came = waiting => came,
            () = holding => unreachable!("it has no end"),
        }
    });
    assert_eq!(ids(&came.await.expect("it comes after a lease")), [0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_suspect_waits_for_no_trial() {
    let mortal = died_with_two(2).await;
    let (mut one, _other) = two(&mortal).await;
    assert_eq!(ids(&some(&mut *one, 100).await), [0]);
    let mut fresh = mortal.stage().reader("fresh").await;
    assert_eq!(ids(&some(&mut *fresh, 100).await), [0, 1]);
    mortal.stage().publish(vec![out(2)]).await.unwrap();
    assert_eq!(ids(&some(&mut *fresh, 100).await), [2]);
}
