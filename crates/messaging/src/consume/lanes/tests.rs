use super::*;
use proptest::prelude::*;
use std::time::Duration;

fn item(offset: u64, key: u64) -> Item<()> {
    Item {
        offset,
        slot: Slot::Key(key),
        message: (),
    }
}

fn offsets(items: &[Item<()>]) -> Vec<u64> {
    items.iter().map(|item| item.offset).collect()
}

#[tokio::test(start_paused = true)]
async fn a_held_message_holds_up_its_key_and_no_other() {
    let now = Instant::now();
    let mut lanes = Lanes::new(false);
    for (offset, key) in [(0, 1), (1, 2), (2, 1), (3, 2)] {
        lanes.offer(item(offset, key));
    }
    let first = lanes.next().unwrap();
    let second = lanes.next().unwrap();
    assert_eq!((first.offset, second.offset), (0, 1));
    assert_eq!(lanes.next(), None, "each key runs one at a time");
    lanes.hold(first, now + Duration::from_secs(1));
    lanes.done(second.slot);
    assert_eq!(lanes.next().map(|item| item.offset), Some(3));
    assert_eq!(lanes.depth(), (1, 1));
    lanes.wake(now);
    assert_eq!(lanes.next(), None);
    lanes.wake(now + Duration::from_secs(1));
    let again = lanes.next().unwrap();
    assert_eq!(again.offset, 0);
    lanes.done(again.slot);
    assert_eq!(lanes.next().map(|item| item.offset), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_batch_leaves_out_what_waits_and_takes_it_up_in_order() {
    let now = Instant::now();
    let mut lanes = Lanes::new(true);
    for offset in 0..10 {
        lanes.offer(item(offset, offset % 3));
    }
    let mut batch = lanes.batch(4);
    assert_eq!(offsets(&batch), [0, 1, 2, 3]);
    // 1 failed, 2 and 3 did not run.
    lanes.put_back(batch.split_off(2));
    lanes.hold(batch.remove(1), now);
    assert_eq!(offsets(&lanes.batch(4)), [2, 3, 5, 6], "4 waits for 1");
    lanes.wake(now);
    let again = lanes.batch(4);
    assert_eq!(offsets(&again), [1], "not with what did not fail");
    lanes.done(again[0].slot);
    assert_eq!(offsets(&lanes.batch(9)), [4, 7, 8, 9]);
    assert_eq!((lanes.depth(), lanes.fresh()), ((0, 0), 0));
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_tried_again_together() {
    let now = Instant::now();
    let mut lanes = Lanes::new(true);
    for offset in 0..6 {
        lanes.offer(item(offset, offset));
    }
    let mut batch = lanes.batch(5);
    lanes.put_back(batch.split_off(4));
    for item in batch {
        lanes.hold(item, now);
    }
    lanes.wake(now);
    let mut again = lanes.batch(3);
    assert_eq!(offsets(&again), [0, 1, 2], "as many as a batch may have");
    // 0 takes so long that the others are left, and are the next of their keys still.
    let (first, others) = (again.remove(0), again);
    lanes.hold(first, now + Duration::from_secs(1));
    lanes.put_back(others);
    assert_eq!(offsets(&lanes.batch(9)), [3, 1, 2]);
    assert_eq!(offsets(&lanes.batch(9)), [4, 5]);
}

proptest! {
    /// Whatever fails and however long it is held, each key's messages are done in their order, and
    /// everything is done in the end.
    #[test]
    fn keys_stay_in_order_under_any_schedule(
        keys in proptest::collection::vec(0u64..5, 1..60),
        choices in proptest::collection::vec(any::<u8>(), 1..200),
        is_batched in any::<bool>(),
        most in 1usize..8,
    ) {
        let start = Instant::now();
        let mut now = start;
        let mut lanes = Lanes::new(is_batched);
        let mut coming = (0..).zip(&keys);
        let mut running: Vec<Vec<Item<()>>> = Vec::new();
        let mut done: Vec<Item<()>> = Vec::new();
        let (mut failures, mut step) = (0, 0);
        let mut choices = choices.into_iter().cycle();
        while done.len() < keys.len() {
            let choice = choices.next().unwrap_or(0);
            if let Some((offset, key)) = coming.next() {
                lanes.offer(item(offset, *key));
            }
            now += Duration::from_millis(7);
            lanes.wake(now);
            if is_batched && running.is_empty() {
                let batch = lanes.batch(most);
                running.extend((!batch.is_empty()).then_some(batch));
            } else if !is_batched {
                running.extend(lanes.next().map(|item| vec![item]));
            }
            step += 1;
            if running.is_empty() || step % 2 == 0 && choice % 3 == 0 {
                continue;
            }
            let mut batch = running.remove(usize::from(choice) % running.len());
            // One of them fails at times; of a batch, what is of its key does not run, or nothing
            // that comes after it.
            let stops = choice % 2 == 0;
            let fails = (choice % 5 == 0 && failures < 100)
                .then(|| usize::from(choice / 5) % batch.len());
            let mut back = Vec::new();
            let mut failed: Option<Item<()>> = None;
            for (place, item) in batch.drain(..).enumerate() {
                if fails == Some(place) {
                    failures += 1;
                    failed = Some(item);
                } else if failed.as_ref().is_some_and(|failed| failed.slot == item.slot || stops) {
                    back.push(item);
                } else {
                    lanes.done(item.slot);
                    done.push(item);
                }
            }
            if let Some(failed) = failed {
                lanes.hold(failed, now + Duration::from_millis(u64::from(choice)));
            }
            lanes.put_back(back);
        }
        for key in 0..5 {
            let mine = done.iter().filter(|item| item.slot == Slot::Key(key));
            let mine: Vec<u64> = mine.map(|item| item.offset).collect();
            prop_assert!(mine.is_sorted(), "{:?}", mine);
        }
        prop_assert_eq!(lanes.iter().count(), 0);
    }
}
