//! Clients that tonic generated, over our way to instances.

use crate::plain::{Does, Instance};
use backlot_core::Env;
use backlot_rpc::{Caller, Channel};
use backlot_service::{Metrics, Tasks};
use std::time::Duration;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

async fn client(instances: &[&Instance]) -> HealthClient<Channel> {
    let env = Env::real();
    let caller = Caller::new(&Metrics::new(), &env, &Tasks::new(&env));
    let mut addresses = Vec::new();
    for instance in instances {
        addresses.push(instance.serve().await);
    }
    HealthClient::new(Channel::to("plain", addresses, &caller).patience(Duration::from_secs(1)))
}

fn asking() -> HealthCheckRequest {
    HealthCheckRequest::default()
}

#[tokio::test]
async fn what_a_service_says_of_a_failure_comes_as_it_is() {
    let instance = Instance::doing(Does::Fails(Code::FailedPrecondition));
    let mut client = client(&[&instance]).await;
    let status = client.check(asking()).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.message(), "as told");
    assert_eq!(status.details(), [1, 2, 3]);
    assert_eq!(status.metadata().get("x-own").unwrap(), "word");
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_or_when_nobody_begins_to_answer() {
    let slow = Instance::doing(Does::Takes(Duration::from_secs(60)));
    let mut client = client(&[&slow]).await;
    let mut timed = Request::new(asking());
    timed.set_timeout(Duration::from_millis(100));
    for request in [timed, Request::new(asking())] {
        let status = client.check(request).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }
}

#[tokio::test]
async fn a_stream_goes_on_until_its_deadline() {
    let instance = Instance::default();
    let mut client = client(&[&instance]).await;
    let mut request = Request::new(asking());
    request.set_timeout(Duration::from_millis(300));
    let mut stream = client.watch(request).await.unwrap().into_inner();
    let (mut seen, mut end) = (0, None);
    while end.is_none() {
        match stream.message().await {
            Ok(Some(message)) => {
                assert_eq!(message.status, seen);
                seen += 1;
            }
            Ok(None) => panic!("it has no end of its own"),
            Err(status) => end = Some(status.code()),
        }
    }
    assert_eq!(end, Some(Code::DeadlineExceeded));
    assert!(seen > 3, "{seen}");
    // One without goes on for longer than it may take to begin.
    let mut stream = client.watch(asking()).await.unwrap().into_inner();
    for _ in 0..70 {
        assert!(stream.message().await.unwrap().is_some());
    }
}

#[tokio::test]
async fn what_may_not_be_repeated_is_not() {
    let sick = Instance::doing(Does::Fails(Code::Unavailable));
    let mut client = client(&[&sick]).await;
    client.check(asking()).await.unwrap_err();
    assert_eq!(sick.asked(), 1);
}

#[tokio::test]
async fn descriptors_say_what_may_be_repeated() {
    let sick = Instance::doing(Does::Fails(Code::Unavailable));
    let env = Env::real();
    let caller = Caller::new(&Metrics::new(), &env, &Tasks::new(&env));
    let channel = Channel::to("plain", [sick.serve().await], &caller);
    let error = channel.clone().described_by(b"no descriptors").unwrap_err();
    assert_eq!(error.code(), backlot_core::Code::InvalidArgument);
    drop(error);
    let channel = Channel::to("plain", [sick.serve().await], &caller);
    let channel = channel
        .described_by(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .unwrap();
    let mut client = HealthClient::new(channel);
    client.check(asking()).await.unwrap_err();
    assert_eq!(sick.asked(), 1, "that contract promises nothing");
}
