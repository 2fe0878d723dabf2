use crate::subject::{Body, get, request, send, with_json};
use http::{Method, StatusCode};
use serde_json::json;

const RATING: &str = "/v1/ratings/movie/tt1/users/ann";

#[tokio::test]
async fn four_and_a_half_stars_arrive_as_nine_half_stars() {
    let answer = with_json(Method::PUT, RATING, r#"{"value": 4.5}"#).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.json(),
        json!({ "aggregate": { "count": 9, "mean": 4.5, "histogram": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "version": 1 } })
    );
}

#[tokio::test]
async fn half_stars_leave_as_stars() {
    assert_eq!(get(RATING).await.json(), json!({ "value": 4.5 }));
}

#[tokio::test]
async fn zero_is_written_and_a_mean_of_nothing_is_not() {
    let json = get("/v1/ratings/movie/none").await.json();
    assert_eq!(json["aggregate"]["count"], 0);
    assert!(json["aggregate"].get("mean").is_none(), "{json}");
}

#[tokio::test]
async fn variables_of_a_path_are_decoded() {
    let answer = get("/v1/ratings/m%C3%A9lo/a%2Fb+c:d").await;
    assert_eq!(answer.json()["detail"], "mélo|a/b+c:d");
    assert_eq!(
        get("/v1/ratings/movie/%FF").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_custom_verb_is_reached_behind_its_colon() {
    let answer = with_json(
        Method::POST,
        "/v1/ratings/movie:batchGet",
        r#"{"recordIds": ["a", "b"]}"#,
    )
    .await;
    assert_eq!(
        answer.json()["aggregates"].as_array().map(Vec::len),
        Some(2)
    );
    let answer = with_json(Method::POST, "/v1/ratings/movie:other", "{}").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_field_in_the_body_is_completed_by_the_path() {
    let answer = with_json(
        Method::PUT,
        "/v1/metadata/tt1",
        r#"{"title": "Heat", "year": 1995}"#,
    )
    .await;
    assert_eq!(answer.json(), json!({ "created": true }));
    let answer = with_json(
        Method::PUT,
        "/v1/metadata/tt1",
        r#"{"id": "tt1", "title": "Heat", "year": 1995}"#,
    )
    .await;
    assert_eq!(
        answer.json(),
        json!({ "created": true }),
        "saying it twice is allowed"
    );
}

#[tokio::test]
async fn a_query_fills_fields_by_either_spelling() {
    let answer = get("/v1/metadata?pageSize=20&page_token=a+b%26").await;
    assert_eq!(answer.json()["nextPageToken"], "20|a b&");
    assert_eq!(get("/v1/metadata?").await.json()["nextPageToken"], "0|");
}

#[tokio::test]
async fn an_empty_body_is_a_request_without_values() {
    let answer = send(
        request(Method::POST, "/v1/ratings/movie:batchGet")
            .body(Body::empty())
            .unwrap(),
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), json!({ "aggregates": [] }));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let answer = send(request(Method::HEAD, RATING).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-length"), Some("13"));
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn options_tells_what_can_be_done() {
    let answer = send(
        request(Method::OPTIONS, RATING)
            .body(Body::empty())
            .unwrap(),
    )
    .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(
        answer.header("allow"),
        Some("GET, HEAD, PUT, DELETE, OPTIONS")
    );
}

#[tokio::test]
async fn a_delete_needs_no_body() {
    let answer = send(request(Method::DELETE, RATING).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.json(), json!({ "deleted": true }));
}
