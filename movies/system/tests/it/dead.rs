//! `movies dead` on the running system: with the secret of its data folder, and with a token.

use crate::site::Site;
use serde_json::{Value, json};

async fn token(site: &Site, flags: &[&str]) -> String {
    let ended = site
        .movies(&[&["token", "olga"][..], flags].concat())
        .run()
        .await;
    assert!(ended.status.success(), "{}", ended.err);
    ended.out.trim().to_owned()
}

async fn call(site: &Site, token: &str, method: &str, request: &Value) {
    let method = format!("BrokerService/{method}");
    let call = ["call", &method, "--token", token, &request.to_string()];
    let ended = site.movies(&call).run().await;
    assert!(ended.status.success(), "{method}: {}", ended.err);
}

#[tokio::test]
async fn an_operator_mends_letters_of_the_running_system_from_anywhere() {
    let site = Site::new();
    let running = site.embedded().await;
    let operator = token(&site, &["--operator"]).await;
    for (topic, partitions) in [("orders", 1), ("orders.billing.dlq", 1)] {
        let made = json!({ "topic": topic, "partitions": partitions });
        call(&site, &operator, "EnsureTopic", &made).await;
    }
    let member = json!({ "topic": "orders", "group": "billing", "leaseMs": "1000" });
    call(&site, &operator, "Join", &member).await;
    let letter = json!({ "messages": [{ "topic": "orders.billing.dlq", "record": {
        "id": "m0", "kind": "OrderPlaced", "version": 1, "source": "shop", "payload": "e30=",
        "headers": [
            { "name": "dlq-class", "value": "exhausted" },
            { "name": "dlq-topic", "value": "orders" },
            { "name": "dlq-group", "value": "billing" },
        ],
    } }] });
    call(&site, &operator, "Publish", &letter).await;

    // Somebody elsewhere, who has a token and no data folder.
    let elsewhere = Site::new();
    let at = format!("registry.services.broker=[\"{}\"]", site.address("broker"));
    let dead = async |token: &str, arguments: &[&str]| {
        let way = ["--set", &at, "--token", token, "--json"];
        let all = [&["dead"][..], arguments, &way].concat();
        elsewhere.movies(&all).run().await
    };
    let listed = dead(&operator, &["list", "billing"]).await;
    assert!(listed.status.success(), "{}", listed.err);
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    let id = listed["letters"][0]["id"].as_str().unwrap();
    let file = elsewhere.file("mended.json");
    std::fs::write(&file, r#"{"order":"mended"}"#).unwrap();
    let edited = dead(&operator, &["edit", id, file.to_str().unwrap()]).await;
    assert!(edited.status.success(), "{}", edited.err);
    let shown = dead(&operator, &["show", id]).await;
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["letter"]["edits"][0]["by"], "olga", "{shown}");
    let sent = dead(&operator, &["redrive", "billing", "--yes"]).await;
    let sent: Value = serde_json::from_str(&sent.out).unwrap();
    assert_eq!(sent["moved"], 1);

    let nobody = token(&site, &["--editor"]).await;
    let refused = dead(&nobody, &["list"]).await;
    assert!(!refused.status.success());
    assert!(
        refused.err.contains("use the broker") && refused.err.contains("operator"),
        "{}",
        refused.err
    );

    // Beside the system its secret is enough.
    let ended = site.movies(&["dead", "--json"]).run().await;
    let groups: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(groups["groups"][0]["redriven"], json!({ "exhausted": 1 }));
    let ended = site.movies(&["lag", "orders.billing.retry"]).run().await;
    assert!(ended.out.contains("billing"), "{}{}", ended.out, ended.err);
    drop(running);
}
