use super::{Body, router};
use crate::Edge;
use crate::identity::contract::identity::v1::{GetKeySetRequest, GetKeySetResponse, Key};
use crate::identity::contract::{KeySet, key_set};
use backlot_core::{Context, Error};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

struct Issuer;

#[async_trait::async_trait]
impl KeySet for Issuer {
    async fn get_key_set(
        &self,
        _cx: &Context,
        _: GetKeySetRequest,
    ) -> Result<GetKeySetResponse, Error> {
        let key = Key {
            kty: "OKP".to_owned(),
            r#use: "sig".to_owned(),
            ..Key::default()
        };
        Ok(GetKeySetResponse { keys: vec![key] })
    }
}

async fn send(method: Method, path: &str) -> Response<Body> {
    send_to(method, path, true).await
}

async fn send_to(method: Method, path: &str, described: bool) -> Response<Body> {
    let edge = Edge::anonymous().tracing(backlot_core::Dice::seeded(1));
    let pages = axum::Router::new()
        .route("/page", axum::routing::get(|| async { "a page" }))
        .route(
            "/none",
            axum::routing::get(|| async { (StatusCode::NOT_FOUND, "a page about nothing") }),
        );
    let router = router(&[key_set(Issuer)], edge, pages, described).unwrap();
    router
        .oneshot(
            Request::builder()
                .method(method)
                .uri(path)
                .body(Body::empty())
                .unwrap(),
        )
        .await
        .unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec(),
    )
    .unwrap()
}

async fn json(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

#[tokio::test]
async fn a_key_set_is_served_as_a_json_web_key_set() {
    let response = send(Method::GET, "/.well-known/jwks.json").await;
    assert_eq!(
        json(response).await,
        json!({ "keys": [{ "kty": "OKP", "crv": "", "x": "", "kid": "", "alg": "", "use": "sig" }] })
    );
}

#[tokio::test]
async fn what_no_route_answers_goes_to_the_pages() {
    assert_eq!(text(send(Method::GET, "/page").await).await, "a page");
    let response = send(Method::GET, "/none").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(text(response).await, "a page about nothing");
}

#[tokio::test]
async fn what_no_page_answers_either_is_a_problem() {
    let response = send(Method::GET, "/nothing").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(json(response).await["code"], "NOT_FOUND");
    let response = send(Method::POST, "/page").await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET,HEAD");
    assert_eq!(json(response).await["status"], 405);
}

#[tokio::test]
async fn the_description_is_there_to_be_read_only() {
    assert_eq!(
        json(send(Method::GET, "/openapi.json").await).await["openapi"],
        "3.1.0"
    );
    let response = send(Method::PUT, "/openapi.json").await;
    assert_eq!(response.headers()["allow"], "GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn the_page_to_try_the_methods_brings_all_it_needs() {
    let page = send(Method::GET, "/docs").await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let page = text(page).await;
    for path in ["/docs/page.css", "/docs/page.js"] {
        assert!(page.contains(&format!("\"{path}\"")), "{path} is loaded");
        let file = send(Method::GET, path).await;
        assert_eq!(file.status(), StatusCode::OK, "{path}");
        let file = text(file).await;
        assert!(
            !file.contains("http://") && !file.contains("https://"),
            "{path} is of here"
        );
    }
    assert!(!page.contains("<style") && !page.contains("style=") && !page.contains("http"));
    let refused = send(Method::POST, "/docs").await;
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    let root = send(Method::GET, "/").await;
    assert_eq!(
        (root.status(), &root.headers()["location"]),
        (StatusCode::TEMPORARY_REDIRECT, &"/docs".parse().unwrap())
    );
}

#[tokio::test]
async fn nothing_is_described_to_those_who_may_not_know() {
    for path in ["/openapi.json", "/docs", "/docs/", "/docs/page.js", "/"] {
        let response = send_to(Method::GET, path, false).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(json(response).await["code"], "NOT_FOUND", "{path}");
    }
    let response = send_to(Method::GET, "/.well-known/jwks.json", false).await;
    assert_eq!(response.status(), StatusCode::OK, "its methods are served");
}

#[tokio::test]
async fn a_problem_tells_the_trace_it_belongs_to() {
    let told = json(send(Method::GET, "/nothing").await).await;
    let trace = told["traceId"].as_str().unwrap();
    assert!(trace.len() == 32 && trace != "0".repeat(32), "{told}");
}
