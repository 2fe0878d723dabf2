//! What is no request, or not quite one, and what each is told.

use super::{JSON, RATING, Site};
use crate::problem::{fields, problem};
use backlot_testkit::http::{self, ask, get};
use http_types::Method;
use std::time::Duration;

use ::http as http_types;

#[tokio::test]
async fn a_wrong_verb_is_told_which_there_are() {
    let site = Site::start().await;
    for verb in [
        Method::POST,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
        Method::from_bytes(b"BREW").unwrap(),
    ] {
        let path = if verb == Method::CONNECT {
            &site.rating
        } else {
            RATING
        };
        let answer = ask(&site.rating, verb.clone(), path, &[], "")
            .await
            .unwrap();
        if verb == Method::CONNECT {
            assert!(answer.status.is_client_error(), "{verb}: {}", answer.status);
            continue;
        }
        problem(verb.as_str(), &answer, 405);
        assert_eq!(answer.header("allow"), "GET, HEAD, PUT, DELETE, OPTIONS");
    }
    let answer = ask(&site.rating, Method::OPTIONS, RATING, &[], "")
        .await
        .unwrap();
    assert_eq!(
        (answer.status.as_u16(), answer.header("allow")),
        (204, "GET, HEAD, PUT, DELETE, OPTIONS")
    );
    let answer = ask(&site.movie, Method::HEAD, "/v1/movies", &[], "")
        .await
        .unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    site.running.stop().await;
}

