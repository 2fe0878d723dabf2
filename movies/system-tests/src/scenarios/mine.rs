//! A user's own ratings, and ratings that come in batches.

use crate::Clients;
use backlot::{Code, Context};
use movies_api::{
    BatchPutOutsideRatingsRequest, BatchPutRatingsRequest, ListAggregateChangesRequest,
    ListOutsideRatingsRequest, ListUserRatingsRequest, OutsideEntry, RatingEntry, UserRating,
};

fn importer(world: &Clients) -> Context {
    let principal = world
        .tokens
        .principal("ines", &["importer"], &crate::tokens::AUDIENCE);
    Context::background().with_principal(principal)
}

fn entry(user: &str, film: &str, half_stars: i32, rated_at: i64) -> RatingEntry {
    RatingEntry {
        record_id: film.to_owned(),
        user_id: user.to_owned(),
        half_stars,
        rated_at,
    }
}

fn batch(ratings: Vec<RatingEntry>) -> BatchPutRatingsRequest {
    BatchPutRatingsRequest {
        record_type: "movie".to_owned(),
        ratings,
    }
}

fn own(user: &str, page_size: i32, page_token: &str) -> ListUserRatingsRequest {
    ListUserRatingsRequest {
        user_id: user.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    }
}

/// All of a user's ratings, in pages of two.
async fn all_own(world: &Clients, user: &str) -> Vec<UserRating> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let outcome = world
            .rating
            .list_user_ratings(&world.user(user), own(user, 2, &token))
            .await;
        let page = world.worked("a page", outcome);
        assert!(page.ratings.len() <= 2, "{page:?}");
        all.extend(page.ratings);
        token = page.next_page_token;
        if token.is_empty() {
            return all;
        }
    }
}

pub(super) async fn own_ratings_come_the_latest_first_a_page_at_a_time(world: &Clients) {
    let ratings = vec![
        entry("mia", "mine-a", 4, 1_000),
        entry("mia", "mine-b", 10, 3_000),
        entry("mia", "mine-c", 1, 2_000),
        entry("noa", "mine-a", 5, 9_000),
    ];
    let outcome = world
        .rating
        .batch_put_ratings(&importer(world), batch(ratings))
        .await;
    let written = world.answered("a batch", outcome);
    assert_eq!((written.created, written.changed), (4, 0));
    // One given now is later than all of them, and so is one that is given again.
    world.rate("mia", "mine-d", 7).await;
    world.rate("mia", "mine-a", 8).await;
    let all = all_own(world, "mia").await;
    let mut latest: Vec<_> = all
        .iter()
        .take(2)
        .map(|own| (own.record_id.as_str(), own.half_stars))
        .collect();
    // Both may be of the same millisecond.
    latest.sort_unstable();
    assert_eq!(latest, [("mine-a", 8), ("mine-d", 7)]);
    let rest: Vec<_> = all
        .iter()
        .skip(2)
        .map(|own| (own.record_id.as_str(), own.half_stars, own.rated_at))
        .collect();
    assert_eq!(rest, [("mine-b", 10, 3_000), ("mine-c", 1, 2_000)]);
    assert!(all[1].rated_at > 3_000);
}

pub(super) async fn only_the_user_sees_the_own_ratings(world: &Clients) {
    world.rate("olga", "mine-olga", 7).await;
    let list = async |cx: &Context| world.rating.list_user_ratings(cx, own("olga", 0, "")).await;
    world.refused(
        "somebody else",
        list(&world.user("pia")).await,
        Code::PermissionDenied,
    );
    world.refused(
        "an importer",
        list(&importer(world)).await,
        Code::PermissionDenied,
    );
    world.refused("nobody", list(&world.nobody()).await, Code::Unauthenticated);
    let seen = world.worked("the user", list(&world.user("olga")).await);
    assert_eq!(seen.ratings.len(), 1);
    // A token of one list is none of another, and words are no token.
    for token in ["no token", "MTp1"] {
        let outcome = world
            .rating
            .list_user_ratings(&world.user("olga"), own("olga", 0, token))
            .await;
        let error = world.refused("a token", outcome, Code::InvalidArgument);
        assert_eq!(error.violations()[0].field, "pageToken", "{error:?}");
    }
}

