//! Services stop and start again.

use super::events::{publishes, reaches};
use super::mail::{welcome, wish};
use super::pictures::{BLUE, BLUE_HASH, RED, RED_HASH};
use super::upload::{give, shown};
use super::watch::watch;
use crate::Clients;
use crate::clients::rating;
use backlot::{Code, Error};
use movies_api::metadata::v1::Metadata;
use movies_api::{
    GetMovieDetailsRequest, GetMovieDetailsResponse, ListMoviesRequest, PutMetadataRequest,
};
use std::time::Duration;

async fn details(world: &Clients, film: &str) -> Result<GetMovieDetailsResponse, Error> {
    world
        .movie
        .get_movie_details(
            &world.nobody(),
            GetMovieDetailsRequest {
                movie_id: film.to_owned(),
            },
        )
        .await
}

pub(super) async fn without_ratings_a_film_still_comes_marked_and_they_return(world: &Clients) {
    let film = world.film("degraded").await;
    world.rate("ann", "degraded", 8).await;
    world.power().stop("rating").await;
    for _ in 0..3 {
        let answer = world.answered("without", details(world, "degraded").await);
        assert_eq!(answer.degraded, ["rating"]);
        let movie = world.some("the film", answer.movie);
        assert_eq!((movie.metadata.as_ref(), movie.rating), (Some(&film), None));
    }
    let page = ListMoviesRequest {
        page_size: 1,
        page_token: String::new(),
        ..Default::default()
    };
    let page = world.worked(
        "a page",
        world.movie.list_movies(&world.nobody(), page).await,
    );
    assert_eq!(page.degraded, ["rating"]);
    let outcome = world
        .rating
        .put_rating(&world.user("bob"), rating("bob", "degraded", 4))
        .await;
    world.failed("a rating meanwhile", outcome, Code::Unavailable);
    // A mistake is a mistake whoever is away.
    world.refused(
        "an unknown film",
        details(world, "degraded-unknown").await,
        Code::NotFound,
    );

    world.power().start("rating").await;
    let answer = world
        .eventually("the rating is back", async || {
            let answer = details(world, "degraded").await?;
            if answer.degraded.is_empty() {
                Ok(answer)
            } else {
                Err(Error::unavailable("still degraded"))
            }
        })
        .await;
    assert_eq!(
        world
            .some("its rating", world.some("the film", answer.movie).rating)
            .count,
        1
    );
}

pub(super) async fn without_the_catalogue_films_that_are_known_come_marked(world: &Clients) {
    let film = world.film("catalogued").await;
    world.film("uncatalogued").await;
    world.answered("before", details(world, "catalogued").await);
    // Nobody asks between the change and the stop: of what is known it is known that it is old.
    let changed = Metadata {
        year: 1999,
        ..film.clone()
    };
    put(world, changed.clone()).await;
    world.power().stop("metadata").await;
    let answer = world
        .eventually("what was known is marked", async || {
            let answer = details(world, "catalogued").await?;
            match &*answer.degraded {
                [part] if part == "metadata" => Ok(answer),
                _ => Err(Error::unavailable("not yet marked")),
            }
        })
        .await;
    let movie = world.some("the film", answer.movie);
    assert_eq!(movie.metadata, Some(film));
    let unknown = details(world, "uncatalogued").await;
    world.failed("what was not", unknown, Code::Unavailable);
    // Ratings need no catalogue.
    world.rate("ann", "uncatalogued", 8).await;
    world.power().start("metadata").await;
    let mut shown = Vec::new();
    for film in ["uncatalogued", "catalogued"] {
        let back = async || {
            let answer = details(world, film).await?;
            match answer.degraded.is_empty() {
                true => Ok(answer.movie.and_then(|movie| movie.metadata)),
                false => Err(Error::unavailable("still marked")),
            }
        };
        shown.extend(world.eventually("the film is back", back).await);
    }
    assert_eq!(shown[1], changed);
    world.transcript.add("the films are back", &shown);
}

