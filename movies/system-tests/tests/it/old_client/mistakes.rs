//! A mistake is answered as the release answered it: the same code, the same fields.

use super::released::{
    BatchGetAggregatedRatingsRequest, DeleteRatingRequest, GetAggregatedRatingRequest,
    GetMetadataRequest, GetMovieDetailsRequest, GetRatingRequest, ListMetadataRequest,
    ListMoviesRequest, PickNameRequest, PutMetadataRequest, PutRatingRequest, WatchRatingsRequest,
};
use super::{Old, film};
use backlot::{Code, Context, Error, Idempotency};
use std::sync::Arc;

/// Collects what was answered otherwise, so that all of it is told.
#[derive(Default)]
struct Mistakes(Vec<String>);

impl Mistakes {
    fn expect<T: std::fmt::Debug>(
        &mut self,
        what: &str,
        outcome: Result<T, Error>,
        code: Code,
        fields: &[&str],
    ) {
        let told = match &outcome {
            Ok(answer) => Err(format!("the answer {answer:?}")),
            Err(error) => {
                let told = error.violations().iter();
                let told: Vec<&str> = told.map(|violation| violation.field.as_str()).collect();
                if error.code() == code && told == fields {
                    Ok(())
                } else {
                    Err(format!("{} {told:?}: {}", error.code(), error.message()))
                }
            }
        };
        if let Err(told) = told {
            self.0
                .push(format!("{what}: expected {code} {fields:?}, got {told}"));
        }
    }
}

#[tokio::test]
async fn films_are_refused_as_they_were() {
    let old = Old::start().await;
    let mut mistakes = Mistakes::default();
    let (nobody, editor) = (old.nobody(), old.editor());
    for (what, id, code, fields) in [
        ("unknown film", "unknown", Code::NotFound, &[][..]),
        ("no id", "", Code::InvalidArgument, &["movieId"]),
        (
            "a long id",
            &"é".repeat(65),
            Code::InvalidArgument,
            &["movieId"],
        ),
    ] {
        let movie_id = id.to_owned();
        let request = GetMetadataRequest { movie_id };
        let outcome = old.metadata.get_metadata(&nobody, request).await;
        mistakes.expect(what, outcome, code, fields);
        let movie_id = id.to_owned();
        let request = GetMovieDetailsRequest { movie_id };
        let outcome = old.movie.get_movie_details(&nobody, request).await;
        mistakes.expect(what, outcome, code, fields);
    }
    let put = |metadata| PutMetadataRequest { metadata };
    let whole = || put(Some(film("refused")));
    let outcome = old.metadata.put_metadata(&nobody, whole()).await;
    mistakes.expect("put by nobody", outcome, Code::Unauthenticated, &[]);
    let outcome = old.metadata.put_metadata(&old.user("ann"), whole()).await;
    mistakes.expect("put by a user", outcome, Code::PermissionDenied, &[]);
    let outcome = old.metadata.put_metadata(&editor, put(None)).await;
    mistakes.expect(
        "put of nothing",
        outcome,
        Code::InvalidArgument,
        &["metadata"],
    );
    let mut wrong = film("");
    wrong.title = "x".repeat(501);
    wrong.description = "x".repeat(10_001);
    wrong.director = "x".repeat(501);
    wrong.year = 2201;
    wrong.cast = vec!["fine".to_owned(), String::new()];
    wrong.genres = vec!["x".repeat(61)];
    let fields = [
        "id",
        "title",
        "description",
        "director",
        "year",
        "cast[1]",
        "genres[0]",
    ];
    let fields = fields.map(|field| format!("metadata.{field}"));
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let outcome = old.metadata.put_metadata(&editor, put(Some(wrong))).await;
    mistakes.expect("all wrong", outcome, Code::InvalidArgument, &fields);
    for (page_size, page_token, fields) in [
        (201, "", &["pageSize"][..]),
        (-1, "", &["pageSize"]),
        (1, "!", &["pageToken"]),
        (1, &"A".repeat(2001), &["pageToken"]),
    ] {
        let page_token = page_token.to_owned();
        let request = ListMetadataRequest {
            page_size,
            page_token: page_token.clone(),
        };
        let outcome = old.metadata.list_metadata(&nobody, request).await;
        mistakes.expect("a page of metadata", outcome, Code::InvalidArgument, fields);
        let request = ListMoviesRequest {
            page_size,
            page_token,
        };
        let outcome = old.movie.list_movies(&nobody, request).await;
        mistakes.expect("a page of movies", outcome, Code::InvalidArgument, fields);
    }
    assert!(mistakes.0.is_empty(), "{:#?}", mistakes.0);
    old.stop().await;
}

