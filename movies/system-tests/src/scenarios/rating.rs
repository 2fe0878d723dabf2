//! Ratings: one per user and record, kept by their user alone.

use crate::Clients;
use crate::clients::rating;
use backlot::Code;
use movies_api::{BatchGetAggregatedRatingsRequest, DeleteRatingRequest, GetRatingRequest};

fn get(user: &str, film: &str) -> GetRatingRequest {
    GetRatingRequest {
        record_type: "movie".to_owned(),
        record_id: film.to_owned(),
        user_id: user.to_owned(),
    }
}

fn delete(user: &str, film: &str) -> DeleteRatingRequest {
    DeleteRatingRequest {
        record_type: "movie".to_owned(),
        record_id: film.to_owned(),
        user_id: user.to_owned(),
    }
}

fn batch(films: impl IntoIterator<Item = String>) -> BatchGetAggregatedRatingsRequest {
    BatchGetAggregatedRatingsRequest {
        record_type: "movie".to_owned(),
        record_ids: films.into_iter().collect(),
    }
}

pub(super) async fn rating_again_replaces(world: &Clients) {
    world.rate("ann", "replaced", 4).await;
    world.rate("bob", "replaced", 10).await;
    let aggregate = world.rate("ann", "replaced", 9).await;
    assert_eq!((aggregate.count, aggregate.mean), (2, Some(4.75)));
    assert_eq!(aggregate.histogram, [0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    let own = world.answered(
        "own",
        world
            .rating
            .get_rating(&world.user("ann"), get("ann", "replaced"))
            .await,
    );
    assert_eq!(own.half_stars, 9);
    // The same value once more changes nothing, not even the version.
    assert_eq!(world.rate("ann", "replaced", 9).await, aggregate);
    assert_eq!(world.aggregate("replaced").await, aggregate);
}

pub(super) async fn deleting_takes_a_rating_back(world: &Clients) {
    world.rate("ann", "deleted", 4).await;
    world.rate("bob", "deleted", 6).await;
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    let first = world.answered(
        "first",
        world
            .rating
            .delete_rating(&ann, delete("ann", "deleted"))
            .await,
    );
    let aggregate = world.some("the aggregate", first.aggregate);
    assert!(first.deleted);
    assert_eq!((aggregate.count, aggregate.mean), (1, Some(3.0)));
    world.refused(
        "gone",
        world.rating.get_rating(&ann, get("ann", "deleted")).await,
        Code::NotFound,
    );
    let again = world.answered(
        "again",
        world
            .rating
            .delete_rating(&ann, delete("ann", "deleted"))
            .await,
    );
    assert!(!again.deleted);
    assert_eq!(again.aggregate, Some(aggregate));
    let last = world.answered(
        "last",
        world
            .rating
            .delete_rating(&bob, delete("bob", "deleted"))
            .await,
    );
    let aggregate = world.some("the aggregate", last.aggregate);
    assert_eq!(
        (aggregate.count, aggregate.mean, aggregate.histogram),
        (0, None, vec![0; 10])
    );
}

pub(super) async fn a_value_out_of_range_is_the_callers_fault_and_changes_nothing(world: &Clients) {
    let before = world.rate("ann", "range", 5).await;
    for half_stars in [0, 11, -1, 12, 256, i32::MIN, i32::MAX] {
        let outcome = world
            .rating
            .put_rating(&world.user("ann"), rating("ann", "range", half_stars))
            .await;
        let error = world.refused("out of range", outcome, Code::InvalidArgument);
        assert_eq!(error.violations().len(), 1, "{error:?}");
        assert_eq!(error.violations()[0].field, "value", "{error:?}");
    }
    assert_eq!(world.aggregate("range").await, before);
}

pub(super) async fn another_users_rating_is_nobody_elses(world: &Clients) {
    let before = world.rate("ann", "own", 5).await;
    let bob = world.user("bob");
    let outcome = world.rating.put_rating(&bob, rating("ann", "own", 9)).await;
    world.refused("put", outcome, Code::PermissionDenied);
    let outcome = world.rating.delete_rating(&bob, delete("ann", "own")).await;
    world.refused("delete", outcome, Code::PermissionDenied);
    let outcome = world.rating.get_rating(&bob, get("ann", "own")).await;
    world.refused("get", outcome, Code::PermissionDenied);
    // An editor edits films, not opinions.
    let outcome = world
        .rating
        .put_rating(&world.editor(), rating("ann", "own", 9))
        .await;
    world.refused("an editor", outcome, Code::PermissionDenied);
    assert_eq!(world.aggregate("own").await, before);
}

pub(super) async fn nobody_may_not_rate(world: &Clients) {
    let nobody = world.nobody();
    let outcome = world
        .rating
        .put_rating(&nobody, rating("ann", "nobodys", 9))
        .await;
    world.refused("put", outcome, Code::Unauthenticated);
    let outcome = world
        .rating
        .delete_rating(&nobody, delete("ann", "nobodys"))
        .await;
    world.refused("delete", outcome, Code::Unauthenticated);
    let outcome = world
        .rating
        .get_rating(&nobody, get("ann", "nobodys"))
        .await;
    world.refused("get", outcome, Code::Unauthenticated);
    // What is wrong with the request is told first: it costs less to find out.
    let outcome = world
        .rating
        .put_rating(&nobody, rating("ann", "nobodys", 99))
        .await;
    world.refused("wrong as well", outcome, Code::InvalidArgument);
    assert_eq!(world.aggregate("nobodys").await.count, 0);
}

pub(super) async fn a_record_nobody_rated_has_a_count_of_zero_and_no_mean(world: &Clients) {
    let aggregate = world.aggregate("never-rated").await;
    assert_eq!(
        (aggregate.count, aggregate.mean, aggregate.version),
        (0, None, 0)
    );
    assert_eq!(aggregate.histogram, vec![0; 10]);
    let outcome = world
        .rating
        .get_rating(&world.user("ann"), get("ann", "never-rated"))
        .await;
    world.refused("own", outcome, Code::NotFound);
}

pub(super) async fn records_come_in_the_order_asked(world: &Clients) {
    world.rate("ann", "order-b", 2).await;
    let ids = ["order-c", "order-b", "order-a", "order-b"].map(str::to_owned);
    let answer = world.answered(
        "batch",
        world
            .rating
            .batch_get_aggregated_ratings(&world.nobody(), batch(ids))
            .await,
    );
    let counts: Vec<u32> = answer
        .aggregates
        .iter()
        .map(|aggregate| aggregate.count)
        .collect();
    assert_eq!(counts, [0, 1, 0, 1]);
    let none = world.answered(
        "none",
        world
            .rating
            .batch_get_aggregated_ratings(&world.nobody(), batch([]))
            .await,
    );
    assert!(none.aggregates.is_empty());
    let most = batch((0..200).map(|number| number.to_string()));
    let most = world.worked(
        "most",
        world
            .rating
            .batch_get_aggregated_ratings(&world.nobody(), most)
            .await,
    );
    assert_eq!(most.aggregates.len(), 200);
    let more = batch((0..201).map(|number| number.to_string()));
    let outcome = world
        .rating
        .batch_get_aggregated_ratings(&world.nobody(), more)
        .await;
    world.refused("more", outcome, Code::InvalidArgument);
}

pub(super) async fn a_flood_of_violations_is_told_and_cut_short(world: &Clients) {
    // Words that grow several times over on some wires.
    let wrong = batch((0..200).map(|_| "\u{1F3AC}".repeat(65)));
    let outcome = world
        .rating
        .batch_get_aggregated_ratings(&world.nobody(), wrong)
        .await;
    let error = world.refused("films", outcome, Code::InvalidArgument);
    assert_eq!(error.violations().len(), 32);
    let outcome = world
        .rating
        .put_rating(
            &world.user("ann"),
            rating(&"\u{1}".repeat(1000), &"é".repeat(1000), 0),
        )
        .await;
    let error = world.refused("one", outcome, Code::InvalidArgument);
    assert_eq!(error.violations().len(), 3);
}