pub(super) async fn a_batch_needs_the_role_importer(world: &Clients) {
    let put = || batch(vec![entry("ann", "mine-role", 4, 0)]);
    let outside = || BatchPutOutsideRatingsRequest {
        record_type: "movie".to_owned(),
        source: "imdb".to_owned(),
        ratings: vec![OutsideEntry {
            record_id: "mine-role".to_owned(),
            mean: 4.5,
            votes: 7,
        }],
    };
    for (what, cx, code) in [
        ("nobody", world.nobody(), Code::Unauthenticated),
        ("a user", world.user("ann"), Code::PermissionDenied),
        ("an editor", world.editor(), Code::PermissionDenied),
    ] {
        let outcome = world.rating.batch_put_ratings(&cx, put()).await;
        world.refused(what, outcome, code);
        let outcome = world.rating.batch_put_outside_ratings(&cx, outside()).await;
        world.refused(what, outcome, code);
    }
    assert_eq!(world.aggregate("mine-role").await.count, 0);
    let importer = importer(world);
    let outcome = world.rating.batch_put_ratings(&importer, put()).await;
    world.answered("an importer", outcome);
    let outcome = world
        .rating
        .batch_put_outside_ratings(&importer, outside())
        .await;
    world.answered("an importer, of others", outcome);
    // They are kept apart.
    assert_eq!(world.aggregate("mine-role").await.count, 1);
    let request = ListOutsideRatingsRequest {
        record_type: "movie".to_owned(),
        record_id: "mine-role".to_owned(),
    };
    let outcome = world
        .rating
        .list_outside_ratings(&world.nobody(), request)
        .await;
    let others = world.answered("of others", outcome);
    assert_eq!(others.ratings.len(), 1);
}

pub(super) async fn a_batch_counts_each_rating_once_however_often_it_comes(world: &Clients) {
    let ratings = || {
        batch(vec![
            entry("ann", "mine-once", 3, 1),
            entry("bob", "mine-once", 8, 2),
            entry("ann", "mine-once", 5, 3),
        ])
    };
    let put = async || {
        world
            .rating
            .batch_put_ratings(&importer(world), ratings())
            .await
    };
    let first = world.answered("first", put().await);
    assert_eq!((first.created, first.changed), (2, 0));
    let aggregate = world.aggregate("mine-once").await;
    assert_eq!((aggregate.count, aggregate.mean), (2, Some(3.25)));
    let again = world.answered("again", put().await);
    assert_eq!((again.created, again.changed), (0, 0));
    assert_eq!(world.aggregate("mine-once").await, aggregate);
    let wrong = batch(vec![
        entry("ann", "mine-once", 3, 1),
        entry("ann", "mine-once", 11, 1),
    ]);
    let outcome = world
        .rating
        .batch_put_ratings(&importer(world), wrong)
        .await;
    let error = world.refused("a wrong one", outcome, Code::InvalidArgument);
    assert_eq!(error.violations()[0].field, "ratings[1].value", "{error:?}");
    assert_eq!(world.aggregate("mine-once").await, aggregate);
}

pub(super) async fn changed_aggregates_are_told_from_a_time_on(world: &Clients) {
    world.rate("ann", "mine-changed", 3).await;
    world.rate("bob", "mine-changed", 8).await;
    let mut request = ListAggregateChangesRequest {
        record_type: "movie".to_owned(),
        page_size: 1,
        ..ListAggregateChangesRequest::default()
    };
    let mut last = 0;
    let found = loop {
        let outcome = world
            .rating
            .list_aggregate_changes(&world.nobody(), request.clone())
            .await;
        let page = world.worked("a page", outcome);
        let change = world.some("a change", page.changes.into_iter().next());
        assert!(change.changed_at >= last, "{change:?} after {last}");
        last = change.changed_at;
        if change.record_id == "mine-changed" {
            break change;
        }
        request.page_token = page.next_page_token;
        assert!(!request.page_token.is_empty(), "the change is not told");
    };
    assert_eq!((found.count, found.sum, found.version), (2, 11, 2));
    // The token of one time is none of another.
    request.since = found.changed_at + 1;
    if !request.page_token.is_empty() {
        let outcome = world
            .rating
            .list_aggregate_changes(&world.nobody(), request.clone())
            .await;
        world.failed("another time", outcome, Code::InvalidArgument);
    }
}
