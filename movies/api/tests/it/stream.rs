use crate::subject::{Body, get, request, send};
use http::{Method, StatusCode};
use serde_json::{Value, json};

fn data(line: &str) -> Value {
    serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_events_with_a_heartbeat_and_a_told_end() {
    let answer = get("/v1/ratings/movie/tt1/live").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let text = String::from_utf8(answer.body).unwrap();
    let events: Vec<&str> = text.split("\n\n").collect();
    assert_eq!(events[0], "retry: 1000");
    assert_eq!(data(events[1])["aggregate"]["count"], 0);
    assert_eq!(data(events[1])["recordId"], "tt1");
    assert_eq!(events[2], ": alive", "after 15 seconds of silence");
    assert_eq!(data(events[3])["aggregate"]["mean"], json!(4.5));
    let (kind, problem) = events[4].split_once('\n').unwrap();
    assert_eq!(kind, "event: error");
    assert_eq!(data(problem)["code"], "UNAVAILABLE");
    assert_eq!(events[5..], [""]);
}

#[tokio::test]
async fn a_stream_that_cannot_start_is_an_ordinary_problem() {
    let answer = get("/v1/ratings/movie/gone/live").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
}

#[tokio::test]
async fn the_head_of_a_stream_starts_none() {
    let answer = send(
        request(Method::HEAD, "/v1/ratings/movie/tt1/live")
            .body(Body::empty())
            .unwrap(),
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert!(answer.body.is_empty());
}
