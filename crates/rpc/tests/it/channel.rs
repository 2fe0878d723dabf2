//! Clients that tonic generated, over our way to instances.

use crate::plain::{Does, Instance};
use backlot_core::Env;
use backlot_rpc::{Caller, Channel, Edge, Server};
use backlot_service::health::Health;
use backlot_service::{Metrics, Tasks};
use prost::Message;
use prost_types::FileDescriptorSet;
use prost_types::method_options::IdempotencyLevel;
use std::time::Duration;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

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
async fn a_request_that_its_sender_cannot_finish_ends_the_call_with_that() {
    let instance = Instance::default();
    let client = client(&[&instance]).await;
    let request = HealthCheckRequest {
        service: "x".repeat(200_000),
    };
    // One message may be as large as the sender says: what is larger it does not send.
    let mut bounded = client.clone().max_encoding_message_size(1000);
    let status = bounded.check(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert_eq!(instance.asked(), 0);
    let mut free = client.clone();
    free.check(request).await.unwrap();
    assert_eq!(instance.asked(), 1);
}

/// Asks which services there are.
fn which() -> ServerReflectionRequest {
    ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    }
}

#[tokio::test]
async fn requests_and_answers_may_take_turns() {
    let env = Env::real();
    let listener = env.net.bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = Server::new(Edge::anonymous(), Health::new()).reflection(true);
    let server = server.prepare().unwrap();
    let (tasks, serving) = (Tasks::new(&env), env.clone());
    tasks.spawn_endless("server", async move {
        server.run(listener, &serving).await;
    });
    let caller = Caller::new(&Metrics::new(), &env, &tasks);
    let channel = Channel::to("plain", [address], &caller);
    let mut client = ServerReflectionClient::new(channel);
    let (ask, asked) = tokio::sync::mpsc::channel(1);
    ask.send(which()).await.unwrap();
    let requests = futures_util::stream::unfold(asked, |mut asked| async {
        asked.recv().await.map(|request| (request, asked))
    });
    let mut answers = client
        .server_reflection_info(requests)
        .await
        .unwrap()
        .into_inner();
    for _ in 0..3 {
        assert!(answers.message().await.unwrap().is_some());
        ask.send(which()).await.unwrap();
    }
    assert!(answers.message().await.unwrap().is_some());
    // Who has asked all is answered to the end.
    drop(ask);
    assert_eq!(answers.message().await.unwrap(), None);
    // All is asked before anything is answered.
    let requests = futures_util::stream::unfold(0, |number| async move {
        tokio::task::yield_now().await;
        (number < 5).then(|| (which(), number + 1))
    });
    let mut answers = client
        .server_reflection_info(requests)
        .await
        .unwrap()
        .into_inner();
    for _ in 0..5 {
        assert!(answers.message().await.unwrap().is_some());
    }
    assert_eq!(answers.message().await.unwrap(), None);
}

#[tokio::test]
async fn an_instance_that_fails_after_it_began_is_left_alone_as_well() {
    let late = Instance::doing(Does::FailsLate(Code::Unavailable));
    let env = Env::real();
    let caller = Caller::new(&Metrics::new(), &env, &Tasks::new(&env));
    let other = Instance::default();
    let both = Channel::to("both", [late.serve().await, other.serve().await], &caller);
    let mut client = HealthClient::new(both);
    for _ in 0..200 {
        // Whatever comes of it.
        if let Ok(answer) = client.watch(asking()).await {
            drop(answer.into_inner().message().await);
        }
    }
    assert_eq!(late.asked() + other.asked(), 200);
    assert!(late.asked() <= 40, "{}", late.asked());
}

#[tokio::test]
async fn what_may_not_be_repeated_is_not() {
    let sick = Instance::doing(Does::Fails(Code::Unavailable));
    let mut client = client(&[&sick]).await;
    client.check(asking()).await.unwrap_err();
    assert_eq!(sick.asked(), 1);
}

/// The contract, with a promise for its first method.
fn promising(level: IdempotencyLevel) -> Vec<u8> {
    let mut set = FileDescriptorSet::decode(tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap();
    let method = &mut set.file[0].service[0].method[0];
    assert_eq!(method.name(), "Check");
    method
        .options
        .get_or_insert_default()
        .set_idempotency_level(level);
    set.encode_to_vec()
}

#[tokio::test]
async fn descriptors_say_what_may_be_repeated() {
    let sick = Instance::doing(Does::Fails(Code::Unavailable));
    let env = Env::real();
    let caller = Caller::new(&Metrics::new(), &env, &Tasks::new(&env));
    // One that others have as well may be described.
    let shared = Channel::to("plain", [sick.serve().await], &caller);
    let error = shared.clone().described_by(b"no descriptors").unwrap_err();
    assert_eq!(error.code(), backlot_core::Code::InvalidArgument);
    for (level, attempts) in [
        (IdempotencyLevel::NoSideEffects, 3),
        (IdempotencyLevel::Idempotent, 3),
        (IdempotencyLevel::IdempotencyUnknown, 1),
    ] {
        let before = sick.asked();
        let channel = shared.clone().described_by(&promising(level)).unwrap();
        HealthClient::new(channel)
            .check(asking())
            .await
            .unwrap_err();
        assert_eq!(sick.asked() - before, attempts, "{level:?}");
    }
}
