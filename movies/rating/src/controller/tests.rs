use super::*;
use crate::repository::MIGRATIONS;
use backlot::storage::sqlite;
use backlot::{
    Clock, Code, Idempotency, Principal, Timestamp, core::principal::Token, core::principal::User,
};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn ratings() -> Controller {
    Controller::new(
        sqlite::memory(MIGRATIONS, Clock::real()).unwrap(),
        Clock::real(),
    )
}

pub(super) fn user(name: &str) -> Context {
    let user = User {
        subject: name.into(),
        roles: BTreeSet::new(),
        audience: BTreeSet::from(["rating".to_owned()]),
        expires: Timestamp(i64::MAX),
        token: Token::new("unused"),
    };
    Context::background().with_principal(Principal::User(Arc::new(user)))
}

pub(super) fn film(id: &str) -> Record {
    Record {
        kind: "movie".into(),
        id: id.into(),
    }
}

pub(super) fn rating(id: &str, user: &str, half_stars: i32) -> Rating {
    Rating {
        record: film(id),
        user: user.into(),
        value: HalfStars::new(half_stars).unwrap(),
        rated_at: None,
    }
}

#[tokio::test]
async fn rating_again_replaces() {
    let ratings = ratings();
    ratings
        .put(&user("ann"), rating("a", "ann", 4))
        .await
        .unwrap();
    ratings
        .put(&user("bob"), rating("a", "bob", 9))
        .await
        .unwrap();
    let aggregate = ratings
        .put(&user("ann"), rating("a", "ann", 7))
        .await
        .unwrap();
    assert_eq!(
        (aggregate.count, aggregate.sum, aggregate.version),
        (2, 16, 3)
    );
    assert_eq!(aggregate.histogram, [0, 0, 0, 0, 0, 0, 1, 0, 1, 0]);
    assert_eq!(aggregate.mean(), Some(4.0));
    assert_eq!(
        ratings.aggregate(&user("eve"), film("a")).await.unwrap(),
        aggregate
    );
}

#[tokio::test]
async fn the_same_rating_again_changes_nothing() {
    let ratings = ratings();
    let first = ratings
        .put(&user("ann"), rating("a", "ann", 4))
        .await
        .unwrap();
    let second = ratings
        .put(&user("ann"), rating("a", "ann", 4))
        .await
        .unwrap();
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_deleted_rating_leaves_no_trace_in_the_aggregate() {
    let ratings = ratings();
    ratings
        .put(&user("ann"), rating("a", "ann", 4))
        .await
        .unwrap();
    let (deleted, aggregate) = ratings
        .delete(&user("ann"), film("a"), "ann".into())
        .await
        .unwrap();
    assert!(deleted);
    assert_eq!(
        (aggregate.count, aggregate.sum, aggregate.histogram),
        (0, 0, [0; 10])
    );
    let (deleted, again) = ratings
        .delete(&user("ann"), film("a"), "ann".into())
        .await
        .unwrap();
    assert!(!deleted);
    assert_eq!(again, aggregate);
    let error = ratings
        .get(&user("ann"), film("a"), "ann".into())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
}

#[tokio::test]
async fn only_the_user_rates_and_sees_the_own_rating() {
    let ratings = ratings();
    for (cx, code) in [
        (user("bob"), Code::PermissionDenied),
        (Context::background(), Code::Unauthenticated),
    ] {
        assert_eq!(
            ratings
                .put(&cx, rating("a", "ann", 4))
                .await
                .unwrap_err()
                .code(),
            code
        );
        assert_eq!(
            ratings
                .delete(&cx, film("a"), "ann".into())
                .await
                .unwrap_err()
                .code(),
            code
        );
        assert_eq!(
            ratings
                .get(&cx, film("a"), "ann".into())
                .await
                .unwrap_err()
                .code(),
            code
        );
    }
    assert_eq!(
        ratings.aggregate(&user("ann"), film("a")).await.unwrap(),
        Aggregate::default()
    );
}

#[tokio::test]
async fn a_repeated_key_gives_the_first_answer_again() {
    let ratings = ratings();
    let key = |fingerprint| {
        let idempotency = Idempotency {
            key: "k".into(),
            method: "/put",
            fingerprint,
        };
        user("ann").with_idempotency(Some(Arc::new(idempotency)))
    };
    let first = ratings.put(&key(1), rating("a", "ann", 4)).await.unwrap();
    // Somebody else came between; the answer is the first one nevertheless, and nothing is undone.
    ratings
        .put(&user("ann"), rating("a", "ann", 10))
        .await
        .unwrap();
    assert_eq!(
        ratings.put(&key(1), rating("a", "ann", 4)).await.unwrap(),
        first
    );
    assert_eq!(
        ratings
            .get(&user("ann"), film("a"), "ann".into())
            .await
            .unwrap()
            .get(),
        10
    );
    let error = ratings
        .put(&key(2), rating("a", "ann", 5))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn watchers_see_each_record_alone_and_the_latest_last() {
    let ratings = ratings();
    let mut a = ratings.watch(&user("eve"), film("a")).await.unwrap();
    let b = ratings.watch(&user("eve"), film("b")).await.unwrap();
    for half_stars in 1..=10 {
        ratings
            .put(&user("ann"), rating("a", "ann", half_stars))
            .await
            .unwrap();
    }
    a.changed().await.unwrap();
    assert_eq!(a.borrow().histogram[9], 1);
    assert!(!b.has_changed().unwrap());
}

#[tokio::test]
async fn records_come_back_in_the_order_asked() {
    let ratings = ratings();
    ratings
        .put(&user("ann"), rating("b", "ann", 2))
        .await
        .unwrap();
    let counts: Vec<_> = ratings
        .aggregates(&user("ann"), vec![film("a"), film("b"), film("a")])
        .await
        .unwrap()
        .iter()
        .map(|aggregate| aggregate.count)
        .collect();
    assert_eq!(counts, [0, 1, 0]);
}