fn rating(id: &str, half_stars: i32) -> PutRatingRequest {
    PutRatingRequest {
        record_type: "movie".to_owned(),
        record_id: id.to_owned(),
        user_id: "ann".to_owned(),
        half_stars,
    }
}

#[tokio::test]
async fn ratings_are_refused_as_they_were() {
    let old = Old::start().await;
    let mut mistakes = Mistakes::default();
    let (nobody, ann, bob) = (old.nobody(), old.user("ann"), old.user("bob"));
    let good = || rating("film", 8);
    let outcome = old.rating.put_rating(&nobody, good()).await;
    mistakes.expect("put by nobody", outcome, Code::Unauthenticated, &[]);
    let outcome = old.rating.put_rating(&bob, good()).await;
    mistakes.expect("put by another", outcome, Code::PermissionDenied, &[]);
    for half_stars in [0, 11, -1, i32::MAX] {
        let outcome = old
            .rating
            .put_rating(&ann, rating("film", half_stars))
            .await;
        mistakes.expect("a value", outcome, Code::InvalidArgument, &["value"]);
    }
    let empty = PutRatingRequest::default();
    let outcome = old.rating.put_rating(&ann, empty).await;
    let all = ["recordType", "recordId", "userId", "value"];
    mistakes.expect("an empty put", outcome, Code::InvalidArgument, &all);
    let get = |user: &str| GetRatingRequest {
        record_type: "movie".to_owned(),
        record_id: "film".to_owned(),
        user_id: user.to_owned(),
    };
    let outcome = old.rating.get_rating(&ann, get("ann")).await;
    mistakes.expect("none given", outcome, Code::NotFound, &[]);
    let outcome = old.rating.get_rating(&bob, get("ann")).await;
    mistakes.expect("another's", outcome, Code::PermissionDenied, &[]);
    let outcome = old.rating.get_rating(&ann, get("")).await;
    mistakes.expect("nobody's", outcome, Code::InvalidArgument, &["userId"]);
    let request = DeleteRatingRequest {
        record_type: "movie".to_owned(),
        record_id: "film".to_owned(),
        user_id: "ann".to_owned(),
    };
    let outcome = old.rating.delete_rating(&bob, request).await;
    mistakes.expect("delete another's", outcome, Code::PermissionDenied, &[]);
    let fields = ["recordType", "recordId"];
    let request = GetAggregatedRatingRequest::default();
    let outcome = old.rating.get_aggregated_rating(&nobody, request).await;
    mistakes.expect("of what", outcome, Code::InvalidArgument, &fields);
    let request = WatchRatingsRequest::default();
    let outcome = old.rating.watch_ratings(&nobody, request).await;
    mistakes.expect(
        "watch what",
        outcome.map(drop),
        Code::InvalidArgument,
        &fields,
    );
    for (record_ids, fields) in [
        (vec!["film".to_owned(); 201], "recordIds"),
        (vec!["film".to_owned(), String::new()], "recordIds[1]"),
    ] {
        let request = BatchGetAggregatedRatingsRequest {
            record_type: "movie".to_owned(),
            record_ids,
        };
        let outcome = old
            .rating
            .batch_get_aggregated_ratings(&nobody, request)
            .await;
        mistakes.expect("a batch", outcome, Code::InvalidArgument, &[fields]);
    }
    for name in ["", "a b", &"x".repeat(33)] {
        let name = name.to_owned();
        let request = PickNameRequest { name };
        let outcome = old.auth.pick_name(&nobody, request).await;
        mistakes.expect("a name", outcome, Code::InvalidArgument, &["name"]);
    }
    assert!(mistakes.0.is_empty(), "{:#?}", mistakes.0);
    old.stop().await;
}

#[tokio::test]
async fn a_key_means_what_it_meant() {
    let old = Old::start().await;
    let mut mistakes = Mistakes::default();
    let under = |cx: Context| {
        cx.with_idempotency(Some(Arc::new(Idempotency {
            key: "old-1".to_owned(),
            method: "",
            fingerprint: 0,
        })))
    };
    let ann = || under(old.user("ann"));
    let first = old
        .rating
        .put_rating(&ann(), rating("keyed", 8))
        .await
        .unwrap();
    let again = old
        .rating
        .put_rating(&ann(), rating("keyed", 8))
        .await
        .unwrap();
    assert_eq!(again, first);
    let outcome = old.rating.put_rating(&ann(), rating("keyed", 7)).await;
    mistakes.expect("another value", outcome, Code::FailedPrecondition, &[]);
    assert!(mistakes.0.is_empty(), "{:#?}", mistakes.0);
    old.stop().await;
}
