use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const FRESH: Duration = Duration::from_secs(30);
const KEPT: Duration = Duration::from_secs(3600);
const PAUSE: Duration = Duration::from_secs(1);

type Small = Table<u32, u64, ()>;

impl Small {
    /// What it knows of itself, counted anew.
    fn check(&self) {
        let weight: u64 = self.rows.values().map(|row| row.weight).sum();
        assert_eq!(weight, self.weight);
        assert!(weight <= self.rules.limit, "{weight}");
        let refreshes = self.running.values().filter(|it| it.is_refresh).count();
        assert_eq!(refreshes, self.refreshes);
        assert!(refreshes <= REFRESHES && self.running.len() <= FLIGHTS);
        assert!(self.failures.len() <= FAILURES);
        for key in self.failures.keys() {
            assert!(!self.rows.contains_key(key), "{key} is held, and is not");
        }
    }

    fn asked(&mut self, key: u32, now: Instant) -> Asked<u64, ()> {
        let asked = self.ask(&key, now, || ());
        self.check();
        asked
    }

    /// Begins to fetch a key that is not held.
    fn begin(&mut self, key: u32, now: Instant) -> u64 {
        match self.asked(key, now) {
            Asked::Wait {
                instead: None,
                fetch: Some(number),
                ..
            } => number,
            other => panic!("{key} is held, or fetched already: {other:?}"),
        }
    }

    /// Whether a fetch of a key of which nothing is held is under way, for others as well.
    fn is_joined(&mut self, key: u32, now: Instant) -> bool {
        let asked = self.asked(key, now);
        matches!(
            asked,
            Asked::Wait {
                instead: None,
                fetch: None,
                ..
            }
        )
    }

    /// Fetches a key that is not held.
    fn fetch(&mut self, key: u32, version: u64, now: Instant) {
        let number = self.begin(key, now);
        self.settle(&key, number, value(version), now);
        self.check();
    }
}

fn table() -> Small {
    Table::new(rules(1_000_000), 7)
}

fn rules(limit: u64) -> Rules {
    Rules {
        limit,
        kept: KEPT,
        stale: 10 * FRESH,
        pause: PAUSE,
    }
}

fn value(version: u64) -> Came<u64> {
    Came::Value {
        value: version,
        version,
        weight: 100,
        fresh: FRESH,
    }
}

fn failure(is_answer: bool) -> Came<u64> {
    Came::Failure {
        error: Arc::new(Error::unavailable("away")),
        pause: PAUSE,
        is_answer,
    }
}

#[tokio::test]
async fn one_fetches_and_the_others_join() {
    let (mut table, now) = (table(), Instant::now());
    let number = table.begin(1, now);
    for _ in 0..10_000 {
        assert!(table.is_joined(1, now));
    }
    table.settle(&1, number, value(1), now);
    assert!(matches!(table.asked(1, now), Asked::Fresh(_)));
}

#[tokio::test]
async fn whoever_comes_after_a_fetch_that_was_given_up_fetches() {
    let (mut table, now) = (table(), Instant::now());
    let number = table.begin(1, now);
    table.give_up(&1, number);
    let other = table.begin(1, now);
    // The first comes late, and ends nobody else's.
    table.give_up(&1, number);
    table.settle(&1, number, value(9), now);
    assert!(table.is_joined(1, now));
    table.settle(&1, other, value(1), now);
    assert!(matches!(table.asked(1, now), Asked::Fresh(held) if held.value == 1));
}

#[tokio::test]
async fn what_is_older_is_served_while_one_fetches_it_anew() {
    let (mut table, now) = (table(), Instant::now());
    table.fetch(1, 1, now);
    let later = now + FRESH;
    let Asked::Stale {
        held,
        old: Old::Refreshing,
        fetch: Some(number),
    } = table.asked(1, later)
    else {
        panic!("it is older than fresh");
    };
    assert_eq!((held.value, held.age), (1, FRESH));
    assert!(matches!(
        table.asked(1, later),
        Asked::Stale { fetch: None, .. }
    ));
    table.settle(&1, number, value(2), later);
    assert!(matches!(table.asked(1, later), Asked::Fresh(held) if held.value == 2));
}

