use super::tests::{film, rating, ratings, speaking, tell, user};
use super::*;
use crate::batch::{Batch, Gathering};
use crate::model::OutsideRating;
use crate::repository::MIGRATIONS;
use backlot::storage::{Migrations, Store, sqlite};
use backlot::{Code, Idempotency, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn importer() -> Context {
    Context::system("importer")
}

fn batch(entries: &[(&str, &str, i32, i64)]) -> Batch {
    let mut changes = Gathering::default();
    for (user, record, half_stars, rated_at) in entries {
        let value = HalfStars::new(*half_stars).unwrap();
        changes.put(user, ("movie", record), value, Some(Timestamp(*rated_at)));
    }
    changes.finish()
}

#[tokio::test]
async fn a_batch_counts_what_is_new_and_what_has_another_value() {
    let ratings = ratings();
    ratings
        .put(&user("ann"), rating("a", "ann", 4))
        .await
        .unwrap();
    let first = batch(&[
        ("ann", "a", 6, 1),
        ("bob", "a", 2, 1),
        ("bob", "b", 3, 1),
        ("bob", "b", 8, 2),
    ]);
    assert_eq!(ratings.put_batch(&importer(), first).await.unwrap(), (2, 1));
    let a = ratings.aggregate(&importer(), film("a")).await.unwrap();
    assert_eq!((a.count, a.sum, a.version), (2, 8, 2));
    let b = ratings.aggregate(&importer(), film("b")).await.unwrap();
    assert_eq!((b.count, b.sum, b.version), (1, 8, 1));
}

#[tokio::test]
async fn a_batch_again_changes_nothing_not_even_the_version() {
    let ratings = ratings();
    let entries = [("ann", "a", 6, 1), ("bob", "a", 2, 1), ("bob", "b", 3, 1)];
    ratings
        .put_batch(&importer(), batch(&entries))
        .await
        .unwrap();
    let before = ratings.aggregate(&importer(), film("a")).await.unwrap();
    let again = ratings
        .put_batch(&importer(), batch(&entries))
        .await
        .unwrap();
    assert_eq!(again, (0, 0));
    assert_eq!(
        ratings.aggregate(&importer(), film("a")).await.unwrap(),
        before
    );
    // Another time alone is kept, and is no other rating.
    let later = batch(&[("bob", "b", 3, 9)]);
    assert_eq!(ratings.put_batch(&importer(), later).await.unwrap(), (0, 0));
    let (own, _) = ratings
        .of_user(&user("bob"), "bob".into(), 0, "")
        .await
        .unwrap();
    assert_eq!(own[0].rated_at, Timestamp(9));
}

#[tokio::test]
async fn only_an_importer_writes_batches() {
    let ratings = ratings();
    for (cx, code) in [
        (user("ann"), Code::PermissionDenied),
        (Context::background(), Code::Unauthenticated),
    ] {
        let refused = ratings.put_batch(&cx, batch(&[("ann", "a", 6, 1)])).await;
        assert_eq!(refused.unwrap_err().code(), code);
        let refused = ratings.put_outside(&cx, "movie".into(), Vec::new()).await;
        assert_eq!(refused.unwrap_err().code(), code);
    }
    let a = ratings.aggregate(&importer(), film("a")).await.unwrap();
    assert_eq!(a, Aggregate::default());
}

#[tokio::test]
async fn a_batch_repeated_under_its_key_gives_the_first_counts() {
    let ratings = ratings();
    let cx = importer().with_idempotency(Some(Arc::new(Idempotency {
        key: "k".into(),
        method: "/batch",
        fingerprint: 1,
    })));
    for _ in 0..2 {
        let counted = ratings.put_batch(&cx, batch(&[("ann", "a", 6, 1)])).await;
        assert_eq!(counted.unwrap(), (1, 0));
    }
}

#[tokio::test]
async fn watchers_see_what_a_batch_changed() {
    let ratings = ratings();
    let mut a = ratings.watch(&importer(), film("a")).await.unwrap();
    let c = ratings.watch(&importer(), film("c")).await.unwrap();
    let entries = [("ann", "a", 6, 1), ("bob", "a", 2, 1), ("bob", "b", 3, 1)];
    ratings
        .put_batch(&importer(), batch(&entries))
        .await
        .unwrap();
    assert_eq!(tell(&ratings).await.len(), 1);
    a.changed().await.unwrap();
    assert_eq!((a.borrow().count, a.borrow().version), (2, 1));
    assert!(!c.has_changed().unwrap());
}

#[tokio::test]
async fn a_user_sees_the_own_ratings_the_latest_first_a_page_at_a_time() {
    let ratings = ratings();
    let ids: Vec<String> = (0..25).map(|n| format!("r{n:02}")).collect();
    let entries: Vec<_> = ids
        .iter()
        .zip(0..)
        .flat_map(|(record, n)| {
            // Pairs share their time.
            [
                ("ann", record.as_str(), 1 + n % 10, i64::from(n / 2)),
                ("bob", record.as_str(), 5, 99),
            ]
        })
        .collect();
    // Records first met in another order than that of their ids.
    for entries in entries.rchunks(9) {
        ratings
            .put_batch(&importer(), batch(entries))
            .await
            .unwrap();
    }
    let cx = user("ann");
    let mut expected: Vec<(i64, String)> = (0..25).map(|n| (n / 2, format!("r{n:02}"))).collect();
    expected.sort();
    expected.reverse();
    for size in [1, 2, 7, 25, 26] {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let (page, next) = ratings
                .of_user(&cx, "ann".into(), size, &token)
                .await
                .unwrap();
            assert!(page.len() <= size);
            seen.extend(page.into_iter().map(|own| (own.rated_at.0, own.record.id)));
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, expected, "pages of {size}");
    }
    let error = ratings
        .of_user(&user("bob"), "ann".into(), 0, "")
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    let (_, token) = ratings.of_user(&cx, "ann".into(), 1, "").await.unwrap();
    let error = ratings
        .of_user(&user("bob"), "bob".into(), 1, &token)
        .await
        .unwrap_err();
    assert_eq!(error.violations()[0].field, "pageToken");
}

