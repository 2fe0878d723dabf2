//! A service of axum, and one that tonic generated, on one port: connections are bounded and watched,
//! and at the end what was asked is answered, within a limit.
//!
//! `cargo run -p backlot-rpc --example drain`, and Ctrl-C.

use axum::Router;
use axum::routing::get;
use backlot_core::Env; // new
use backlot_core::env::Phase; // new
use backlot_core::net::Listener;
use backlot_rpc::server::Outcome; // new
use backlot_rpc::{Edge, Server}; // new
use backlot_service::health::Health; // new

/// Serves until the environment shuts down; what was cut then.
pub async fn serve(router: Router, listener: Box<dyn Listener>, env: &Env) -> Outcome {
    let (_reporter, service) = tonic_health::server::health_reporter();
    // Instead of `axum::serve`, and of a server of tonic's.
    let server = Server::new(Edge::anonymous(), Health::new()); // new
    let server = server.pages(router).plain(service).prepare(); // new
    match server {
        Ok(server) => server.run(listener, env).await, // new
        Err(_) => Outcome { cut: 0 },
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (env, router) = (
        Env::real(),
        Router::new().route("/", get(|| async { "hello" })),
    );
    let listener = env.net.bind("127.0.0.1:8080").await?;
    let shutdown = env.shutdown.clone(); // new
    let stop = async {
        tokio::signal::ctrl_c().await?;
        shutdown.advance(Phase::Draining); // new
        std::io::Result::Ok(())
    };
    let (outcome, stopped) = tokio::join!(serve(router, listener, &env), stop);
    println!("cut {} connections", outcome.cut);
    stopped
}
