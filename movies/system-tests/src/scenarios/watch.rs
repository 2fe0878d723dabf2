//! Ratings as they change.

use crate::Clients;
use backlot::{Error, Streaming};
use movies_api::{Aggregate, RatingChanged, WatchRatingsRequest};
use std::time::Duration;

pub(super) fn watch(film: &str) -> WatchRatingsRequest {
    WatchRatingsRequest {
        record_type: "movie".to_owned(),
        record_id: film.to_owned(),
    }
}

async fn next(world: &Clients, stream: &mut Streaming<RatingChanged>) -> Aggregate {
    let item: Result<RatingChanged, Error> = world.some("a change", stream.next().await);
    world.some("the aggregate", world.worked("a change", item).aggregate)
}

pub(super) async fn a_watcher_sees_the_present_and_then_each_change_the_latest_last(
    world: &Clients,
) {
    world.rate("ann", "watched", 2).await;
    let cx = world.nobody().with_timeout(Duration::from_secs(30));
    let mut stream = world.worked(
        "watch",
        world.rating.watch_ratings(&cx, watch("watched")).await,
    );
    let mut seen = next(world, &mut stream).await;
    assert_eq!((seen.count, seen.version), (1, 1));
    let mut last = seen.clone();
    for (user, half_stars) in [("bob", 4), ("cid", 6), ("ann", 8), ("bob", 10)] {
        last = world.rate(user, "watched", half_stars).await;
    }
    // What lies between may be skipped; the latest may not, and none comes twice or late.
    while seen.version < last.version {
        let change = next(world, &mut stream).await;
        assert!(change.version > seen.version, "{change:?} after {seen:?}");
        seen = change;
    }
    assert_eq!(seen, last);
    assert_eq!(seen, world.aggregate("watched").await);
}

pub(super) async fn a_watcher_of_one_record_hears_nothing_of_others(world: &Clients) {
    let cx = world.nobody().with_timeout(Duration::from_secs(30));
    let mut stream = world.worked(
        "watch",
        world
            .rating
            .watch_ratings(&cx, watch("watched-alone"))
            .await,
    );
    assert_eq!(next(world, &mut stream).await.count, 0);
    world.rate("ann", "watched-not", 2).await;
    world.rate("ann", "watched-alone", 3).await;
    let change = next(world, &mut stream).await;
    assert_eq!((change.count, change.mean), (1, Some(1.5)));
}
