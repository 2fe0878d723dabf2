use super::*;
use crate::repository::MIGRATIONS;
use backlot::messaging::embedded::{self, Embedded};
use backlot::messaging::engine::{Input, Subscription};
use backlot::messaging::outbox::Carrier;
use backlot::messaging::{Engine, Event, event};
use backlot::service::{Metrics, Tasks};
use backlot::storage::outbox::{self, Relay};
use backlot::storage::sqlite;
use backlot::{
    Clock, Code, Idempotency, Principal, Timestamp, core::principal::Token, core::principal::User,
};
use backlot::{Dice, Env};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn ratings() -> Controller {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    Controller::new(speaking(store), Clock::real())
}

/// The store, of whose changes others are told.
pub(super) fn speaking(store: Store) -> Store {
    store.originating("rating", Dice::seeded(1))
}

/// Hands to the watchers what the commits so far have published, as relay, log and follower do;
/// answers it.
pub(super) async fn tell(ratings: &Controller) -> Vec<RatingsChanged> {
    let (env, metrics) = (Env::real(), Metrics::new());
    let tasks = Tasks::with_metrics(&env, &metrics);
    let log = Embedded::memory(embedded::Options::default(), &env, &tasks, &metrics).await;
    let log: Arc<dyn Engine> = Arc::new(log.unwrap());
    let carrier = Carrier::new(Arc::clone(&log), env.clock.clone()).topic::<RatingsChanged>();
    let options = outbox::Options::default();
    let relay = Relay::new(&ratings.store, carrier, "test", Dice::seeded(2), options);
    relay.run(std::future::ready(())).await;
    let cx = Context::system("test");
    let mut told = Vec::new();
    let Ok(report) = log.inspect(&cx, RatingsChanged::TOPIC, None).await else {
        return told;
    };
    let count: u64 = report.partitions.iter().map(|part| part.head).sum();
    let reading = Subscription::new(RatingsChanged::TOPIC, "test");
    let mut source = log.attach(&cx, &reading).await.unwrap();
    while (told.len() as u64) < count {
        if let Input::Deliveries(deliveries) = source.next(100).await.unwrap() {
            let events = deliveries.iter().map(|one| event::decode(&one.record));
            told.extend(events.map(Result::unwrap));
        }
    }
    for event in &told {
        ratings.tell(RatingsChanged::clone(event));
    }
    told
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
    assert_eq!(tell(&ratings).await.len(), 10);
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

#[tokio::test]
async fn every_change_is_published_with_who_made_it_and_nothing_else_is() {
    let ratings = ratings();
    for half_stars in [4, 4, 9] {
        ratings
            .put(&user("ann"), rating("a", "ann", half_stars))
            .await
            .unwrap();
    }
    for _ in 0..2 {
        ratings
            .delete(&user("ann"), film("a"), "ann".into())
            .await
            .unwrap();
    }
    let told = tell(&ratings).await;
    let said: Vec<_> = told
        .iter()
        .map(|event| {
            let [change] = &*event.changes else {
                panic!("{event:?}")
            };
            let who = event.user_id.as_deref();
            (who, event.value, change.count, change.sum, change.version)
        })
        .collect();
    assert_eq!(
        said,
        [
            (Some("ann"), Some(2.0), 1, 4, 1),
            (Some("ann"), Some(4.5), 1, 9, 2),
            (Some("ann"), None, 0, 0, 3),
        ]
    );
}