#[tokio::test]
async fn each_malformed_body_is_a_400_that_says_where() {
    let site = Site::start().await;
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let malformed: [&[u8]; 16] = [
        b"{",
        b"}",
        b"{\"value\":}",
        b"{\"value\":4,}",
        b"{value:4}",
        b"{'value':4}",
        b"\xff\xfe",
        b"{\"value\":4}x",
        b"null",
        b"[]",
        b"4",
        b"\"\"",
        b"{\"\\ud800\":1}",
        b"{\"value\":1e999}",
        b"\0",
        deep.as_bytes(),
    ];
    for body in malformed {
        let shown = String::from_utf8_lossy(&body[..body.len().min(30)]).into_owned();
        let told = problem(&shown, &site.put(&[JSON], body).await, 400);
        assert_eq!(told["code"], "INVALID_ARGUMENT", "{shown}");
    }
    let wrong = [
        (r#"{"value": 4.3}"#, "value"),
        (r#"{"value": 0}"#, "value"),
        (r#"{"value": 5.5}"#, "value"),
        (r#"{"value": -1}"#, "value"),
        (r#"{"value": "4"}"#, "value"),
        (r#"{"value": [4]}"#, "value"),
        (r#"{"value": {}}"#, "value"),
        (r#"{"value": true}"#, "value"),
        (r#"{"value": 1e300}"#, "value"),
        (r#"{"value": 99999999999999999999}"#, "value"),
        (r"{}", "value"),
        (r#"{"value": null}"#, "value"),
        (r#"{"stars": 4}"#, "stars"),
        (r#"{"value": 4, "userId": "bob"}"#, "userId"),
        (r#"{"value": 4, "userId": 7}"#, "userId"),
        (r#"{"value": 4, "value ": 4}"#, "value "),
    ];
    for (body, field) in wrong {
        let told = problem(body, &site.put(&[JSON], body).await, 400);
        assert_eq!(fields(&told), [field], "{body}: {told}");
    }
    let both = problem(
        "both",
        &site.put(&[JSON], r#"{"value": 4, "half_stars": 4}"#).await,
        400,
    );
    assert_eq!(fields(&both).len(), 1, "{both}");
    let answer = get(&site.rating, "/v1/ratings/movie/m").await.unwrap();
    assert_eq!(
        answer.json()["aggregate"]["version"],
        0,
        "nothing of that had an effect"
    );
    site.running.stop().await;
}

#[tokio::test]
async fn a_body_of_the_wrong_kind_or_size_is_a_415_or_a_413() {
    let site = Site::start().await;
    let good = r#"{"value": 4}"#;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "",
        "json",
        "application/jsonx",
        "*/*",
    ] {
        problem(kind, &site.put(&[("content-type", kind)], good).await, 415);
    }
    problem("no type", &site.put(&[], good).await, 415);
    for kind in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/merge-patch+json",
    ] {
        assert_eq!(
            site.put(&[("content-type", kind)], good)
                .await
                .status
                .as_u16(),
            200,
            "{kind}"
        );
    }
    let limit = 4 << 20;
    let padded = |size: usize| format!("{good}{}", " ".repeat(size - good.len()));
    assert_eq!(site.put(&[JSON], padded(limit)).await.status.as_u16(), 200);
    problem(
        "a byte more",
        &site.put(&[JSON], padded(limit + 1)).await,
        413,
    );
    let lies = format!(
        "PUT {RATING} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n{{"
    );
    let said = http::raw(&site.rating, lies.as_bytes(), Duration::from_secs(3))
        .await
        .unwrap();
    assert!(
        said.starts_with(b"HTTP/1.1 413 "),
        "{}",
        String::from_utf8_lossy(&said)
    );
    let answer = ask(&site.movie, Method::GET, "/v1/movies", &[JSON], "{}")
        .await
        .unwrap();
    problem("a body on GET", &answer, 400);
    site.running.stop().await;
}

#[tokio::test]
async fn each_wrong_path_query_or_header_is_a_400() {
    let site = Site::start().await;
    for path in [
        "/v1/movies/%",
        "/v1/movies/%zz",
        "/v1/movies/%FF",
        "/v1/movies/%C3%28",
    ] {
        problem(path, &get(&site.movie, path).await.unwrap(), 400);
    }
    let long = format!("/v1/movies/{}", "x".repeat(65));
    assert_eq!(
        fields(&problem(
            "long id",
            &get(&site.movie, &long).await.unwrap(),
            400
        )),
        ["movieId"]
    );
    for (query, field) in [
        ("pageSize=x", "pageSize"),
        ("pageSize=201", "pageSize"),
        ("pageSize=-1", "pageSize"),
        ("pageSize=", "pageSize"),
        ("pageSize=1&pageSize=2", "pageSize"),
        ("page_size=1&pageSize=2", "pageSize"),
        ("pageSize=1.5", "pageSize"),
        ("pageSize=99999999999", "pageSize"),
        ("sort=title", "sort"),
        ("=", ""),
        ("pageToken=%21", "pageToken"),
    ] {
        let told = problem(
            query,
            &get(&site.movie, &format!("/v1/movies?{query}"))
                .await
                .unwrap(),
            400,
        );
        assert_eq!(fields(&told), [field], "{query}: {told}");
    }
    for query in [
        "",
        "&&",
        "pageSize=1",
        "page_size=1",
        "pageSize=%31",
        "pageToken=",
    ] {
        let answer = get(&site.movie, &format!("/v1/movies?{query}"))
            .await
            .unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{query}: {}", answer.text());
    }
    for timeout in ["x", "-1", "1.5", "99999999999999999999999", "", "1s"] {
        let answer = ask(
            &site.movie,
            Method::GET,
            "/v1/movies",
            &[("x-request-timeout-ms", timeout)],
            "",
        )
        .await
        .unwrap();
        problem(timeout, &answer, 400);
    }
    let key = "k".repeat(129);
    for key in ["", "a b", &key] {
        problem(
            key,
            &site
                .put(&[JSON, ("idempotency-key", key)], r#"{"value": 4}"#)
                .await,
            400,
        );
    }
    // What makes no sense but harms nobody is not looked at.
    for (name, value) in [
        ("traceparent", "nonsense"),
        ("x-criticality", "vip"),
        ("accept", "text/html"),
        ("expect", ""),
    ] {
        let answer = ask(&site.movie, Method::GET, "/v1/movies", &[(name, value)], "")
            .await
            .unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{name}");
    }
    site.running.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_request_end_the_connection_and_nothing_else() {
    let site = Site::start().await;
    let huge = format!(
        "GET /v1/movies HTTP/1.1\r\nhost: x\r\nx-huge: {}\r\n\r\n",
        "x".repeat(64 * 1024)
    );
    let many = format!(
        "GET /v1/movies HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "x-many: x\r\n".repeat(1000)
    );
    let path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(100_000));
    for (bytes, status) in [
        (huge.as_bytes(), Some("431")), (many.as_bytes(), Some("431")), (path.as_bytes(), Some("431")),
        (b"nonsense\r\n\r\n", Some("400")), (b"GET / HTTP/9.9\r\n\r\n", Some("400")), (b"\0\0\0\0\0\0\0\0\r\n\r\n", Some("400")),
        (b"GET /v1/movies HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n", Some("400")),
        (b"GET /v1/movies HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", None),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", None),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense nonsense nonsense nonsense", None),
    ] {
        let said = http::raw(&site.movie, bytes, Duration::from_millis(1500)).await.unwrap();
        let said = String::from_utf8_lossy(&said);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        if let Some(status) = status {
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{shown:?}: {said:?}");
        }
        assert!(!said.contains("HTTP/1.1 5"), "{shown:?}: {said:?}");
        assert_eq!(get(&site.movie, "/v1/movies").await.unwrap().status.as_u16(), 200, "after {shown:?}");
    }
    site.running.stop().await;
}
