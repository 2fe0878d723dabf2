//! A service of axum, and one that tonic generated, on one port: connections are bounded and watched,
//! and at the end what was asked is answered, within a limit.
//!
//! `cargo run -p backlot-rpc --example drain`, and Ctrl-C.

use axum::Router;
use axum::routing::get;
use backlot_core::env::Phase; // new
use backlot_core::net::Listener; // new
use backlot_core::{Env, Error}; // new
use backlot_rpc::server::Outcome; // new
use backlot_rpc::{Edge, Server}; // new
use backlot_service::health::Health; // new

type Socket = Box<dyn Listener>;

/// Serves until the environment shuts down; what was cut then.
pub async fn serve(router: Router, listener: Socket, env: &Env) -> Result<Outcome, Error> {
    let (_reporter, service) = tonic_health::server::health_reporter();
    let server = Server::new(Edge::anonymous(), Health::new()); // instead of `axum::serve`
    let server = server.pages(router).plain(service).prepare()?; // instead of a server of tonic's
    Ok(server.run(listener, env).await)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let router = Router::new().route("/", get(|| async { "hello" }));
    let env = Env::real(); // new
    let listener = env.net.bind("127.0.0.1:8080").await?; // instead of a listener of tokio's
    let shutdown = env.shutdown.clone();
    let stop = async {
        tokio::signal::ctrl_c().await?;
        shutdown.advance(Phase::Draining);
        std::io::Result::Ok(())
    };
    let (outcome, stopped) = tokio::join!(serve(router, listener, &env), stop);
    println!("cut {} connections", outcome?.cut);
    Ok(stopped?)
}
