use crate::subject::{Answer, Body, get, request, send, with_json};
use http::{Method, StatusCode};
use serde_json::json;

const RATING: &str = "/v1/ratings/movie/tt1/users/ann";

async fn put(body: &'static str) -> Answer {
    with_json(Method::PUT, RATING, body).await
}

#[tokio::test]
async fn six_stars_are_the_callers_fault() {
    let answer = put(r#"{"value": 6}"#).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(
        answer.json(),
        json!({
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": "value: must be 0.5 to 5 by halves, got 6",
            "code": "INVALID_ARGUMENT",
            "instance": RATING,
            "violations": [{ "field": "value", "description": "must be 0.5 to 5 by halves, got 6" }],
        })
    );
}

#[tokio::test]
async fn stars_come_by_halves() {
    assert_eq!(
        put(r#"{"value": 4.3}"#).await.violation(),
        (
            "value".to_owned(),
            "must be a multiple of 0.5, got 4.3".to_owned()
        )
    );
    assert_eq!(
        put(r#"{"value": "4"}"#).await.violation(),
        ("value".to_owned(), "must be a number, got \"4\"".to_owned())
    );
    assert_eq!(put("{}").await.violation().0, "value");
}

#[tokio::test]
async fn a_body_at_odds_with_the_path_is_refused() {
    let answer = put(r#"{"value": 4, "userId": "bob"}"#).await;
    assert_eq!(
        answer.violation(),
        (
            "userId".to_owned(),
            "must be as in the path, \"ann\", or be left out".to_owned()
        )
    );
    let answer = with_json(
        Method::PUT,
        "/v1/metadata/tt1",
        r#"{"id": "tt2", "title": "Heat"}"#,
    )
    .await;
    assert_eq!(answer.violation().0, "metadata.id");
}

#[tokio::test]
async fn an_unknown_field_is_refused_with_the_known_ones() {
    let (field, description) = put(r#"{"stars": 4}"#).await.violation();
    assert_eq!(field, "stars");
    assert_eq!(
        description,
        "is no field of PutRatingRequest; known are recordType, recordId, userId, value"
    );
}

#[tokio::test]
async fn an_unknown_query_parameter_is_refused_with_the_known_ones() {
    let answer = get("/v1/metadata?size=5").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.violation(),
        (
            "size".to_owned(),
            "is no query parameter of this request; known are decade, genre, pageSize, pageToken, person".to_owned()
        )
    );
    assert_eq!(
        get(&format!("{RATING}?userId=bob")).await.violation().1,
        "is no query parameter of this request; it has none"
    );
}

#[tokio::test]
async fn a_query_parameter_must_be_what_its_field_is() {
    assert_eq!(
        get("/v1/metadata?pageSize=many").await.violation(),
        (
            "pageSize".to_owned(),
            "must be a whole number, got \"many\"".to_owned()
        )
    );
    assert_eq!(
        get("/v1/metadata?pageSize=1&page_size=2")
            .await
            .violation()
            .1,
        "is given twice"
    );
    assert_eq!(
        get("/v1/metadata?pageSize=500").await.violation().1,
        "must be 0 to 200, got 500"
    );
    assert_eq!(
        get("/v1/metadata?pageToken=%zz").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_with_its_place() {
    let answer = put("{\n \"value\": }").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("line 2 column"),
        "{answer:?}"
    );
    assert_eq!(
        put("[]").await.json()["detail"],
        "the body must be a JSON object"
    );
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let mut request = request(Method::PUT, RATING);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(
            answer.status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{content_type:?}"
        );
        assert_eq!(answer.json()["status"], 415);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let answer = with_json(Method::PUT, RATING, vec![b' '; (4 << 20) + 1]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let chunks = (0..5).map(|_| Ok::<_, std::convert::Infallible>(vec![b' '; 1 << 20]));
    let stream = async_stream::stream! { for chunk in chunks { yield chunk } };
    let answer = with_json(Method::PUT, RATING, Body::from_stream(stream)).await;
    assert_eq!(
        answer.status,
        StatusCode::PAYLOAD_TOO_LARGE,
        "whatever its length header says"
    );
}

#[tokio::test]
async fn a_body_where_none_belongs_is_refused() {
    let answer = with_json(Method::GET, RATING, "{}").await;
    assert_eq!(answer.json()["detail"], "this request takes no body");
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_a_problem_too() {
    let answer = get("/v1/nothing").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.json()["code"], "NOT_FOUND");
    assert_eq!(answer.json()["instance"], "/v1/nothing");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let answer = with_json(Method::PATCH, "/v1/metadata/tt1", "{}").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), Some("GET, HEAD, PUT, OPTIONS"));
    assert_eq!(answer.json()["status"], 405);
}

#[tokio::test]
async fn failures_keep_their_code_and_hide_their_cause() {
    let answer = get("/v1/ratings/movie/tt1/users/busy").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert_eq!(answer.json()["code"], "UNAVAILABLE");
    assert!(
        !String::from_utf8_lossy(&answer.body).contains("sector"),
        "{answer:?}"
    );

    let answer = get("/v1/ratings/movie/tt1/users/broken").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        !String::from_utf8_lossy(&answer.body).contains("secret"),
        "{answer:?}"
    );

    assert_eq!(
        get("/v1/ratings/movie/tt1/users/nobody").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        get("/v1/ratings/movie/tt1/users/locked").await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_token_nobody_can_check_is_refused_with_a_challenge() {
    let asked = request(Method::GET, RATING)
        .header("authorization", "Bearer x")
        .body(Body::empty())
        .unwrap();
    let answer = send(asked).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert_eq!(answer.json()["code"], "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_deadline_that_is_over_is_told_as_such() {
    let asked = request(Method::GET, RATING)
        .header("x-request-timeout-ms", "0")
        .body(Body::empty())
        .unwrap();
    assert_eq!(send(asked).await.status, StatusCode::GATEWAY_TIMEOUT);
    let asked = request(Method::GET, RATING)
        .header("x-request-timeout-ms", "soon")
        .body(Body::empty())
        .unwrap();
    assert_eq!(send(asked).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_not_waited_for() {
    let stream = async_stream::stream! {
        yield Ok::<_, std::convert::Infallible>("{");
        std::future::pending::<()>().await;
    };
    let answer = with_json(Method::PUT, RATING, Body::from_stream(stream)).await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
}