#[tokio::test]
async fn a_rating_given_again_comes_to_the_top() {
    let time = Arc::new(std::sync::atomic::AtomicI64::new(0));
    let clock = {
        let time = Arc::clone(&time);
        Clock::from_fn(move || Timestamp(time.fetch_add(1, std::sync::atomic::Ordering::Relaxed)))
    };
    let ratings = Controller::new(
        speaking(sqlite::memory(MIGRATIONS, clock.clone()).unwrap()),
        clock,
    );
    for record in ["a", "b", "a"] {
        ratings
            .put(&user("ann"), rating(record, "ann", 4))
            .await
            .unwrap();
    }
    let (own, _) = ratings
        .of_user(&user("ann"), "ann".into(), 0, "")
        .await
        .unwrap();
    let order: Vec<_> = own.iter().map(|own| own.record.id.as_str()).collect();
    assert_eq!(order, ["a", "b"]);
}

#[tokio::test]
async fn changes_come_in_order_of_time_from_the_time_asked_a_page_at_a_time() {
    let time = Arc::new(std::sync::atomic::AtomicI64::new(100));
    let clock = {
        let time = Arc::clone(&time);
        Clock::from_fn(move || Timestamp(time.load(std::sync::atomic::Ordering::Relaxed)))
    };
    let ratings = Controller::new(
        speaking(sqlite::memory(MIGRATIONS, clock.clone()).unwrap()),
        clock,
    );
    for (at, record) in [(100, "b"), (100, "a"), (200, "c"), (300, "a")] {
        time.store(at, std::sync::atomic::Ordering::Relaxed);
        let one = batch(&[(&format!("u{at}"), record, 4, 1)]);
        ratings.put_batch(&importer(), one).await.unwrap();
    }
    for (since, expected) in [
        (0, vec![(100, "b"), (200, "c"), (300, "a")]),
        (101, vec![(200, "c"), (300, "a")]),
        (300, vec![(300, "a")]),
        (301, vec![]),
    ] {
        for size in [1, 2, 10] {
            let (mut seen, mut token) = (Vec::new(), String::new());
            loop {
                let (page, next) = ratings
                    .changes(&importer(), "movie".into(), Timestamp(since), size, &token)
                    .await
                    .unwrap();
                seen.extend(
                    page.into_iter()
                        .map(|change| (change.changed_at.0, change.record_id)),
                );
                token = next;
                if token.is_empty() {
                    break;
                }
            }
            let seen: Vec<_> = seen.iter().map(|(at, id)| (*at, id.as_str())).collect();
            assert_eq!(seen, expected, "since {since}, pages of {size}");
        }
    }
}

#[tokio::test]
async fn averages_of_others_are_kept_apart_and_replaced() {
    let ratings = ratings();
    let of = |source: &str, mean| OutsideRating {
        record_id: "a".into(),
        source: source.into(),
        mean,
        votes: 7,
    };
    for given in [vec![of("imdb", 2.0), of("imdb", 3.5)], vec![of("aaa", 1.0)]] {
        ratings
            .put_outside(&importer(), "movie".into(), given)
            .await
            .unwrap();
    }
    let outside = ratings.outside(&importer(), film("a")).await.unwrap();
    assert_eq!(outside, [of("aaa", 1.0), of("imdb", 3.5)]);
    let a = ratings.aggregate(&importer(), film("a")).await.unwrap();
    assert_eq!(a, Aggregate::default());
}

