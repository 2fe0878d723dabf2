//! REST as strangers speak it: exact statuses, one clear problem each.

use crate::problem::{fields, problem};
use crate::worlds::{Running, Ways};
use backlot::{Code, Principal};
use backlot_testkit::http::{self, Answer, Open, ask, get};
use http_types::Method;
use serde_json::{Value, json};
use std::time::Duration;

use ::http as http_types;

const RATING: &str = "/v1/ratings/movie/m/users/ann";
const JSON: (&str, &str) = ("content-type", "application/json");

struct Site {
    running: Running,
    movie: String,
    rating: String,
    metadata: String,
    probe: String,
    ann: String,
}

impl Site {
    async fn start() -> Site {
        let running = Running::start(Ways::Direct).await;
        let ann = bearer(&running.clients.tokens.user("ann"));
        Site {
            movie: running.address("movie").await,
            rating: running.address("rating").await,
            metadata: running.address("metadata").await,
            probe: running.address("probe").await,
            running,
            ann,
        }
    }

    /// Rates as ann.
    async fn put(&self, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        let mut all = vec![("authorization", self.ann.as_str())];
        all.extend_from_slice(headers);
        ask(&self.rating, Method::PUT, RATING, &all, body.into())
            .await
            .unwrap()
    }
}

pub(crate) fn bearer(principal: &Principal) -> String {
    format!("Bearer {}", principal.token().unwrap().expose())
}

#[tokio::test]
async fn a_film_is_written_rated_and_read() {
    let site = Site::start().await;
    let editor = bearer(&site.running.clients.tokens.editor("eve"));
    let film = json!({ "title": "M", "year": 1931, "director": "Fritz Lang" }).to_string();
    let headers = [("authorization", editor.as_str()), JSON];
    let answer = ask(
        &site.metadata,
        Method::PUT,
        "/v1/metadata/m",
        &headers,
        film,
    )
    .await
    .unwrap();
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({ "created": true }))
    );

    let answer = site.put(&[JSON], r#"{"value": 4.5}"#).await;
    let aggregate = json!({ "count": 1, "mean": 4.5, "histogram": [0, 0, 0, 0, 0, 0, 0, 0, 1, 0], "version": 1 });
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({ "aggregate": aggregate }))
    );
    assert_eq!(answer.header("content-type"), "application/json");

    let answer = get(&site.movie, "/v1/movies/m").await.unwrap();
    let movie = &answer.json()["movie"];
    assert_eq!(
        (&movie["metadata"]["title"], &movie["rating"]),
        (&json!("M"), &aggregate)
    );

    let own = [("authorization", site.ann.as_str())];
    let answer = ask(&site.rating, Method::GET, RATING, &own, "")
        .await
        .unwrap();
    assert_eq!(answer.json(), json!({ "value": 4.5 }));
    let answer = ask(&site.rating, Method::DELETE, RATING, &own, "")
        .await
        .unwrap();
    assert_eq!(answer.json()["deleted"], json!(true));
    problem(
        "gone",
        &ask(&site.rating, Method::GET, RATING, &own, "")
            .await
            .unwrap(),
        404,
    );
    site.running.stop().await;
}