async fn put(world: &Clients, film: Metadata) {
    let request = PutMetadataRequest {
        metadata: Some(film),
    };
    let put = world.metadata.put_metadata(&world.editor(), request).await;
    world.worked("a change", put);
}

pub(super) async fn acknowledged_ratings_survive_a_restart(world: &Clients) {
    for (user, half_stars) in [("ann", 2), ("bob", 9), ("ann", 7)] {
        world.rate(user, "kept", half_stars).await;
    }
    let before = world.aggregate("kept").await;
    for _ in 0..3 {
        world.power().stop("rating").await;
        world.power().start("rating").await;
        let put = async || {
            world
                .rating
                .put_rating(&world.user("cid"), rating("cid", "kept-too", 4))
                .await
        };
        world.eventually("it takes ratings", put).await;
        assert_eq!(world.aggregate("kept").await, before);
    }
    assert_eq!(world.aggregate("kept-too").await.count, 1);
}

pub(super) async fn a_watcher_is_told_to_reconnect_when_the_service_stops(world: &Clients) {
    world.rate("ann", "reconnect", 2).await;
    let cx = || world.nobody().with_timeout(Duration::from_secs(50));
    let mut stream = world.worked(
        "watch",
        world.rating.watch_ratings(&cx(), watch("reconnect")).await,
    );
    let first = world.some("the present", stream.next().await);
    world.answered("the present", first);
    let ((), end) = tokio::join!(world.power().stop("rating"), stream.next());
    let end = world.some("its end", end);
    let error = world.refused("its end", end, Code::Unavailable);
    assert_eq!(error.pushback(), Some(Duration::ZERO));
    assert!(stream.next().await.is_none());

    world.power().start("rating").await;
    let watching = async || world.rating.watch_ratings(&cx(), watch("reconnect")).await;
    let mut stream = world.eventually("it can be watched again", watching).await;
    let first = world.some("the present", stream.next().await);
    world.answered("the present", first);
}

/// Films are found and rated, as ever.
async fn goes_on(world: &Clients, film: &str) {
    let page = ListMoviesRequest::default();
    let page = world.movie.list_movies(&world.nobody(), page).await;
    world.worked("a page", page);
    world.rate("ann", film, 8).await;
    world.rate("bob", film, 6).await;
    let answer = world.worked("the film", details(world, film).await);
    let rating = world.some("its rating", answer.movie).rating;
    assert_eq!(world.some("its rating", rating).count, 2);
}

pub(super) async fn without_the_log_browsing_and_rating_go_on_and_everything_catches_up(
    world: &Clients,
) {
    world.film("unlogged").await;
    world.power().stop("broker").await;
    goes_on(world, "unlogged").await;
    give(world, "unlogged", RED, RED_HASH).await;
    world.power().start("broker").await;
    // What was acknowledged meanwhile is in the log, in its order, and done.
    publishes(world, "unlogged", 2).await;
    shown(world, "unlogged", RED_HASH).await;
    assert_eq!(reaches(world, "unlogged", 2).await.count, 2);
}

pub(super) async fn without_mail_all_else_goes_on_and_it_catches_up(world: &Clients) {
    world.film("unmailed").await;
    world.power().stop("mail").await;
    wish(world, "wish-unmailed", "ida", "ida@example.com").await;
    goes_on(world, "unmailed").await;
    world.power().start("mail").await;
    let message = welcome(world, "ida@example.com").await;
    assert_eq!(message.subject, "Welcome to Movies, ida");
}

pub(super) async fn without_a_maker_of_posters_all_else_goes_on_and_it_catches_up(world: &Clients) {
    world.film("unmade").await;
    world.power().stop("poster").await;
    give(world, "unmade", BLUE, BLUE_HASH).await;
    goes_on(world, "unmade").await;
    let answer = world.worked("the film", details(world, "unmade").await);
    let facts = world.some("the film", answer.movie).metadata;
    assert_eq!(world.some("its facts", facts).poster, "");
    world.power().start("poster").await;
    shown(world, "unmade", BLUE_HASH).await;
}