#[tokio::test]
async fn ratings_from_before_times_were_kept_stay() {
    const FIRST: Migrations = MIGRATIONS.split_at(1).0;
    let memory = sqlite::Memory::default();
    let old = memory.open(FIRST, Clock::real()).unwrap();
    old.write(&importer(), |tx| {
        Box::pin(async move {
            tx.batch(backlot::storage::sql!(
                "INSERT INTO ratings (record_type, record_id, user_id, half_stars)
                 VALUES ('movie', 'a', 'ann', 4), ('movie', 'a', 'bob', 5), ('movie', 'b', 'ann', 6);
                 INSERT INTO aggregates VALUES
                    ('movie', 'a', 2, 9, 0,0,0,1,1,0,0,0,0,0, 2),
                    ('movie', 'b', 1, 6, 0,0,0,0,0,1,0,0,0,0, 1)"
            ))
            .await
        })
    })
    .await
    .unwrap_or_else(|error: backlot::storage::StoreError| panic!("{error}"));
    old.close().await.unwrap();
    let store = memory.open(MIGRATIONS, Clock::real()).unwrap();
    let ratings = Controller::new(speaking(store), Clock::real());
    let (own, _) = ratings
        .of_user(&user("ann"), "ann".into(), 0, "")
        .await
        .unwrap();
    assert_eq!(own.len(), 2);
    assert!(own.iter().all(|own| own.rated_at == Timestamp(0)));
    let again = batch(&[("ann", "a", 4, 1), ("ann", "b", 10, 1)]);
    assert_eq!(ratings.put_batch(&importer(), again).await.unwrap(), (0, 1));
    let (changes, _) = ratings
        .changes(&importer(), "movie".into(), Timestamp(0), 0, "")
        .await
        .unwrap();
    let changes: Vec<_> = changes
        .iter()
        .map(|one| (one.record_id.as_str(), one.sum))
        .collect();
    assert_eq!(changes, [("a", 9), ("b", 10)]);
}

#[tokio::test]
async fn ratings_from_before_users_and_records_had_numbers_stay() {
    let memory = sqlite::Memory::default();
    let old = memory.open(TEXTS, Clock::real()).unwrap();
    keep_under_texts(&old).await;
    old.close().await.unwrap();
    let store = memory.open(MIGRATIONS, Clock::real()).unwrap();
    are_kept_under_numbers(&Controller::new(speaking(store), Clock::real())).await;
}

/// The schema before users and records had numbers.
pub(super) const TEXTS: Migrations = MIGRATIONS.split_at(2).0;

/// Fills a store of that schema.
pub(super) async fn keep_under_texts(old: &Store) {
    old.write(&importer(), |tx| {
        Box::pin(async move {
            tx.batch(backlot::storage::sql!(
                "INSERT INTO ratings (user_id, record_type, record_id, half_stars, rated_at)
                 VALUES ('bob', 'movie', 'a', 5, 10), ('ann', 'movie', 'b', 4, 20),
                        ('ann', 'movie', 'a', 4, 30), ('ann', 'book', 'b', 6, 30);
                 INSERT INTO aggregates
                    (record_type, record_id, count, sum, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10,
                     version, changed_at)
                 VALUES ('movie', 'a', 2, 9, 0,0,0,1,1,0,0,0,0,0, 7, 31),
                    ('movie', 'b', 1, 4, 0,0,0,1,0,0,0,0,0,0, 1, 20),
                    ('book', 'b', 1, 6, 0,0,0,0,0,1,0,0,0,0, 1, 30),
                    ('book', 'c', 0, 0, 0,0,0,0,0,0,0,0,0,0, 2, 29)"
            ))
            .await
        })
    })
    .await
    .unwrap_or_else(|error: backlot::storage::StoreError| panic!("{error}"));
}

/// Checks what has become of it.
pub(super) async fn are_kept_under_numbers(ratings: &Controller) {
    let own = async |name: &str| {
        let (own, _) = ratings
            .of_user(&user(name), name.into(), 0, "")
            .await
            .unwrap();
        let told = own.into_iter().map(|own| {
            let Record { kind, id } = own.record;
            (kind, id, own.value.get(), own.rated_at.0)
        });
        told.collect::<Vec<_>>()
    };
    let told = |kind: &str, id: &str, value, at| (kind.to_owned(), id.to_owned(), value, at);
    assert_eq!(
        own("ann").await,
        [
            told("movie", "a", 4, 30),
            told("book", "b", 6, 30),
            told("movie", "b", 4, 20)
        ]
    );
    assert_eq!(own("bob").await, [told("movie", "a", 5, 10)]);
    let a = ratings.aggregate(&importer(), film("a")).await.unwrap();
    assert_eq!((a.count, a.sum, a.version), (2, 9, 7));
    let again = batch(&[("bob", "a", 5, 10), ("eve", "a", 1, 40)]);
    assert_eq!(ratings.put_batch(&importer(), again).await.unwrap(), (1, 0));
    let (deleted, b) = ratings
        .delete(&user("ann"), film("b"), "ann".into())
        .await
        .unwrap();
    assert_eq!((deleted, b.count, b.version), (true, 0, 2));
    let (changes, _) = ratings
        .changes(&importer(), "book".into(), Timestamp(0), 0, "")
        .await
        .unwrap();
    let changes: Vec<_> = changes
        .iter()
        .map(|one| (one.record_id.as_str(), one.changed_at.0))
        .collect();
    assert_eq!(changes, [("c", 29), ("b", 30)]);
}