#[tokio::test]
async fn while_the_source_fails_what_is_held_serves_until_it_is_too_old() {
    let (mut table, now) = (table(), Instant::now());
    table.fetch(1, 1, now);
    let mut later = now + FRESH;
    while later <= now + KEPT {
        let Asked::Stale {
            fetch: Some(number),
            ..
        } = table.asked(1, later)
        else {
            panic!("the pause is over");
        };
        table.settle(&1, number, failure(false), later);
        // The source is left alone for a while.
        assert!(matches!(
            table.asked(1, later),
            Asked::Stale {
                old: Old::Failing(_),
                fetch: None,
                ..
            }
        ));
        later += PAUSE;
    }
    assert!(matches!(
        table.asked(1, now + KEPT + Duration::from_millis(1)),
        Asked::Failed(_)
    ));
    table.begin(1, now + KEPT + 2 * PAUSE);
}

#[tokio::test]
async fn when_the_source_says_that_there_is_none_what_was_held_is_no_more() {
    let (mut table, now) = (table(), Instant::now());
    table.fetch(1, 1, now);
    let Asked::Stale {
        fetch: Some(number),
        ..
    } = table.asked(1, now + FRESH)
    else {
        panic!("it is older than fresh");
    };
    table.settle(&1, number, failure(true), now + FRESH);
    assert!(matches!(table.asked(1, now + FRESH), Asked::Failed(_)));
    // A change makes it worth asking again at once.
    table.outdate(&1, None);
    table.check();
    table.begin(1, now + FRESH);
}

#[tokio::test]
async fn what_changed_is_not_served_as_if_it_had_not() {
    let (mut table, now) = (table(), Instant::now());
    table.fetch(1, 1, now);
    assert!(table.outdate(&1, Some(2)));
    assert!(!table.outdate(&1, Some(2)), "it is outdated already");
    let Asked::Wait {
        instead: Some(held),
        fetch: Some(number),
        ..
    } = table.asked(1, now)
    else {
        panic!("it changed");
    };
    assert_eq!(held.value, 1);
    assert!(matches!(
        table.asked(1, now),
        Asked::Wait {
            instead: Some(_),
            fetch: None,
            ..
        }
    ));
    table.settle(&1, number, value(2), now);
    assert!(matches!(table.asked(1, now), Asked::Fresh(held) if held.value == 2));
    // The same change, told late.
    table.outdate(&1, Some(2));
    assert!(matches!(table.asked(1, now), Asked::Fresh(held) if held.value == 2));
}

#[tokio::test]
async fn a_fetch_that_began_before_a_change_is_no_present() {
    let (mut table, now) = (table(), Instant::now());
    for outdate in [
        |table: &mut Small| {
            table.outdate(&1, None);
        },
        |table: &mut Small| table.outdate_all(),
    ] {
        table.forget_all();
        let number = table.begin(1, now);
        outdate(&mut table);
        table.check();
        table.settle(&1, number, value(1), now);
        // It is better than nothing.
        let asked = table.asked(1, now);
        let Asked::Wait {
            instead: Some(held),
            fetch: Some(number),
            ..
        } = asked
        else {
            panic!("{asked:?}");
        };
        assert_eq!(held.value, 1);
        table.settle(&1, number, value(2), now);
        assert!(matches!(table.asked(1, now), Asked::Fresh(held) if held.value == 2));
    }
}

#[tokio::test]
async fn a_fetch_that_began_before_its_key_was_forgotten_is_not_held() {
    let (mut table, now) = (table(), Instant::now());
    for forget in [
        |table: &mut Small| {
            table.forget(&1);
        },
        |table: &mut Small| {
            table.forget_all();
        },
    ] {
        for outdated_before in [false, true] {
            table.forget_all();
            let number = table.begin(1, now);
            if outdated_before {
                table.outdate(&1, None);
            }
            forget(&mut table);
            table.settle(&1, number, value(1), now);
            table.check();
            let number = table.begin(1, now);
            table.give_up(&1, number);
        }
    }
}

#[tokio::test]
async fn after_changes_that_nobody_saw_everything_is_outdated() {
    let (mut table, now) = (table(), Instant::now());
    table.fetch(1, 1, now);
    let number = table.begin(2, now);
    table.settle(&2, number, failure(true), now);
    table.outdate_all();
    table.check();
    assert!(matches!(
        table.asked(1, now),
        Asked::Wait {
            instead: Some(_),
            ..
        }
    ));
    table.begin(2, now);
}

