//! Every method of the release, over gRPC.

use super::released::{
    Aggregate, BatchGetAggregatedRatingsRequest, DeleteRatingRequest, GetAggregatedRatingRequest,
    GetMetadataRequest, GetMovieDetailsRequest, GetRatingRequest, ListMetadataRequest,
    ListMoviesRequest, MovieDetails, PickNameRequest, PutMetadataRequest, PutRatingRequest,
    WatchRatingsRequest,
};
use super::{Old, Played, SERVICES, film};
use backlot::Context;
use backlot::Principal;
use backlot::core::clock::Timestamp;
use backlot::core::principal::{Token, User};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const FILM: &str = "hitch-hiker";

#[tokio::test]
async fn an_older_client_plays_every_method() {
    let old = Old::start().await;
    let mut played = Played::default();
    films(&old, &mut played).await;
    let ann = names(&old, &mut played).await;
    ratings(&old, &ann, &mut played).await;
    live(&old, &ann, &mut played).await;
    details(&old, &mut played).await;
    taken_back(&old, &ann, &mut played).await;
    let methods = SERVICES.iter().flat_map(|service| service.methods);
    played.assert_all(methods.map(|method| method.path.to_owned()));
    old.stop().await;
}

async fn films(old: &Old, played: &mut Played) {
    played.add("/movies.metadata.v1.MetadataService/PutMetadata");
    let film = old.film(FILM).await;
    let request = PutMetadataRequest {
        metadata: Some(film.clone()),
    };
    let again = old.metadata.put_metadata(&old.editor(), request).await;
    assert!(!again.unwrap().created);

    played.add("/movies.metadata.v1.MetadataService/GetMetadata");
    let request = GetMetadataRequest {
        movie_id: FILM.to_owned(),
    };
    let got = old.metadata.get_metadata(&old.nobody(), request).await;
    assert_eq!(got.unwrap().metadata.as_ref(), Some(&film));

    played.add("/movies.metadata.v1.MetadataService/ListMetadata");
    let second = old.film("later").await;
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListMetadataRequest {
            page_size: 1,
            page_token,
        };
        let page = old.metadata.list_metadata(&old.nobody(), request).await;
        let page = page.unwrap();
        assert!(page.metadata.len() <= 1, "{page:?}");
        found.extend(page.metadata);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found.contains(&film) && found.contains(&second),
        "{found:?}"
    );
}

/// Picks a name; what calls with its token are made under.
async fn names(old: &Old, played: &mut Played) -> Context {
    played.add("/movies.auth.v1.AuthService/PickName");
    let request = PickNameRequest {
        name: "ann".to_owned(),
    };
    let picked = old.auth.pick_name(&old.nobody(), request).await.unwrap();
    old.nobody().with_principal(Principal::User(Arc::new(User {
        subject: "ann".to_owned(),
        roles: BTreeSet::new(),
        audience: BTreeSet::from(["rating".to_owned()]),
        expires: Timestamp::of_seconds(picked.expires_at),
        token: Token::new(picked.token),
    })))
}

fn put(user: &str, half_stars: i32) -> PutRatingRequest {
    PutRatingRequest {
        record_type: "movie".to_owned(),
        record_id: FILM.to_owned(),
        user_id: user.to_owned(),
        half_stars,
    }
}

async fn aggregate(old: &Old) -> Aggregate {
    let request = GetAggregatedRatingRequest {
        record_type: "movie".to_owned(),
        record_id: FILM.to_owned(),
    };
    let nobody = old.nobody();
    let got = old.rating.get_aggregated_rating(&nobody, request).await;
    got.unwrap().aggregate.unwrap()
}