#[tokio::test]
async fn a_rating_taken_back_that_never_was_leaves_no_trace() {
    let ratings = ratings();
    ratings
        .put(&user("ann"), rating("a", "ann", 4))
        .await
        .unwrap();
    let mut changes = Gathering::default();
    for (who, record) in [
        ("ann", ("movie", "b")),
        ("bob", ("movie", "a")),
        ("eve", ("book", "c")),
        ("ann", ("book", "a")),
    ] {
        changes.delete(who, record);
    }
    let batch = changes.finish();
    assert_eq!(ratings.put_batch(&importer(), batch).await.unwrap(), (0, 0));
    let a = ratings.aggregate(&importer(), film("a")).await.unwrap();
    assert_eq!((a.count, a.version), (1, 1));
    for kind in ["movie", "book"] {
        let (changes, _) = ratings
            .changes(&importer(), kind.into(), Timestamp(0), 0, "")
            .await
            .unwrap();
        assert_eq!(changes.len(), usize::from(kind == "movie"), "{kind}");
    }
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Put(u8, u8, i32),
    Delete(u8, u8),
    Batch(Vec<(u8, u8, i32)>),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let one = || (0..5_u8, 0..4_u8, 1..=10);
    prop_oneof![
        one().prop_map(|(user, record, value)| Step::Put(user, record, value)),
        (0..5_u8, 0..4_u8).prop_map(|(user, record)| Step::Delete(user, record)),
        // Larger than the smaller statements of many rows; of no half stars they take back.
        vec((0..5_u8, 0..4_u8, 0..=10), 0..20).prop_map(Step::Batch),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_interleaving_leaves_the_aggregates_of_a_naive_count(steps in vec(step(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(interleave(&ratings(), &steps));
    }
}

/// Takes these steps on an empty store, and counts beside it.
pub(super) async fn interleave(ratings: &Controller, steps: &[Step]) {
    let cx = importer();
    let mut naive: BTreeMap<(String, String), i32> = BTreeMap::new();
    let names = |user: &u8, record: &u8| (format!("u{user}"), format!("r{record}"));
    for step in steps {
        match step {
            Step::Put(who, what, value) => {
                let (who, what) = names(who, what);
                ratings.put(&cx, rating(&what, &who, *value)).await.unwrap();
                naive.insert((who, what), *value);
            }
            Step::Delete(who, what) => {
                let (who, what) = names(who, what);
                ratings.delete(&cx, film(&what), who.clone()).await.unwrap();
                naive.remove(&(who, what));
            }
            Step::Batch(all) => {
                let mut changes = Gathering::default();
                for (who, what, value) in all {
                    let (who, what) = names(who, what);
                    match HalfStars::new(*value) {
                        Some(value) => changes.put(&who, ("movie", &what), value, None),
                        None => changes.delete(&who, ("movie", &what)),
                    }
                }
                let batch = changes.finish();
                let (created, changed) = ratings.put_batch(&cx, batch).await.unwrap();
                let mut after = naive.clone();
                for (who, what, value) in all {
                    if *value == 0 {
                        after.remove(&names(who, what));
                    } else {
                        after.insert(names(who, what), *value);
                    }
                }
                let new = after.keys().filter(|key| !naive.contains_key(key));
                let other = naive
                    .iter()
                    .filter(|(key, value)| after.get(key).is_some_and(|now| now != *value));
                let expected = (new.count(), other.count());
                assert_eq!((created as usize, changed as usize), expected);
                naive = after;
            }
        }
        for record in 0..4 {
            let id = format!("r{record}");
            let aggregate = ratings.aggregate(&cx, film(&id)).await.unwrap();
            let mut histogram = [0; 10];
            for value in naive
                .iter()
                .filter(|((_, of), _)| *of == id)
                .map(|(_, value)| value)
            {
                histogram[*value as usize - 1] += 1;
            }
            assert_eq!(aggregate.histogram, histogram);
            assert_eq!(aggregate.count, histogram.iter().sum::<u32>());
            let sum: u32 = histogram
                .iter()
                .zip(1..)
                .map(|(count, value)| count * value)
                .sum();
            assert_eq!(aggregate.sum, u64::from(sum));
        }
    }
}