#[tokio::test]
async fn an_older_version_never_takes_the_place_of_a_newer_one() {
    let (mut table, now) = (table(), Instant::now());
    table.fetch(1, 5, now);
    table.outdate(&1, Some(6));
    let Asked::Wait {
        instead: Some(_),
        fetch: Some(number),
        ..
    } = table.asked(1, now)
    else {
        panic!("it changed");
    };
    let (landed, _) = table.settle(&1, number, value(4), now);
    let Landed::Old(held, Old::Failing(_)) = landed else {
        panic!("{landed:?}");
    };
    assert_eq!(held.value, 5);
    // The source is left alone for a while, and asked again without anybody waiting.
    let is_left_alone = |asked: &Asked<u64, ()>| matches!(asked, Asked::Stale { held, fetch: None, .. } if held.value == 5);
    assert!(is_left_alone(&table.asked(1, now)));
    let Asked::Stale {
        fetch: Some(number),
        ..
    } = table.asked(1, now + PAUSE)
    else {
        panic!("the pause is over");
    };
    // One that is newer than what is held, and older than what was told of, is no present either.
    table.outdate(&1, Some(9));
    table.settle(&1, number, value(9), now + PAUSE);
    let Asked::Wait {
        fetch: Some(number),
        ..
    } = table.asked(1, now + PAUSE)
    else {
        panic!("it began before the change");
    };
    let (landed, _) = table.settle(&1, number, value(7), now + PAUSE);
    assert!(matches!(landed, Landed::Old(held, _) if held.value == 7));
    let Asked::Stale {
        fetch: Some(number),
        ..
    } = table.asked(1, now + 2 * PAUSE)
    else {
        panic!("the pause is over");
    };
    table.settle(&1, number, value(9), now + 2 * PAUSE);
    assert!(matches!(table.asked(1, now + 2 * PAUSE), Asked::Fresh(held) if held.value == 9));
}

#[tokio::test]
async fn a_source_that_went_back_for_good_is_believed_when_what_was_held_is_too_old() {
    let (mut table, now) = (table(), Instant::now());
    table.fetch(1, 5, now);
    let later = now + KEPT + PAUSE;
    table.fetch(1, 2, later);
    assert!(matches!(table.asked(1, later), Asked::Fresh(held) if held.value == 2));
}

#[tokio::test]
async fn what_is_much_older_is_waited_for() {
    let (mut table, now) = (table(), Instant::now());
    table.fetch(1, 1, now);
    let later = now + 10 * FRESH + PAUSE;
    let asked = table.asked(1, later);
    assert!(matches!(
        asked,
        Asked::Wait {
            instead: Some(_),
            fetch: Some(_),
            ..
        }
    ));
}

#[tokio::test]
async fn keys_that_there_are_not_take_no_room_of_those_that_are() {
    let (mut table, now) = (table(), Instant::now());
    table.fetch(0, 1, now);
    let weight = table.weight();
    for key in 1..5000 {
        let number = table.begin(key, now);
        table.settle(&key, number, failure(true), now);
    }
    table.check();
    assert_eq!(table.weight(), weight);
    assert!(matches!(table.asked(0, now), Asked::Fresh(_)));
}

#[tokio::test]
async fn what_was_used_last_stays_and_what_is_too_large_does_not_come() {
    let row = 100 + OVERHEAD;
    let (mut table, now) = (Table::new(rules(3 * row), 7), Instant::now());
    for key in 1..=3 {
        table.fetch(key, 1, now);
    }
    assert!(matches!(table.asked(1, now), Asked::Fresh(_)));
    table.fetch(4, 1, now);
    let held: Vec<u32> = table.rows.keys().copied().collect();
    assert_eq!(held, [3, 1, 4]);

    let number = table.begin(5, now);
    let large = Came::Value {
        value: 1,
        version: 1,
        weight: 3 * row,
        fresh: FRESH,
    };
    table.settle(&5, number, large, now);
    table.check();
    assert_eq!(table.values(), 3);
}

