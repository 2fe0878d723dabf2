//! What is sent, and what becomes of it by what is answered.

use crate::endpoint::{Endpoint, Received, Reply};
use crate::stage::{Stage, TOPIC, cx};
use backlot_messaging::Record;
use backlot_messaging::engine::Outgoing;
use backlot_webhooks::contract::webhooks::v1 as proto;
use std::collections::BTreeSet;

fn verifies(secret: &str, received: &Received) -> bool {
    let theirs = standardwebhooks::Webhook::new(secret).unwrap();
    theirs.verify(&received.body, &received.headers).is_ok()
}

fn at_once(status: u16) -> Reply {
    (status, vec![("retry-after", "0".to_owned())])
}

#[tokio::test]
async fn a_message_is_pushed_with_its_attributes_and_a_signature_that_others_verify() {
    let endpoint = Endpoint::start(None).await;
    let stage = Stage::allowing(endpoint.port).await;
    stage.publish([0]).await;
    let secret = stage.put("shop", &endpoint.url("/hook?a=b")).await.secret;
    stage.publish(1..=3).await;
    let received = endpoint.received_by("/hook?a=b", 3).await;
    let bodies: BTreeSet<_> = received.iter().map(|it| it.body.clone()).collect();
    let expected = (1..=3).map(|number| format!("{{\"order\":{number}}}").into());
    assert_eq!(
        bodies,
        expected.collect(),
        "what was there before is not sent"
    );
    let ids: BTreeSet<_> = received.iter().map(|it| it.header("webhook-id")).collect();
    assert_eq!(ids.len(), 3);
    let first = received
        .iter()
        .find(|it| it.header("ce-id") == "order-1")
        .unwrap();
    assert_eq!(first.header("ce-source"), "shop");
    assert!(first.header("ce-type").contains("OrderPlaced"), "{first:?}");
    assert_eq!(first.header("content-type"), "application/json");
    assert!(received.iter().all(|it| verifies(&secret, it)));
    let mut other = first.clone();
    other.body = "{\"order\":2}".into();
    assert!(!verifies(&secret, &other));
    stage.stop().await;
}

#[tokio::test]
async fn the_secret_before_signs_too_for_a_while_after_a_rotation() {
    let endpoint = Endpoint::start(None).await;
    let stage = Stage::allowing(endpoint.port).await;
    let old = stage.put("shop", &endpoint.url("/")).await.secret;
    let rotate = async |keep_ms| {
        let request = proto::RotateSecretRequest {
            name: "shop".to_owned(),
            keep_ms,
        };
        stage
            .client
            .rotate_secret(&cx(), request)
            .await
            .unwrap()
            .secret
    };
    let new = rotate(None).await;
    stage.publish([1]).await;
    let received = endpoint.received_by("/", 1).await;
    assert!(verifies(&old, &received[0]) && verifies(&new, &received[0]));
    // Whatever is published after a rotation is signed as it says.
    let mut before = new;
    for number in 2..12 {
        let newest = rotate(Some(0)).await;
        stage.publish([number]).await;
        let received = endpoint.received_by("/", number as usize).await;
        let last = received.last().unwrap();
        assert!(verifies(&newest, last), "message {number}");
        assert!(!verifies(&before, last) && !verifies(&old, last));
        before = newest;
    }
    stage.stop().await;
}

#[tokio::test]
async fn what_is_not_taken_comes_again_under_the_same_id_when_the_endpoint_says() {
    let endpoint = Endpoint::start(None).await;
    let stage = Stage::allowing(endpoint.port).await;
    stage.put("shop", &endpoint.url("/")).await;
    endpoint.answers("/", [at_once(503), at_once(429), (200, Vec::new())]);
    stage.publish([1]).await;
    let received = endpoint.received_by("/", 3).await;
    let ids: BTreeSet<_> = received.iter().map(|it| it.header("webhook-id")).collect();
    assert_eq!(ids.len(), 1);
    assert!(stage.letters("shop").await.is_empty());
    stage.stop().await;
}

