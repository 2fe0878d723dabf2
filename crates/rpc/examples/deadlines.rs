//! A service of axum, and one that tonic generated, with deadlines: what callers say in `grpc-timeout`
//! or `x-request-timeout-ms` holds, five seconds otherwise.
//!
//! `cargo run -p backlot-rpc --example deadlines`, then
//! `curl -i -H 'x-request-timeout-ms: 100' http://127.0.0.1:8080/slow`

use axum::Router;
use axum::routing::get;
use backlot_core::Env;
use backlot_rpc::{Deadlines, Edge, Server}; // new
use backlot_service::health::Health;
use std::time::Duration;
use tower::Layer; // new

/// Pages, one of them slow.
pub fn pages() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/slow", get(slow))
        .layer(Deadlines::default()) // new
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_secs(30)).await;
    "at last"
}

/// Both of them.
pub fn server() -> Server {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let health = Deadlines::default().layer(health); // new
    Server::new(Edge::anonymous(), Health::new())
        .pages(pages())
        .plain(health)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let env = Env::real();
    let listener = env.net.bind("127.0.0.1:8080").await?;
    server().prepare()?.run(listener, &env).await;
    Ok(())
}