#[tokio::test]
async fn fetches_that_nobody_waits_for_are_few() {
    let (mut table, now) = (table(), Instant::now());
    let keys = 0..u32::try_from(REFRESHES).unwrap() + 10;
    for key in keys.clone() {
        table.fetch(key, 1, now);
    }
    let begun = keys.clone().filter(|key| {
        let asked = table.asked(*key, now + FRESH);
        matches!(asked, Asked::Stale { fetch: Some(_), .. })
    });
    assert_eq!(begun.count(), REFRESHES);
    let slow = keys.clone().filter(|key| {
        let asked = table.asked(*key, now + FRESH);
        matches!(asked, Asked::Stale { old: Old::Slow, .. })
    });
    assert_eq!(slow.count(), 10, "those for which there is no room");
    // A fetch that nobody may join any more goes on.
    table.outdate_all();
    let waits = keys.filter(|key| {
        let asked = table.asked(*key, now + FRESH);
        matches!(asked, Asked::Wait { .. })
    });
    assert_eq!(waits.count(), REFRESHES + 10, "people wait for these");
}

#[tokio::test]
async fn no_more_than_so_many_fetches_are_under_way() {
    let (mut table, now) = (table(), Instant::now());
    let many = u32::try_from(FLIGHTS).unwrap();
    let numbers: Vec<u64> = (0..many).map(|key| table.begin(key, now)).collect();
    assert!(matches!(table.asked(many, now), Asked::Full));
    table.forget_all();
    assert!(matches!(table.asked(many, now), Asked::Full), "they go on");
    table.give_up(&0, numbers[0]);
    table.begin(many, now);
}

#[derive(Clone, Debug)]
enum Step {
    Ask(u32),
    Settle(usize, u64),
    Fail(usize, bool),
    GiveUp(usize),
    Outdate(u32, Option<u64>),
    OutdateAll,
    Forget(u32),
    ForgetAll,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6u32).prop_map(Step::Ask),
        4 => (0..8usize, 0..6u64).prop_map(|(flight, version)| Step::Settle(flight, version)),
        1 => (0..8usize, any::<bool>()).prop_map(|(flight, answer)| Step::Fail(flight, answer)),
        1 => (0..8usize).prop_map(Step::GiveUp),
        1 => (0..6u32, proptest::option::of(0..6u64)).prop_map(|(key, version)| Step::Outdate(key, version)),
        1 => Just(Step::OutdateAll),
        1 => (0..6u32).prop_map(Step::Forget),
        1 => Just(Step::ForgetAll),
        2 => (0..40u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_bounds_hold_and_no_key_is_fetched_twice_at_once(
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let mut now = Instant::now();
        let mut table: Small = Table::new(rules(4 * (100 + OVERHEAD)), 7);
        let mut flights: Vec<(u32, u64)> = Vec::new();
        // The newest version of each key that was given out as fresh, since it was last forgotten.
        let mut given: BTreeMap<u32, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Ask(key) => {
                    let held = table.rows.contains_key(&key);
                    if !held {
                        given.remove(&key);
                    }
                    match table.ask(&key, now, || ()) {
                        Asked::Stale { fetch: Some(number), .. }
                        | Asked::Wait { fetch: Some(number), .. } => flights.push((key, number)),
                        Asked::Fresh(held) => {
                            let before = given.insert(key, held.value);
                            prop_assert!(before.is_none_or(|before| before <= held.value));
                        }
                        _ => {}
                    }
                }
                Step::Settle(flight, version) if flight < flights.len() => {
                    let (key, number) = flights.remove(flight);
                    if !table.rows.contains_key(&key) {
                        given.remove(&key);
                    }
                    table.settle(&key, number, value(version), now);
                }
                Step::Fail(flight, is_answer) if flight < flights.len() => {
                    let (key, number) = flights.remove(flight);
                    table.settle(&key, number, failure(is_answer), now);
                    if is_answer {
                        given.remove(&key);
                    }
                }
                Step::GiveUp(flight) if flight < flights.len() => {
                    let (key, number) = flights.remove(flight);
                    table.give_up(&key, number);
                }
                Step::Settle(..) | Step::Fail(..) | Step::GiveUp(_) => {}
                Step::Outdate(key, version) => {
                    table.outdate(&key, version);
                }
                Step::OutdateAll => table.outdate_all(),
                Step::Forget(key) => {
                    table.forget(&key);
                    given.remove(&key);
                }
                Step::ForgetAll => {
                    table.forget_all();
                    given.clear();
                }
                Step::Wait(seconds) => now += Duration::from_secs(seconds),
            }
            table.check();
            // Each fetch that can be joined is somebody's.
            for (key, flight) in &table.flights {
                prop_assert!(flights.contains(&(*key, flight.number)));
            }
        }
    }
}
