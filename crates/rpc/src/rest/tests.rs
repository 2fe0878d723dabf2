use super::{Body, Contexts, router};
use crate::identity::contract::identity::v1::{GetKeySetRequest, GetKeySetResponse, Key};
use crate::identity::contract::{KeySet, key_set};
use backlot_core::{Context, Error};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
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
    let contexts: Contexts = Arc::new(|_, _| Box::pin(async { Ok(Context::background()) }));
    let pages = axum::Router::new()
        .route("/page", axum::routing::get(|| async { "a page" }))
        .route(
            "/none",
            axum::routing::get(|| async { (StatusCode::NOT_FOUND, "a page about nothing") }),
        );
    let router = router(&[key_set(Issuer)], contexts, pages).unwrap();
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