#[tokio::test]
async fn each_mistake_has_its_status() {
    let site = Site::start().await;
    let told = problem(
        "unknown film",
        &get(&site.movie, "/v1/movies/unknown").await.unwrap(),
        404,
    );
    assert_eq!(
        (&told["code"], &told["instance"]),
        (&json!("NOT_FOUND"), &json!("/v1/movies/unknown"))
    );
    for path in [
        "/v1",
        "/v1/movies/",
        "/v1/movies/a/b",
        "/v1//movies",
        "/V1/movies/a",
        "/v2/movies/a",
        "//",
        "/v1/movies/..",
    ] {
        problem(path, &get(&site.movie, path).await.unwrap(), 404);
    }
    let nobody = ask(&site.rating, Method::PUT, RATING, &[JSON], r#"{"value":4}"#)
        .await
        .unwrap();
    assert_eq!(problem("nobody", &nobody, 401)["code"], "UNAUTHENTICATED");
    assert_eq!(nobody.header("www-authenticate"), "Bearer");
    let bob = bearer(&site.running.clients.tokens.user("bob"));
    let bob = ask(
        &site.rating,
        Method::PUT,
        RATING,
        &[JSON, ("authorization", &bob)],
        r#"{"value":4}"#,
    )
    .await
    .unwrap();
    assert_eq!(
        problem("another user", &bob, 403)["code"],
        "PERMISSION_DENIED"
    );
    for scheme in [
        "Basic YTpi",
        "Bearer",
        "Bearer ",
        "bearer",
        "\"",
        "Bearer a b",
    ] {
        let answer = ask(
            &site.rating,
            Method::PUT,
            RATING,
            &[JSON, ("authorization", scheme)],
            "{}",
        )
        .await
        .unwrap();
        problem(scheme, &answer, 401);
    }
    site.running.stop().await;
}

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
async fn every_code_has_its_status() {
    let site = Site::start().await;
    for code in Code::ALL {
        let body = json!({ "code": code.number(), "message": "as told", "pushbackMillis": "1001" })
            .to_string();
        let answer = ask(&site.probe, Method::POST, "/v1/probe:fail", &[JSON], body)
            .await
            .unwrap();
        let told = problem(code.name(), &answer, code.http_status());
        assert_eq!(
            (&told["code"], &told["detail"]),
            (&json!(code.name()), &json!("as told"))
        );
        assert_eq!(answer.header("retry-after"), "2", "rounded up");
    }
    let late = ask(
        &site.probe,
        Method::POST,
        "/v1/probe:hang",
        &[JSON, ("x-request-timeout-ms", "200")],
        r#"{"name":"late"}"#,
    );
    problem("late", &late.await.unwrap(), 504);
    let headers = [("x-request-timeout-ms", "0"), JSON];
    let passed = ask(
        &site.probe,
        Method::POST,
        "/v1/probe:hang",
        &headers,
        r#"{"name":"passed"}"#,
    )
    .await
    .unwrap();
    problem("passed", &passed, 504);
    let count = get(&site.probe, "/v1/probe/passed").await.unwrap();
    assert_eq!(count.json()["begun"], 0, "it did not run");
    site.running.stop().await;
}

#[tokio::test]
async fn a_repeated_request_gives_the_first_answer() {
    let site = Site::start().await;
    let key = ("idempotency-key", "5f3c");
    let first = site.put(&[JSON, key], r#"{"value": 4}"#).await;
    site.put(&[JSON], r#"{"value": 1}"#).await;
    let again = site.put(&[JSON, key], r#"{ "half_stars": 4.0 }"#).await;
    assert_eq!((first.status.as_u16(), first.json()), (200, again.json()));
    let other = site.put(&[JSON, key], r#"{"value": 2}"#).await;
    assert_eq!(
        problem("another payload", &other, 422)["code"],
        "FAILED_PRECONDITION"
    );
    site.running.stop().await;
}

#[tokio::test]
async fn live_ratings_come_as_events() {
    let site = Site::start().await;
    let mut events = Open::get(&site.rating, "/v1/ratings/movie/m/live")
        .await
        .unwrap();
    assert_eq!(
        (events.status.as_u16(), &events.headers["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    assert_eq!(count(&mut events).await, 0);
    site.put(&[JSON], r#"{"value": 4}"#).await;
    assert_eq!(count(&mut events).await, 1);
    let stop = site.running.clients.power().stop("rating");
    let ((), end) = tokio::join!(stop, events.until("\n\n"));
    let end = end.unwrap().unwrap();
    let told = end.strip_prefix("event: error\ndata: ").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(told).unwrap()["code"],
        "UNAVAILABLE"
    );
    assert_eq!(events.until("\n\n").await.unwrap(), None);

    let unknown = get(&site.rating, "/v1/ratings/movie/m/live?x=1").await;
    assert!(unknown.is_err(), "the service has stopped");
    site.running.stop().await;
}

async fn count(events: &mut Open) -> u64 {
    loop {
        let event = events.until("\n\n").await.unwrap().unwrap();
        if let Some(data) = event.strip_prefix("data: ") {
            return serde_json::from_str::<Value>(data).unwrap()["aggregate"]["count"]
                .as_u64()
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_problem_names_the_trace_of_its_request() {
    let site = Site::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    for path in ["/v1/movies/unknown", "/nothing", "/v1/movies?x=1"] {
        let headers = [("traceparent", parent.as_str())];
        let told = ask(&site.movie, Method::GET, path, &headers, "")
            .await
            .unwrap();
        assert_eq!(told.json()["traceId"], trace, "{path}");
        let first = get(&site.movie, path).await.unwrap().json();
        let second = get(&site.movie, path).await.unwrap().json();
        assert_ne!(
            first["traceId"], second["traceId"],
            "{path}: each begins its own"
        );
    }
    site.running.stop().await;
}

#[tokio::test]
async fn each_service_has_a_page_to_try_it() {
    let site = Site::start().await;
    for address in [&site.movie, &site.rating, &site.metadata, &site.probe] {
        let root = get(address, "/").await.unwrap();
        assert_eq!(
            (root.status.as_u16(), root.header("location")),
            (307, "/docs")
        );
        let page = get(address, "/docs").await.unwrap();
        assert_eq!(page.status.as_u16(), 200);
        assert!(
            page.header("content-security-policy")
                .contains("default-src 'none'")
        );
    }
    site.running.stop().await;
}

#[tokio::test]
async fn the_contract_is_told() {
    let site = Site::start().await;
    let answer = get(&site.rating, "/openapi.json").await.unwrap();
    let document = answer.json();
    assert_eq!(answer.status.as_u16(), 200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(
        document["paths"]["/v1/ratings/{record_type}/{record_id}/users/{user_id}"]["put"]
            .is_object()
            || document["paths"]["/v1/ratings/{recordType}/{recordId}/users/{userId}"]["put"]
                .is_object(),
        "{document}"
    );
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
