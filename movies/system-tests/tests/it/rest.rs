//! REST as strangers speak it: exact statuses, one clear problem each.

mod live;
mod malformed;
mod pages;

use crate::problem::problem;
use crate::worlds::{Running, Ways};
use backlot::{Code, Principal};
use backlot_testkit::http::{Answer, ask, get};
use http::Method;
use serde_json::json;

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
