//! What cannot be is refused, naming what it was and what to do.

use crate::site::{GROUP, Site};

#[tokio::test]
async fn a_mistake_is_answered_with_its_field_its_value_and_its_cure() {
    let site = Site::with_letters(2).await;
    let mut broker = site.broker().await;
    let id = "orders.billing.dlq/0/0";
    for (arguments, says) in [
        (
            &["dead", "list", "biling"][..],
            ["group", "\"biling\"", "billing"],
        ),
        (
            &["dead", "redrive", "biling", "--dry-run"],
            ["group", "\"biling\"", "billing"],
        ),
        (
            &["dead", "redrive", GROUP, "other", "--dry-run"],
            ["group", "billing, other", "name one"],
        ),
        (
            &["dead", "list", GROUP, "--class", "crashed"],
            ["class", "crashed", "crash-loop"],
        ),
        (
            &["dead", "list", GROUP, "--status", "gone"],
            ["status", "gone", "waiting or redriven"],
        ),
        (
            &["dead", "list", GROUP, "--since", "yesterday"],
            ["since", "yesterday", "2d"],
        ),
        (
            &["dead", "list", GROUP, "--limit", "0"],
            ["page.size", "\"0\"", "1 to 1,000"],
        ),
        (
            &["dead", "list", GROUP, "--after", "x"],
            ["page.after", "\"x\"", "page before"],
        ),
        (
            &["dead", "show", "17"],
            ["id", "\"17\"", "topic, partition and offset"],
        ),
        (
            &["dead", "show", "orders.billing.dlq/0/99"],
            ["no dead letter", "0/99", "purged"],
        ),
        (
            &["dead", "edit", id, "/nowhere/at/all"],
            ["file", "/nowhere/at/all", "'-'"],
        ),
        (
            &["dead", "redrive", id, "--class", "panic", "-y"],
            ["ids", "--class", "leave them out"],
        ),
        (
            &["dead", "redrive", GROUP, "--per-second", "0", "-y"],
            ["per_second", "0", "at least 1"],
        ),
        (
            &["dead", "redrive", "orders.billing.dlq/0/99", "-y"],
            ["no dead letter", "0/99", "purged"],
        ),
        (
            &["dead", "purge", id, "--status", "waiting", "-y"],
            ["status", "waiting", "leave it out"],
        ),
        (
            &["lag", "oders"],
            ["no topic", "\"oders\"", "correct its name"],
        ),
    ] {
        let told = site.refusal(arguments).await;
        for part in says {
            assert!(
                told.contains(part),
                "{arguments:?}: {part:?} is not in {told}"
            );
        }
    }
    broker.terminate();
    assert_eq!(broker.exit_code().await, 0, "{}", broker.said());
}

#[tokio::test]
async fn a_payload_that_no_message_can_have_is_refused_and_changes_nothing() {
    let site = Site::with_letters(1).await;
    let id = "orders.billing.dlq/0/0";
    let mut edit = site.backlot(&["dead", "edit", id, "-"]).start();
    edit.write_input(&vec![b'x'; 512 * 1024 + 1]).await;
    assert_eq!(edit.exit_code().await, 1, "{}", edit.said());
    assert!(edit.err().contains("524288 bytes"), "{}", edit.err());
    let letter = site.json(&["dead", "show", id]).await;
    assert_eq!(letter["letter"]["edits"], serde_json::json!([]));
}

#[tokio::test]
async fn whoever_finds_no_broker_or_no_way_in_is_told_where_it_was_looked_for() {
    let site = Site::with_letters(1).await;
    let away = site.refusal(&["dead", "--token", "x"]).await;
    assert!(
        away.contains("no broker answers") && away.contains("--token"),
        "{away}"
    );
    let mut broker = site.broker().await;
    let stranger = Site::new();
    let none = stranger.refusal(&["dead"]).await;
    assert!(
        none.contains("broker.db") && none.contains("--data"),
        "{none}"
    );
    assert!(!stranger.file("broker.db").exists(), "to look makes no log");
    let at = format!("registry.services.broker=[\"{}\"]", site.address());
    let told = stranger.refusal(&["dead", "--set", &at]).await;
    assert!(
        told.contains("broker.key") && told.contains("--data"),
        "{told}"
    );
    let told = stranger
        .refusal(&["dead", "--token", "x", "--set", &at])
        .await;
    assert!(told.contains("--token"), "{told}");
    broker.terminate();
    assert_eq!(broker.exit_code().await, 0, "{}", broker.said());
}
