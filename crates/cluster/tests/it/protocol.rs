//! The wire, as another language sees it: raw bytes over the network in memory.

use crate::net::Memory;
use crate::world::{ADDRESS, Process};
use backlot_core::net::Network;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }
}

/// Sends a request with a body and reads until the server closes.
async fn call(net: &Memory, request: &str, body: &str) -> Answer {
    let head = format!(
        "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    raw(net, &format!("{head}{body}")).await
}

async fn raw(net: &Memory, bytes: &str) -> Answer {
    let mut stream = net.connect(ADDRESS).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

async fn world() -> (Memory, Process) {
    let net = Memory::default();
    let process = Process::new(&net, 1);
    process.serve().await;
    (net, process)
}

const RATING: &str = "/v1/services/rating/instances/rating-1";

#[tokio::test(start_paused = true)]
async fn an_instance_registers_shows_and_leaves() {
    let (net, _process) = world().await;
    let body = r#"{"address": "127.0.0.1:8082", "version": "1.0", "ttl_ms": 5000, "metadata": {"zone": "a"}}"#;
    let answer = call(&net, &format!("PUT {RATING}"), body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let shown = call(&net, "GET /v1/services/rating", "").await.json();
    assert_eq!(
        shown["instances"],
        serde_json::json!([{
            "id": "rating-1", "address": "127.0.0.1:8082", "version": "1.0", "ttl_ms": 5000, "metadata": {"zone": "a"}
        }])
    );
    assert_eq!(
        call(&net, "GET /v1/services", "").await.json()["services"],
        serde_json::json!(["rating"])
    );
    assert_eq!(
        call(&net, &format!("DELETE {RATING}"), "").await.status,
        204
    );
    assert_eq!(
        call(&net, &format!("DELETE {RATING}"), "").await.status,
        204
    );
    assert_eq!(
        call(&net, "GET /v1/services/rating", "").await.json()["instances"],
        serde_json::json!([])
    );
    assert_eq!(
        call(&net, "GET /v1/services", "").await.json()["services"],
        serde_json::json!([])
    );
}

#[tokio::test(start_paused = true)]
async fn a_registry_tells_what_it_is() {
    let (net, _process) = world().await;
    let identity = call(&net, "GET /v1/registry", "").await.json();
    assert_eq!(identity["backlot-registry"], 1);
    assert!(
        identity["epoch"]
            .as_str()
            .is_some_and(|epoch| !epoch.is_empty())
    );
}

#[tokio::test(start_paused = true)]
async fn a_watcher_hears_of_a_change_at_once_and_otherwise_after_its_wait() {
    let (net, _process) = world().await;
    let first = call(&net, "GET /v1/services/rating", "").await.json();
    let question = |index: &serde_json::Value, epoch: &str, wait: &str| {
        format!("GET /v1/services/rating?epoch={epoch}&index={index}&wait={wait}")
    };
    let epoch = first["epoch"].as_str().unwrap();

    let began = Instant::now();
    let quiet = call(&net, &question(&first["index"], epoch, "30s"), "")
        .await
        .json();
    assert_eq!(Instant::now() - began, Duration::from_secs(30));
    assert_eq!(quiet["index"], first["index"]);

    let began = Instant::now();
    let request = question(&first["index"], epoch, "30s");
    let body = r#"{"address": "127.0.0.1:8082"}"#;
    let (heard, _) = tokio::join!(call(&net, &request, ""), async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        call(&net, &format!("PUT {RATING}"), body).await
    });
    assert_eq!(Instant::now() - began, Duration::from_secs(7));
    assert_eq!(heard.json()["instances"][0]["id"], "rating-1");

    // Another service's change is none of this one's.
    let seen = heard.json()["index"].clone();
    let began = Instant::now();
    let request = question(&seen, epoch, "2s");
    tokio::join!(
        call(&net, &request, ""),
        call(&net, "PUT /v1/services/movie/instances/movie-1", body)
    );
    assert_eq!(Instant::now() - began, Duration::from_secs(2));

    let began = Instant::now();
    call(&net, &question(&seen, "another-run", "30s"), "").await;
    assert_eq!(
        Instant::now() - began,
        Duration::ZERO,
        "another epoch is answered at once"
    );
}

#[tokio::test(start_paused = true)]
async fn wrong_requests_name_the_field() {
    let (net, _process) = world().await;
    let cases = [
        (format!("PUT {RATING}"), "{", 400, "body"),
        (format!("PUT {RATING}"), "{}", 400, "address"),
        (
            format!("PUT {RATING}"),
            r#"{"address": "x"}"#,
            400,
            "address",
        ),
        (
            format!("PUT {RATING}"),
            r#"{"address": "a:1", "ttl_ms": 1}"#,
            400,
            "ttl_ms",
        ),
        (
            format!("PUT {RATING}"),
            r#"{"address": "a:1", "port": 1}"#,
            400,
            "port",
        ),
        (
            "PUT /v1/services/a%20b/instances/c".to_owned(),
            r#"{"address": "a:1"}"#,
            400,
            "service",
        ),
        (
            "GET /v1/services/rating?index=x".to_owned(),
            "",
            400,
            "index",
        ),
        (
            "GET /v1/services/rating?wait=1d".to_owned(),
            "",
            400,
            "wait",
        ),
        (
            "GET /v1/services/rating?since=1".to_owned(),
            "",
            400,
            "since",
        ),
    ];
    for (request, body, status, field) in cases {
        let answer = call(&net, &request, body).await;
        assert_eq!(answer.status, status, "{request}: {}", answer.body);
        assert!(
            answer.head.contains("application/problem+json"),
            "{}",
            answer.head
        );
        assert_eq!(
            answer.json()["violations"][0]["field"],
            field,
            "{request}: {}",
            answer.body
        );
        assert_eq!(answer.json()["code"], "INVALID_ARGUMENT");
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_paths_and_methods_tell_what_there_is() {
    let (net, _process) = world().await;
    let answer = call(&net, "GET /v2/everything", "").await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("/v1/services"), "{}", answer.body);
    let answer = call(&net, &format!("POST {RATING}"), "{}").await;
    assert_eq!(answer.status, 405);
    assert!(
        answer.head.contains("allow: ") && answer.head.contains("PUT"),
        "{}",
        answer.head
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_is_bounded() {
    let (net, _process) = world().await;
    let answer = call(&net, &format!("PUT {RATING}"), &"x".repeat(65 * 1024)).await;
    assert_eq!(answer.status, 413, "{}", answer.body);
}

#[tokio::test(start_paused = true)]
async fn half_a_request_does_not_hold_a_connection_for_ever() {
    let (net, _process) = world().await;
    for half in [
        "",
        "GET /v1/reg",
        "PUT /v1/services/a/instances/b HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{",
    ] {
        let began = Instant::now();
        raw(&net, half).await;
        let took = Instant::now() - began;
        assert!(took <= Duration::from_secs(21), "{half:?}: {took:?}");
    }
}
