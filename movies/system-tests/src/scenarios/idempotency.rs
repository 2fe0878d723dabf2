//! Keys that make a write safe to repeat.

use crate::Clients;
use crate::clients::rating;
use crate::probe::LookRequest;
use backlot::{Code, Context, Idempotency};
use movies_api::DeleteRatingRequest;
use std::sync::Arc;

/// The same call under a key of the caller's, checked by nobody so far.
fn under(cx: Context, key: &str) -> Context {
    cx.with_idempotency(Some(Arc::new(Idempotency {
        key: key.to_owned(),
        method: "",
        fingerprint: 0,
    })))
}

pub(super) async fn a_repeated_key_gives_the_first_answer(world: &Clients) {
    let ann = || under(world.user("ann"), "repeated-1");
    let first = world.answered(
        "first",
        world
            .rating
            .put_rating(&ann(), rating("ann", "repeated", 4))
            .await,
    );
    // Somebody else, and she herself, come in between.
    world.rate("bob", "repeated", 10).await;
    world.rate("ann", "repeated", 9).await;
    let again = world.answered(
        "again",
        world
            .rating
            .put_rating(&ann(), rating("ann", "repeated", 4))
            .await,
    );
    assert_eq!(again, first);
    let aggregate = world.aggregate("repeated").await;
    assert_eq!(
        (aggregate.count, aggregate.mean),
        (2, Some(4.75)),
        "nothing was undone"
    );
}

pub(super) async fn a_key_with_another_payload_is_refused(world: &Clients) {
    let ann = || under(world.user("ann"), "reused-1");
    world.answered(
        "first",
        world
            .rating
            .put_rating(&ann(), rating("ann", "reused", 4))
            .await,
    );
    let outcome = world
        .rating
        .put_rating(&ann(), rating("ann", "reused", 5))
        .await;
    world.refused("another value", outcome, Code::FailedPrecondition);
    let outcome = world
        .rating
        .put_rating(&ann(), rating("ann", "reused-too", 4))
        .await;
    world.refused("another film", outcome, Code::FailedPrecondition);
    assert_eq!(world.aggregate("reused").await.mean, Some(2.0));
    assert_eq!(world.aggregate("reused-too").await.count, 0);
}

pub(super) async fn a_key_belongs_to_its_user_and_its_method(world: &Clients) {
    let key = "shared-1";
    for user in ["ann", "bob"] {
        let cx = under(world.user(user), key);
        world.answered(
            user,
            world
                .rating
                .put_rating(&cx, rating(user, "shared", 4))
                .await,
        );
    }
    assert_eq!(world.aggregate("shared").await.count, 2);
    let request = DeleteRatingRequest {
        record_type: "movie".to_owned(),
        record_id: "shared".to_owned(),
        user_id: "ann".to_owned(),
    };
    let cx = under(world.user("ann"), key);
    let deleted = world.answered(
        "another method",
        world.rating.delete_rating(&cx, request).await,
    );
    assert!(deleted.deleted);
}

pub(super) async fn a_refused_write_does_not_use_up_its_key(world: &Clients) {
    let cx = || under(world.user("ann"), "refused-1");
    let outcome = world
        .rating
        .put_rating(&cx(), rating("ann", "refused", 11))
        .await;
    world.refused("out of range", outcome, Code::InvalidArgument);
    let outcome = world
        .rating
        .put_rating(&cx(), rating("bob", "refused", 10))
        .await;
    world.refused("somebody else's", outcome, Code::PermissionDenied);
    world.answered(
        "then right",
        world
            .rating
            .put_rating(&cx(), rating("ann", "refused", 10))
            .await,
    );
}

pub(super) async fn a_malformed_key_is_the_callers_fault(world: &Clients) {
    let long = "k".repeat(129);
    for key in ["", " ", "a b", "é", "a\nb", "a\0b", &long] {
        let cx = under(world.user("ann"), key);
        let outcome = world
            .rating
            .put_rating(&cx, rating("ann", "malformed-key", 4))
            .await;
        world.refused(&format!("the key {key:?}"), outcome, Code::InvalidArgument);
    }
    let longest = "k".repeat(128);
    let cx = under(world.user("ann"), &longest);
    world.answered(
        "the longest",
        world
            .rating
            .put_rating(&cx, rating("ann", "malformed-key", 4))
            .await,
    );
    assert_eq!(world.aggregate("malformed-key").await.version, 1);
}

pub(super) async fn a_write_travels_under_a_key_and_a_read_does_not(world: &Clients) {
    let keys = |sights: Vec<crate::probe::Sight>| -> Vec<_> {
        sights
            .into_iter()
            .map(|sight| sight.idempotency_key)
            .collect()
    };
    let cx = under(world.nobody(), "travels-1");
    let two = LookRequest { hops: 1 };
    let read = world.worked("a read", world.probe.look(&cx, two).await);
    assert_eq!(keys(read.sights), [None, None]);
    let write = world.worked("a write", world.probe.write(&cx, two).await);
    assert_eq!(
        keys(write.sights),
        [Some("travels-1".to_owned()), Some("travels-1".to_owned())]
    );
    let write = world.worked(
        "a write without",
        world.probe.write(&world.nobody(), two).await,
    );
    let made = keys(write.sights);
    assert!(
        made[0]
            .as_ref()
            .is_some_and(|key| Idempotency::parse(key).is_ok()),
        "{made:?}"
    );
    assert_eq!(made[0], made[1], "one write, one key");
}
