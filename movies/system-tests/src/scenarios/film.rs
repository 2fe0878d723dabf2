//! Films, with and without their ratings.

use crate::Clients;
use backlot::{Code, Error};
use movies_api::metadata::v1::Metadata;
use movies_api::{
    GetMetadataRequest, GetMovieDetailsRequest, ListMetadataRequest, ListMoviesRequest,
    PutMetadataRequest,
};

fn details(id: &str) -> GetMovieDetailsRequest {
    GetMovieDetailsRequest {
        movie_id: id.to_owned(),
    }
}

pub(super) async fn a_film_comes_with_its_rating(world: &Clients) {
    let film = world.film("rated").await;
    world.rate("ann", "rated", 8).await;
    world.rate("bob", "rated", 9).await;
    let answer = world.answered(
        "details",
        world
            .movie
            .get_movie_details(&world.nobody(), details("rated"))
            .await,
    );
    assert!(answer.degraded.is_empty(), "{answer:?}");
    let movie = world.some("the film", answer.movie);
    assert_eq!(movie.metadata, Some(film));
    let rating = world.some("its rating", movie.rating);
    assert_eq!((rating.count, rating.mean), (2, Some(4.25)));
    assert_eq!(rating.histogram, [0, 0, 0, 0, 0, 0, 0, 1, 1, 0]);
}

pub(super) async fn a_film_nobody_rated_is_whole_without_a_rating(world: &Clients) {
    world.film("unrated").await;
    let answer = world.answered(
        "details",
        world
            .movie
            .get_movie_details(&world.nobody(), details("unrated"))
            .await,
    );
    assert!(answer.degraded.is_empty(), "{answer:?}");
    assert_eq!(world.some("the film", answer.movie).rating, None);
}

pub(super) async fn an_unknown_film_is_not_found(world: &Clients) {
    // Ratings alone make no film.
    world.rate("ann", "unknown", 8).await;
    let cx = world.nobody();
    world.refused(
        "details",
        world.movie.get_movie_details(&cx, details("unknown")).await,
        Code::NotFound,
    );
    let request = GetMetadataRequest {
        movie_id: "unknown".to_owned(),
    };
    world.refused(
        "metadata",
        world.metadata.get_metadata(&cx, request).await,
        Code::NotFound,
    );
    world.refused(
        "no id",
        world.movie.get_movie_details(&cx, details("")).await,
        Code::InvalidArgument,
    );
    let long = details(&"é".repeat(65));
    world.refused(
        "a long id",
        world.movie.get_movie_details(&cx, long).await,
        Code::InvalidArgument,
    );
    world.answered("a strange id", {
        world.film("a/b?c=d%20é\u{202e}").await;
        world
            .movie
            .get_movie_details(&cx, details("a/b?c=d%20é\u{202e}"))
            .await
    });
}

