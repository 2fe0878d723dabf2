//! Letters found, looked at, mended, sent again and removed.

use crate::site::{GROUP, Site};
use serde_json::json;

/// The whole way of an operator, whoever keeps the log.
async fn way(site: &Site) {
    let overview = site.answer(&["dead"]).await;
    assert!(
        overview.contains("billing") && overview.contains("permanent 3, exhausted 2"),
        "{overview}"
    );
    let groups = site.json(&["dead"]).await;
    let waiting = &groups["groups"][0]["waiting"];
    assert_eq!(waiting, &json!({"permanent": 3, "exhausted": 2}));

    let list = [
        "dead",
        "list",
        GROUP,
        "--class",
        "permanent",
        "--since",
        "1h",
        "--limit",
        "2",
    ];
    let page = site.json(&list).await;
    let messages = |page: &serde_json::Value| {
        let letters = page["letters"].as_array().unwrap().iter();
        letters
            .map(|letter| letter["message"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(messages(&page), ["m0", "m2"]);
    let after = page["next"].as_str().unwrap();
    let rest = [&list[..], &["--after", after]].concat();
    let rest = site.json(&rest).await;
    assert_eq!(
        (messages(&rest), &rest["next"]),
        (vec!["m4".to_owned()], &json!(null))
    );
    let of_key = site
        .json(&["dead", "list", GROUP, "--key", "customer-3"])
        .await;
    assert_eq!(messages(&of_key), ["m3"]);
    let old = site.answer(&["dead", "list", GROUP, "--until", "1h"]).await;
    assert_eq!(old, "no such letters\n");
    let table = site.answer(&["dead", "list"]).await;
    assert!(
        table.starts_with("ID ") && table.contains("orders.billing.dlq/0/1"),
        "{table}"
    );

    let id = page["letters"][0]["id"].as_str().unwrap();
    let shown = site.answer(&["dead", "show", id]).await;
    for part in [
        "first",
        "last",
        "traceparent: 00-1",
        "payload, 11 bytes, text",
        r#"{"order":0}"#,
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let letter = site.json(&["dead", "show", id]).await;
    assert_eq!(
        (&letter["id"], &letter["queue"]),
        (&json!("m0"), &json!("orders"))
    );
    assert_eq!(letter["payload"], json!({"order": 0}));
    assert_eq!(
        letter["letter"]["payload"],
        json!({"text": r#"{"order":0}"#})
    );
    assert_eq!(letter["error"].as_array().unwrap().len(), 2);
    assert_eq!(letter["letter"]["headers"], json!({"traceparent": "00-1"}));

    let mut edit = site.backlot(&["dead", "edit", id, "-"]).start();
    edit.write_input(br#"{"order":"mended"}"#).await;
    assert_eq!(edit.exit_code().await, 0, "{}", edit.said());
    let sent = site.answer(&["dead", "show", id, "--payload"]).await;
    assert_eq!(sent.trim_end(), r#"{"order":"mended"}"#);

    let tried = site.json(&["dead", "redrive", GROUP, "--dry-run"]).await;
    assert_eq!(
        (&tried["matching"], &tried["dryRun"]),
        (&json!(5), &json!(true))
    );
    assert_eq!(site.json(&["dead"]).await, groups, "nothing happened");
    let asked = site.refusal(&["dead", "redrive", GROUP]).await;
    assert!(
        asked.contains("5 letters") && asked.contains("--yes"),
        "{asked}"
    );
    let one = site.json(&["dead", "redrive", id, "--yes"]).await;
    assert_eq!((&one["moved"], &one["ended"]), (&json!(1), &json!("done")));
    let again = site.json(&["dead", "redrive", id, "--yes"]).await;
    assert_eq!((&again["moved"], &again["passed"]), (&json!(0), &json!(1)));
    let permanent = [
        "dead",
        "redrive",
        GROUP,
        "--class",
        "permanent",
        "--per-second",
        "1000",
        "-y",
    ];
    assert_eq!(site.answer(&permanent).await, "2 letters sent again\n");
    let lag = site.json(&["lag", "orders.billing.retry"]).await;
    assert_eq!(
        (&lag["groups"][0]["group"], &lag["groups"][0]["lag"]),
        (&json!(GROUP), &json!(3))
    );
    let topics = site.answer(&["topics"]).await;
    assert!(
        topics.contains("orders.billing.retry") && topics.contains("for ever"),
        "{topics}"
    );
    let behind = site.answer(&["lag"]).await;
    assert!(
        behind.contains("LAG") && behind.contains("billing"),
        "{behind}"
    );

    let waiting = ["dead", "purge", GROUP, "--status", "waiting"];
    let tried = site.answer(&[&waiting[..], &["--dry-run"]].concat()).await;
    assert!(tried.starts_with("2 letters would be removed"), "{tried}");
    assert_eq!(
        site.answer(&[&waiting[..], &["--yes"]].concat()).await,
        "2 letters removed\n"
    );
    let left = site.json(&["dead"]).await;
    let left = &left["groups"][0];
    assert_eq!(
        (&left["waiting"], &left["redriven"]),
        (&json!({}), &json!({"permanent": 3}))
    );
}

#[tokio::test]
async fn letters_of_a_running_broker_are_found_mended_and_sent_again() {
    let site = Site::with_letters(5).await;
    let mut broker = site.broker().await;
    way(&site).await;
    broker.terminate();
    assert_eq!(broker.exit_code().await, 0, "{}", broker.said());
}

#[tokio::test]
async fn letters_of_a_log_that_nobody_serves_are_found_mended_and_sent_again() {
    let site = Site::with_letters(5).await;
    way(&site).await;
}

#[tokio::test]
async fn a_redrive_that_is_interrupted_ends_between_two_slices_and_goes_on_later() {
    let site = Site::with_letters(400).await;
    let mut broker = site.broker().await;
    // One letter a slice: it would take a minute and more.
    let slow = [
        "dead",
        "redrive",
        GROUP,
        "--per-second",
        "4",
        "--yes",
        "--json",
    ];
    let mut redrive = site.backlot(&slow).start();
    let moved = async || {
        let groups = site.json(&["dead"]).await;
        match &groups["groups"][0]["redriven"] {
            none if *none == json!({}) => Err("none is sent yet".to_owned()),
            _ => Ok(()),
        }
    };
    redrive.wait_until("some are sent", moved).await;
    redrive.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(redrive.exit_code().await, 130, "{}", redrive.said());
    let report: serde_json::Value = serde_json::from_str(&redrive.out()).unwrap();
    let sent = report["moved"].as_u64().unwrap();
    assert_eq!(report["ended"], "stopped");
    assert!((1..400).contains(&sent), "{report}");
    let rest = site.json(&["dead", "redrive", GROUP, "--yes"]).await;
    assert_eq!(rest["moved"].as_u64().unwrap() + sent, 400);
    let lag = site.json(&["lag", "orders.billing.retry"]).await;
    assert_eq!(lag["groups"][0]["lag"], 400, "none is sent twice");
    broker.terminate();
    assert_eq!(broker.exit_code().await, 0);
}
