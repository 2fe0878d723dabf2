//! The examples, each of one layer.

#[expect(dead_code, unreachable_pub, reason = "a program of its own")]
#[path = "../../examples/balancing.rs"]
mod balancing;
#[expect(dead_code, unreachable_pub, reason = "a program of its own")]
#[path = "../../examples/deadlines.rs"]
mod deadlines;
#[expect(dead_code, unreachable_pub, reason = "a program of its own")]
#[path = "../../examples/drain.rs"]
mod drain;
#[expect(dead_code, unreachable_pub, reason = "a program of its own")]
#[path = "../../examples/ejection.rs"]
mod ejection;
#[expect(dead_code, unreachable_pub, reason = "a program of its own")]
#[path = "../../examples/retries.rs"]
mod retries;

use crate::plain::{Does, Instance};
use axum::routing::get;
use backlot_core::Env;
use backlot_core::env::Phase;
use backlot_testkit::http::{ask, get as fetch};
use http::Method;
use std::time::Duration;
use tonic::Code;

async fn two(first: Does) -> ([Instance; 2], Vec<String>) {
    let instances = [Instance::doing(first), Instance::default()];
    let addresses = vec![instances[0].serve().await, instances[1].serve().await];
    (instances, addresses)
}

#[test]
fn none_changes_more_than_ten_lines_of_a_plain_program() {
    for (name, text) in [
        ("balancing", include_str!("../../examples/balancing.rs")),
        ("deadlines", include_str!("../../examples/deadlines.rs")),
        ("drain", include_str!("../../examples/drain.rs")),
        ("ejection", include_str!("../../examples/ejection.rs")),
        ("retries", include_str!("../../examples/retries.rs")),
    ] {
        let is_new = |line: &&str| line.contains("// new") || line.contains("// instead of");
        let lines = text.lines().filter(is_new).count();
        assert!((1..=10).contains(&lines), "{name}: {lines} lines");
    }
}

#[tokio::test]
async fn retries_reach_the_instance_that_is_well() {
    let (instances, addresses) = two(Does::Fails(Code::Unavailable)).await;
    assert_eq!(retries::ask(addresses, 10).await.unwrap(), 10);
    assert_eq!(instances[1].asked(), 10);
}

#[tokio::test]
async fn calls_go_round_all_instances() {
    let (instances, addresses) = two(Does::Answers).await;
    balancing::ask(addresses, 20).await.unwrap();
    let asked = [instances[0].asked(), instances[1].asked()];
    // The second may have been connected to a little later.
    assert!(asked.iter().all(|asked| *asked >= 5), "{asked:?}");
}

#[tokio::test]
async fn a_sick_instance_is_left_alone() {
    let (instances, addresses) = two(Does::Fails(Code::Internal)).await;
    let sick = addresses[0].clone();
    let (failed, states) = ejection::ask(addresses, 100).await;
    assert_eq!(failed, instances[0].asked());
    assert!(failed <= 10, "{failed}");
    let ejected: Vec<_> = states
        .iter()
        .filter(|(address, state)| *address == sick && state == "ejected")
        .collect();
    assert!(ejected.len() == 1 || failed < 5, "{states:?}");
}

/// A server of this example on loopback; where.
async fn deadlines_on_loopback() -> String {
    let env = Env::real();
    let listener = env.net.bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = deadlines::server().prepare().unwrap();
    backlot_service::Tasks::new(&env).spawn_endless("deadlines", async move {
        server.run(listener, &Env::real()).await;
    });
    address
}

#[tokio::test]
async fn deadlines_hold_for_pages() {
    let address = deadlines_on_loopback().await;
    let page = fetch(&address, "/").await.unwrap();
    assert_eq!(
        (page.text(), page.header("content-length")),
        ("hello".into(), "5")
    );
    for (timeout, status) in [("100", 504), ("0", 504), ("soon", 400)] {
        let headers = [("x-request-timeout-ms", timeout)];
        let answer = ask(&address, Method::GET, "/slow", &headers, "")
            .await
            .unwrap();
        assert_eq!(answer.status.as_u16(), status, "{timeout}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn deadlines_hold_for_calls() {
    use backlot_rpc::{Caller, Channel};
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    let address = deadlines_on_loopback().await;
    let env = Env::real();
    let caller = Caller::new(
        &backlot_service::Metrics::new(),
        &env,
        &backlot_service::Tasks::new(&env),
    );
    let mut client = HealthClient::new(Channel::to("plain", [address], &caller));
    let answer = client.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status, 1);
    let mut request = tonic::Request::new(HealthCheckRequest::default());
    request.set_timeout(Duration::from_millis(200));
    // A watch has no end of its own.
    let mut stream = client.watch(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    assert_eq!(
        stream.message().await.unwrap_err().code(),
        Code::DeadlineExceeded
    );
}

#[tokio::test]
async fn a_drain_answers_what_was_asked() {
    let env = Env::real();
    let listener = env.net.bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let shutdown = env.shutdown.clone();
    let router = axum::Router::new().route(
        "/",
        get(move || async move {
            // From now on it ends.
            shutdown.advance(Phase::Draining);
            tokio::time::sleep(Duration::from_millis(200)).await;
            "answered"
        }),
    );
    let asking = fetch(&address, "/");
    let (outcome, answer) = tokio::join!(drain::serve(router, listener, &env), asking);
    let outcome = outcome.unwrap();
    assert_eq!(answer.unwrap().text(), "answered");
    assert_eq!(outcome.cut, 0);
}
