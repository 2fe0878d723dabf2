use super::*;
use crate::chart;
use crate::doubles::{Films, Ratings};
use backlot::cache;
use backlot::service::{Metrics, Tasks};
use backlot::{Clock, Dice, Env};
use std::sync::atomic::Ordering;
use std::time::Duration;

fn movies(ratings: Ratings) -> Controller {
    movies_of(&Arc::new(Films::default()), ratings)
}

fn movies_of(metadata: &Arc<Films>, ratings: Ratings) -> Controller {
    let rating = Arc::new(ratings);
    let sources = chart::Sources {
        metadata: Arc::<Films>::clone(metadata),
        rating: Arc::<Ratings>::clone(&rating),
        clock: Clock::real(),
        dice: Dice::seeded(1),
    };
    // Charts that nobody keeps.
    let (charts, _) = chart::follow(sources, 25.0);
    Controller::new(
        Arc::<Films>::clone(metadata),
        cached(metadata),
        rating,
        charts,
    )
}

/// Films that are fresh for 30 s.
fn cached(metadata: &Arc<Films>) -> Cache<Catalogue> {
    let env = Env::real();
    let setup = cache::Setup {
        tasks: Tasks::new(&env),
        metrics: Metrics::new(),
        service: "movie",
        env,
    };
    let catalogue = Catalogue(Arc::<Films>::clone(metadata));
    Cache::new(&setup, catalogue, cache::Options::default())
}

fn list() -> ListMoviesRequest {
    ListMoviesRequest {
        page_size: 2,
        ..ListMoviesRequest::default()
    }
}

#[tokio::test]
async fn a_film_comes_with_its_rating() {
    let details = movies(Ratings::default());
    let cx = Context::background();
    let (joined, _) = details.details(&cx, "a".into()).await.unwrap();
    assert_eq!(joined.answer.rating.unwrap().count, 3);
    assert!(joined.degraded.is_empty());
}

#[tokio::test]
async fn whatever_ails_rating_the_film_still_comes_marked() {
    for code in Code::ALL {
        let ratings = Ratings {
            fails: Some(code),
            ..Ratings::default()
        };
        let details = movies(ratings);
        let cx = Context::background();
        let (joined, _) = details.details(&cx, "a".into()).await.unwrap();
        assert_eq!(joined.answer.metadata.unwrap().id, "a");
        assert_eq!(joined.answer.rating, None);
        assert_eq!(joined.degraded, ["rating"], "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_rating_service_leaves_time_to_answer_without_it() {
    let cx = Context::background().with_timeout(Duration::from_secs(1));
    let ratings = Ratings {
        hangs: true,
        ..Ratings::default()
    };
    let details = movies(ratings);
    let details = cx.deadline().run(details.details(&cx, "a".into()));
    let (joined, _) = details.await.unwrap();
    assert_eq!(joined.degraded, ["rating"]);
    assert!(cx.deadline().remaining() >= Duration::from_millis(400));
}

#[tokio::test(start_paused = true)]
async fn while_the_catalogue_is_away_a_film_that_is_known_comes_marked_with_its_age() {
    let films = Arc::new(Films::default());
    let movies = movies_of(&films, Ratings::default());
    let cx = Context::background;
    let (joined, age) = movies.details(&cx(), "a".into()).await.unwrap();
    assert_eq!((joined.degraded, age), (Vec::new(), Duration::ZERO));

    films.away.store(true, Ordering::Relaxed);
    let (joined, _) = movies.details(&cx(), "a".into()).await.unwrap();
    assert!(joined.degraded.is_empty(), "it was known a moment ago");
    tokio::time::sleep(Duration::from_secs(60)).await;
    // Found out by the first who asks, without waiting for it.
    drop(movies.details(&cx(), "a".into()).await.unwrap());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (joined, age) = movies.details(&cx(), "a".into()).await.unwrap();
    assert_eq!(joined.degraded, ["metadata"]);
    assert_eq!(joined.answer.metadata.unwrap().id, "a");
    assert!(age >= Duration::from_secs(60), "{age:?}");

    let error = movies.details(&cx(), "b".into()).await.err().unwrap();
    assert_eq!(error.code(), Code::Unavailable);
}

#[tokio::test]
async fn an_unknown_film_is_not_found_whatever_its_ratings() {
    let error = movies(Ratings::default())
        .details(&Context::background(), "unknown".into())
        .await
        .err()
        .unwrap();
    assert_eq!(error.code(), Code::NotFound);
}

#[tokio::test]
async fn nobody_rated_it_is_not_degraded() {
    let movies = movies(Ratings {
        count: 0,
        ..Ratings::default()
    });
    let cx = Context::background();
    let (joined, _) = movies.details(&cx, "a".into()).await.unwrap();
    assert_eq!(joined.answer.rating, None);
    assert!(joined.degraded.is_empty());
}

#[tokio::test]
async fn a_page_of_films_without_ratings_is_marked_too() {
    let joined = movies(Ratings::default())
        .list(&Context::background(), list())
        .await
        .unwrap();
    assert_eq!(joined.answer.0.len(), 2);
    assert!(joined.degraded.is_empty());
    let ratings = Ratings {
        fails: Some(Code::Unavailable),
        ..Ratings::default()
    };
    let joined = movies(ratings)
        .list(&Context::background(), list())
        .await
        .unwrap();
    assert_eq!(joined.answer.0.len(), 2);
    assert_eq!(joined.degraded, ["rating"]);
}

#[tokio::test]
async fn filters_reach_the_catalogue() {
    let request = ListMoviesRequest {
        genre: "Drama".into(),
        decade: 1990,
        person: "Ida Lupino".into(),
        ..list()
    };
    let joined = movies(Ratings::default())
        .list(&Context::background(), request)
        .await
        .unwrap();
    let last = joined.answer.0.last().unwrap().metadata.as_ref().unwrap();
    assert_eq!(last.id, "Drama 1990 Ida Lupino");
}

#[tokio::test]
async fn what_is_found_comes_with_ratings_or_marked() {
    for (ratings, degraded) in [
        (Ratings::default(), &[][..]),
        (
            Ratings {
                fails: Some(Code::Unavailable),
                ..Ratings::default()
            },
            &["rating"],
        ),
    ] {
        let movies = movies(ratings);
        let request = SearchMoviesRequest {
            query: "heat".into(),
            page_token: "x".into(),
            ..SearchMoviesRequest::default()
        };
        let found = movies
            .search(&Context::background(), request)
            .await
            .unwrap();
        assert_eq!(found.answer.0.len(), 1);
        assert_eq!(found.answer.0[0].rating.is_some(), degraded.is_empty());
        assert_eq!(found.answer.1, "after x");
        assert_eq!(found.degraded, degraded);

        let ids = vec!["b".to_owned(), "unknown".to_owned(), "a".to_owned()];
        let found = movies.batch(&Context::background(), ids).await.unwrap();
        let ids: Vec<_> = found
            .answer
            .0
            .iter()
            .map(|movie| movie.metadata.as_ref().unwrap().id.as_str())
            .collect();
        assert_eq!(ids, ["b", "a"]);
        assert_eq!(found.answer.1, ["unknown"]);
        assert_eq!(found.degraded, degraded);
    }
}