#[tokio::test]
async fn what_is_never_taken_ends_in_the_dead_letters_of_its_endpoint_and_holds_up_no_other() {
    let endpoint = Endpoint::start(None).await;
    let stage = Stage::allowing(endpoint.port).await;
    let twice = |request: &mut proto::PutWebhookRequest| request.attempts = 2;
    stage.put_with("bad", &endpoint.url("/bad"), twice).await;
    stage.put("good", &endpoint.url("/good")).await;
    // Redirects lead nobody anywhere.
    let moved = (
        503,
        vec![
            ("retry-after", "0".to_owned()),
            ("location", "/good".to_owned()),
        ],
    );
    let found = (302, vec![("location", endpoint.url("/good"))]);
    endpoint.answers("/bad", [moved, found]);
    stage.publish([1]).await;
    endpoint.received_by("/good", 1).await;
    let letter = stage.letter("bad").await;
    assert_eq!(letter.message, "order-1");
    assert!(
        letter.error.contains("302 Found: as you wish"),
        "{}",
        letter.error
    );
    assert_eq!(endpoint.received("/bad").len(), 2);
    assert_eq!(endpoint.received("/good").len(), 1);
    assert!(stage.letters("good").await.is_empty());
    stage.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_left_alone_until_it_is_enabled() {
    let endpoint = Endpoint::start(None).await;
    let mut stage = Stage::allowing(endpoint.port).await;
    stage.put("shop", &endpoint.url("/")).await;
    endpoint.answers("/", [(410, Vec::new())]);
    stage.publish([1]).await;
    let disabled = backlot_testkit::wait_until("it is disabled", async || {
        let webhook = stage.get("shop").await;
        webhook
            .disabled_at
            .map(|_| webhook.disabled.clone())
            .ok_or("enabled".to_owned())
    })
    .await;
    assert!(disabled.contains("410 Gone"), "{disabled}");
    stage.publish([2]).await;
    stage.restart().await;
    assert_eq!(endpoint.received("/").len(), 1);
    let name = "shop".to_owned();
    let enable = proto::EnableWebhookRequest { name };
    stage.client.enable_webhook(&cx(), enable).await.unwrap();
    let received = endpoint.received_by("/", 3).await;
    let orders: BTreeSet<_> = received[1..].iter().map(|it| it.header("ce-id")).collect();
    assert_eq!(orders, ["order-1", "order-2"].into());
    assert!(stage.letters("shop").await.is_empty());
    stage.stop().await;
}

#[tokio::test]
async fn no_more_are_sent_at_once_than_the_endpoint_takes() {
    let endpoint = Endpoint::start(None).await;
    let stage = Stage::allowing(endpoint.port).await;
    let two = |request: &mut proto::PutWebhookRequest| request.concurrency = 2;
    stage.put_with("shop", &endpoint.url("/held"), two).await;
    stage.publish(0..12).await;
    endpoint.received_by("/held", 2).await;
    for answered in 1..=12 {
        endpoint.release(1);
        endpoint.received_by("/held", (answered + 2).min(12)).await;
    }
    assert_eq!(endpoint.most_at_once("/held"), 2);
    assert!(endpoint.connections() <= 3, "{}", endpoint.connections());
    stage.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_has_so_long_and_no_longer() {
    let endpoint = Endpoint::start(None).await;
    let stage = Stage::allowing(endpoint.port).await;
    stage
        .put_with("slow", &endpoint.url("/held"), |request| {
            request.attempts = 1;
            request.timeout_ms = 50;
        })
        .await;
    stage.publish([1]).await;
    let letter = stage.letter("slow").await;
    assert!(
        letter.error.contains("did not answer within 50ms"),
        "{}",
        letter.error
    );
    stage.stop().await;
}

#[tokio::test]
async fn messages_of_a_key_go_one_after_the_other_if_that_is_asked_for() {
    let endpoint = Endpoint::start(None).await;
    let stage = Stage::allowing(endpoint.port).await;
    stage
        .put_with("shop", &endpoint.url("/"), |request| request.ordered = true)
        .await;
    endpoint.answers("/", [at_once(503), at_once(503)]);
    for _ in 0..4 {
        stage.publish([7]).await;
    }
    let received = endpoint.received_by("/", 6).await;
    // The first is tried until it is taken, before any other.
    let ids: Vec<_> = received
        .iter()
        .map(|it| it.header("ce-id").to_owned())
        .collect();
    assert_eq!(ids, vec!["order-7"; 6]);
    assert_eq!(endpoint.most_at_once("/"), 1);
    stage.stop().await;
}

#[tokio::test]
async fn headers_of_a_message_are_none_of_the_request() {
    let endpoint = Endpoint::start(None).await;
    let stage = Stage::allowing(endpoint.port).await;
    let secret = stage.put("shop", &endpoint.url("/")).await.secret;
    let record = Record::new("order-1", "OrderPlaced", "shop", "{\"order\":1}")
        .with_header("content-length", "5")
        .with_header("transfer-encoding", "chunked")
        .with_header("authorization", "Bearer ours")
        .with_header("ce-id", "order-2")
        .with_header("webhook-id", "msg_2");
    let log = stage.log();
    log.append(&cx(), vec![Outgoing::new(TOPIC, record)])
        .await
        .unwrap();
    let received = endpoint.received_by("/", 1).await;
    assert!(verifies(&secret, &received[0]), "{received:?}");
    assert_eq!(received[0].header("ce-id"), "order-1");
    assert_eq!(received[0].header("authorization"), "");
    stage.stop().await;
}