async fn ratings(old: &Old, ann: &Context, played: &mut Played) {
    played.add("/movies.rating.v1.RatingService/PutRating");
    let first = old.rating.put_rating(ann, put("ann", 3)).await.unwrap();
    assert_eq!(first.aggregate.unwrap().mean, Some(1.5));
    let second = old.rating.put_rating(ann, put("ann", 9)).await.unwrap();
    let expected = Aggregate {
        count: 1,
        mean: Some(4.5),
        histogram: vec![0, 0, 0, 0, 0, 0, 0, 0, 1, 0],
        version: 2,
    };
    assert_eq!(second.aggregate.as_ref(), Some(&expected));

    played.add("/movies.rating.v1.RatingService/GetRating");
    let request = GetRatingRequest {
        record_type: "movie".to_owned(),
        record_id: FILM.to_owned(),
        user_id: "ann".to_owned(),
    };
    let own = old.rating.get_rating(ann, request).await.unwrap();
    assert_eq!(own.half_stars, 9);

    played.add("/movies.rating.v1.RatingService/GetAggregatedRating");
    assert_eq!(aggregate(old).await, expected);

    played.add("/movies.rating.v1.RatingService/BatchGetAggregatedRatings");
    let request = BatchGetAggregatedRatingsRequest {
        record_type: "movie".to_owned(),
        record_ids: vec!["nobody-rated".to_owned(), FILM.to_owned()],
    };
    let nobody = old.nobody();
    let batch = old.rating.batch_get_aggregated_ratings(&nobody, request);
    let batch = batch.await.unwrap().aggregates;
    assert_eq!(batch.len(), 2, "{batch:?}");
    assert_eq!((batch[0].count, batch[0].mean), (0, None));
    assert_eq!(batch[1], expected);
}

async fn live(old: &Old, ann: &Context, played: &mut Played) {
    played.add("/movies.rating.v1.RatingService/WatchRatings");
    let cx = old.nobody().with_timeout(Duration::from_secs(30));
    let request = WatchRatingsRequest {
        record_type: "movie".to_owned(),
        record_id: FILM.to_owned(),
    };
    let mut changes = old.rating.watch_ratings(&cx, request).await.unwrap();
    let now = changes.next().await.unwrap().unwrap();
    assert_eq!(
        (now.record_type.as_str(), now.record_id.as_str()),
        ("movie", FILM)
    );
    assert_eq!(now.aggregate.unwrap().version, 2);
    old.rating.put_rating(ann, put("ann", 10)).await.unwrap();
    let then = changes.next().await.unwrap().unwrap();
    assert_eq!(then.aggregate, Some(aggregate(old).await));
}

async fn details(old: &Old, played: &mut Played) {
    played.add("/movies.movie.v1.MovieService/GetMovieDetails");
    let request = GetMovieDetailsRequest {
        movie_id: FILM.to_owned(),
    };
    let got = old.movie.get_movie_details(&old.nobody(), request).await;
    let got = got.unwrap();
    let expected = MovieDetails {
        metadata: Some(film(FILM)),
        rating: Some(aggregate(old).await),
    };
    assert!(got.degraded.is_empty(), "{got:?}");
    assert_eq!(got.movie.as_ref(), Some(&expected));

    played.add("/movies.movie.v1.MovieService/ListMovies");
    let request = ListMoviesRequest {
        page_size: 0,
        page_token: String::new(),
    };
    let page = old.movie.list_movies(&old.nobody(), request).await.unwrap();
    assert!(
        page.degraded.is_empty() && page.next_page_token.is_empty(),
        "{page:?}"
    );
    assert_eq!(page.movies.len(), 2, "{page:?}");
    assert!(page.movies.contains(&expected), "{page:?}");
}

async fn taken_back(old: &Old, ann: &Context, played: &mut Played) {
    played.add("/movies.rating.v1.RatingService/DeleteRating");
    let request = || DeleteRatingRequest {
        record_type: "movie".to_owned(),
        record_id: FILM.to_owned(),
        user_id: "ann".to_owned(),
    };
    let gone = old.rating.delete_rating(ann, request()).await.unwrap();
    assert!(gone.deleted);
    assert_eq!(gone.aggregate.unwrap().count, 0);
    let again = old.rating.delete_rating(ann, request()).await.unwrap();
    assert!(!again.deleted);
}
