//! Endpoints as operators make, change and remove them.

use crate::endpoint::Endpoint;
use crate::stage::{Stage, TOPIC, asking, cx};
use backlot_core::{Code, Context, Idempotency};
use backlot_webhooks::contract::webhooks::v1 as proto;
use std::sync::Arc;

#[tokio::test]
async fn an_endpoint_is_made_changed_listed_and_removed() {
    let endpoint = Endpoint::start(None).await;
    let mut stage = Stage::allowing(endpoint.port).await;
    let made = stage.put("shop", &endpoint.url("/one")).await;
    assert!(made.secret.starts_with("whsec_"));
    let webhook = made.webhook.unwrap();
    assert_eq!(
        (webhook.concurrency, webhook.attempts, webhook.timeout_ms),
        (8, 12, 15_000)
    );
    let changed = stage.put("shop", &endpoint.url("/two")).await;
    assert_eq!(changed.secret, "", "a secret is told once");
    stage.restart().await;
    stage.publish([1]).await;
    endpoint.received_by("/two", 1).await;
    assert!(endpoint.received("/one").is_empty());
    let listed = stage
        .client
        .list_webhooks(&cx(), proto::ListWebhooksRequest {})
        .await;
    let names: Vec<_> = listed
        .unwrap()
        .webhooks
        .into_iter()
        .map(|it| it.name)
        .collect();
    assert_eq!(names, ["shop"]);

    let name = || "shop".to_owned();
    let delete = || proto::DeleteWebhookRequest { name: name() };
    stage.client.delete_webhook(&cx(), delete()).await.unwrap();
    let again = stage
        .client
        .delete_webhook(&cx(), delete())
        .await
        .unwrap_err();
    assert_eq!(again.code(), Code::NotFound);
    backlot_testkit::wait_until("nobody reads for it", async || {
        let report = stage
            .log()
            .inspect(&cx(), TOPIC, Some("webhook.shop"))
            .await;
        match report.unwrap().groups[0].members.len() {
            0 => Ok(()),
            some => Err(some.to_string()),
        }
    })
    .await;
    // Another of its name goes on where it was.
    stage.publish([2]).await;
    stage.put("shop", &endpoint.url("/three")).await;
    let received = endpoint.received_by("/three", 1).await;
    assert_eq!(received[0].header("ce-id"), "order-2");
    stage.stop().await;
}

#[tokio::test]
async fn a_put_repeated_under_its_key_changes_nothing_and_tells_the_secret_again() {
    let endpoint = Endpoint::start(None).await;
    let stage = Stage::allowing(endpoint.port).await;
    let key = Idempotency::parse("5bd3e7b2-6c6e-4a4e-9f0c-0d7f3c1a9e11").unwrap();
    let key = cx().with_idempotency(Some(Arc::new(key)));
    let put = async || {
        let request = asking("shop", &endpoint.url("/one"));
        stage.client.put_webhook(&key, request).await.unwrap()
    };
    let made = put().await;
    assert_eq!(put().await, made, "as if the first answer had come");
    // Until something else happens to it.
    stage.put("shop", &endpoint.url("/two")).await;
    let after = put().await;
    assert_eq!(after.secret, "");
    assert_eq!(after.webhook.unwrap().url, endpoint.url("/two"));
    // One that was made again under its name is another, with a secret of its own.
    let delete = proto::DeleteWebhookRequest {
        name: "shop".to_owned(),
    };
    stage.client.delete_webhook(&cx(), delete).await.unwrap();
    assert_ne!(stage.put("shop", &endpoint.url("/one")).await.secret, "");
    assert_eq!(put().await.secret, "");
    stage.stop().await;
}

#[tokio::test]
async fn one_that_is_made_again_under_its_name_is_another() {
    let endpoint = Endpoint::start(None).await;
    let stage = Stage::allowing(endpoint.port).await;
    let old = stage.put("shop", &endpoint.url("/old")).await.secret;
    stage.publish([1]).await;
    endpoint.received_by("/old", 1).await;
    let name = "shop".to_owned();
    let delete = proto::DeleteWebhookRequest { name };
    // Nobody looks in between.
    stage.client.delete_webhook(&cx(), delete).await.unwrap();
    let new = stage.put("shop", &endpoint.url("/new")).await.secret;
    assert!(new.starts_with("whsec_") && new != old);
    stage.publish([2]).await;
    let received = endpoint.received_by("/new", 1).await;
    assert_eq!(received[0].header("ce-id"), "order-2");
    assert_eq!(endpoint.received("/old").len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_field() {
    let stage = Stage::start(&[]).await;
    let good = "https://example.com/hook";
    let put = async |request| stage.client.put_webhook(&cx(), request).await.unwrap_err();
    for (name, url, field) in [
        ("", good, "name"),
        ("a.b", good, "name"),
        ("shop", "", "url"),
        ("shop", "http://example.com/", "url"),
        ("shop", "https://example.com:22/", "url"),
        ("shop", "https://10.0.0.1/", "url"),
        ("shop", "https://user@example.com/", "url"),
    ] {
        let refused = put(asking(name, url)).await;
        assert_eq!(refused.code(), Code::InvalidArgument, "{name} {url}");
        assert_eq!(refused.violations()[0].field, field, "{refused}");
    }
    let unknown = proto::PutWebhookRequest {
        topic: "ordres".to_owned(),
        ..asking("shop", good)
    };
    let refused = put(unknown).await;
    assert_eq!(refused.code(), Code::NotFound);
    assert!(refused.message().contains("ordres"), "{refused}");
    let get = proto::GetWebhookRequest {
        name: "shop".to_owned(),
    };
    let refused = stage.client.get_webhook(&cx(), get).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    stage.put("shop", good).await;
    let spec = backlot_messaging::engine::TopicSpec::new("other", 1);
    stage.log().ensure(&cx(), &spec).await.unwrap();
    let other = proto::PutWebhookRequest {
        topic: "other".to_owned(),
        ..asking("shop", good)
    };
    assert_eq!(put(other).await.code(), Code::FailedPrecondition);
    stage.stop().await;
}

#[tokio::test]
async fn only_operators_manage_endpoints() {
    let stage = Stage::start(&[]).await;
    let nobody = Context::background();
    let refused = stage
        .client
        .list_webhooks(&nobody, proto::ListWebhooksRequest {})
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    let put = asking("shop", "https://example.com/");
    let refused = stage.client.put_webhook(&nobody, put).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    stage.stop().await;
}