pub(super) async fn films_come_a_page_at_a_time_each_with_its_rating(world: &Clients) {
    for number in 0..5 {
        world.film(&format!("page-{number}")).await;
    }
    world.rate("ann", "page-3", 7).await;
    let mut found = Vec::new();
    let mut page_token = String::new();
    // Other scenarios may have films of their own.
    loop {
        let request = ListMoviesRequest {
            page_size: 2,
            page_token,
            ..Default::default()
        };
        let page = world.worked(
            "a page",
            world.movie.list_movies(&world.nobody(), request).await,
        );
        assert!(
            page.movies.len() <= 2 && page.degraded.is_empty(),
            "{page:?}"
        );
        let ours = page.movies.into_iter().filter_map(|movie| {
            let id = movie.metadata?.id;
            id.starts_with("page-")
                .then_some((id, movie.rating.map(|rating| rating.count)))
        });
        found.extend(ours);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected: Vec<_> = (0..5)
        .map(|number| (format!("page-{number}"), (number == 3).then_some(1)))
        .collect();
    assert_eq!(found, expected);
    world.transcript.add("pages", &found);
}

pub(super) async fn a_malformed_page_token_is_the_callers_fault(world: &Clients) {
    let cx = world.nobody();
    let long = "A".repeat(2001);
    for page_token in ["!", "AAAA", "_____w", "a b", "é", "\0", &long] {
        let page_token = page_token.to_owned();
        let request = ListMetadataRequest {
            page_size: 1,
            page_token: page_token.clone(),
            ..Default::default()
        };
        let error = world.refused(
            "metadata",
            world.metadata.list_metadata(&cx, request).await,
            Code::InvalidArgument,
        );
        assert_eq!(error.violations()[0].field, "pageToken", "{error:?}");
        let request = ListMoviesRequest {
            page_size: 1,
            page_token,
            ..Default::default()
        };
        let error = world.refused(
            "movies",
            world.movie.list_movies(&cx, request).await,
            Code::InvalidArgument,
        );
        assert_eq!(error.violations()[0].field, "pageToken", "{error:?}");
    }
    for page_size in [-1, 201, i32::MIN, i32::MAX] {
        let request = ListMoviesRequest {
            page_size,
            page_token: String::new(),
            ..Default::default()
        };
        let error = world.refused(
            "size",
            world.movie.list_movies(&cx, request).await,
            Code::InvalidArgument,
        );
        assert_eq!(error.violations()[0].field, "pageSize", "{error:?}");
    }
}

pub(super) async fn only_an_editor_writes_films(world: &Clients) {
    let film = Metadata {
        id: "edited".to_owned(),
        title: "Edited".to_owned(),
        ..Metadata::default()
    };
    let put = || PutMetadataRequest {
        metadata: Some(film.clone()),
    };
    let outcome = world.metadata.put_metadata(&world.nobody(), put()).await;
    world.refused("nobody", outcome, Code::Unauthenticated);
    let outcome = world.metadata.put_metadata(&world.user("ann"), put()).await;
    world.refused("a user", outcome, Code::PermissionDenied);
    let request = GetMetadataRequest {
        movie_id: "edited".to_owned(),
    };
    world.refused(
        "so far",
        world.metadata.get_metadata(&world.nobody(), request).await,
        Code::NotFound,
    );
    let first = world.answered(
        "an editor",
        world.metadata.put_metadata(&world.editor(), put()).await,
    );
    let again = world.answered(
        "again",
        world.metadata.put_metadata(&world.editor(), put()).await,
    );
    assert!(first.created && !again.created);
}

pub(super) async fn all_that_is_wrong_with_a_film_is_told_at_once(world: &Clients) {
    let put = |metadata| PutMetadataRequest { metadata };
    let error = world.refused(
        "nothing",
        world
            .metadata
            .put_metadata(&world.editor(), put(None))
            .await,
        Code::InvalidArgument,
    );
    assert_eq!(error.violations()[0].field, "metadata");
    let film = Metadata {
        id: String::new(),
        title: "x".repeat(501),
        year: 2201,
        cast: vec!["fine".to_owned(), String::new()],
        ..Metadata::default()
    };
    let outcome = world
        .metadata
        .put_metadata(&world.editor(), put(Some(film)))
        .await;
    let error = world.refused("much", outcome, Code::InvalidArgument);
    let fields: Vec<&str> = error
        .violations()
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "metadata.id",
            "metadata.title",
            "metadata.year",
            "metadata.cast[1]"
        ]
    );
}

pub(super) async fn a_film_of_the_largest_size_comes_back_whole(world: &Clients) {
    let film = Metadata {
        id: "é".repeat(64),
        title: "\u{1F3AC}".repeat(500),
        description: "\u{1}\r\n\t\"%<&\u{202e}\u{feff}".repeat(1000),
        director: "d".repeat(500),
        year: 2200,
        cast: (0..200).map(|number| format!("{number:0200}")).collect(),
        genres: (0..40).map(|number| format!("{number:060}")).collect(),
        ..Default::default()
    };
    let request = PutMetadataRequest {
        metadata: Some(film.clone()),
    };
    world.answered(
        "put",
        world.metadata.put_metadata(&world.editor(), request).await,
    );
    let request = GetMetadataRequest {
        movie_id: film.id.clone(),
    };
    let got = world.answered(
        "got",
        world.metadata.get_metadata(&world.nobody(), request).await,
    );
    assert_eq!(got.metadata, Some(film.clone()));
    let got = world.answered(
        "details",
        world
            .movie
            .get_movie_details(&world.nobody(), details(&film.id))
            .await,
    );
    assert_eq!(
        world.some("the film", got.movie).metadata,
        Some(film.clone())
    );

    // Not every database keeps this character, so none is asked to.
    let request = PutMetadataRequest {
        metadata: Some(Metadata {
            description: "a\0b".to_owned(),
            ..film
        }),
    };
    let put = world.metadata.put_metadata(&world.editor(), request).await;
    let error = world.refused("a null character", put, Code::InvalidArgument);
    assert!(error.message().contains("U+0000"), "{error:?}");
}

pub(super) async fn a_film_that_changes_is_shown_so_at_once(world: &Clients) {
    let mut film = world.film("changing").await;
    let read = async || {
        let cx = world.nobody();
        let answer = world.movie.get_movie_details(&cx, details("changing"));
        Ok::<_, Error>(answer.await?.movie.and_then(|movie| movie.metadata))
    };
    for year in 1990..2000 {
        world.worked("before", read().await);
        film.year = year;
        let request = PutMetadataRequest {
            metadata: Some(film.clone()),
        };
        let put = world.metadata.put_metadata(&world.editor(), request).await;
        world.worked("a change", put);
        // As soon as its event is there, though what is held would be fresh for half a minute.
        let shown = async || match read().await? {
            Some(shown) if shown == film => Ok(()),
            _ => Err(Error::unavailable("not yet shown")),
        };
        world.eventually("it is shown", shown).await;
    }
}
