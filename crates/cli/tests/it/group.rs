//! `backlot group`: readers stopped, resumed, moved and removed, while a broker runs and while none
//! does.

use crate::site::{GROUP, Site, TOPIC};
use serde_json::json;

#[tokio::test]
async fn a_group_is_stopped_moved_resumed_and_removed() {
    let site = Site::with_orders(5).await;
    let paused = site.json(&["group", "pause", TOPIC, GROUP]).await;
    assert_eq!(
        (&paused["done"], &paused["paused"], &paused["lag"]),
        (&json!("paused"), &json!(true), &json!(5))
    );
    let mut broker = site.broker().await;
    let lag = site.answer(&["lag", TOPIC]).await;
    assert!(lag.contains("paused"), "{lag}");
    for (to, left) in [("0/3", 2), ("newest", 0), ("2h", 5), ("oldest", 5)] {
        let moved = site.json(&["group", "seek", TOPIC, GROUP, to, "-y"]).await;
        assert_eq!(
            (&moved["done"], &moved["lag"]),
            (&json!("moved"), &json!(left)),
            "{to}"
        );
    }
    let resumed = site.answer(&["group", "resume", TOPIC, GROUP]).await;
    assert_eq!(resumed, "billing of orders resumed: 5 messages before it\n");
    let removed = site.json(&["group", "forget", TOPIC, GROUP, "--yes"]).await;
    assert_eq!(removed["done"], json!("removed"));
    let lag = site.json(&["lag", TOPIC]).await;
    assert_eq!(lag["groups"], json!([]));
    broker.terminate();
    assert_eq!(broker.exit_code().await, 0, "{}", broker.said());
}

#[tokio::test]
async fn each_change_is_noted_also_where_no_broker_runs_to_do_so() {
    let site = Site::with_orders(1).await;
    for (arguments, noted) in [
        (&["group", "pause", TOPIC, GROUP][..], "pause by"),
        (&["group", "resume", TOPIC, GROUP], "resume by"),
        (&["group", "seek", TOPIC, GROUP, "newest", "-y"], "seek by"),
        (&["group", "forget", TOPIC, GROUP, "--yes"], "forget by"),
    ] {
        let ended = site.backlot(arguments).run().await;
        let lines = ended.err.lines().filter(|line| line.contains(noted));
        assert_eq!(lines.count(), 1, "{}", ended.err);
        assert!(ended.err.contains("orders billing"), "{}", ended.err);
    }
}

#[tokio::test]
async fn what_moves_or_removes_a_group_is_agreed_to_first() {
    let site = Site::with_orders(2).await;
    for arguments in [
        &["group", "seek", TOPIC, GROUP, "newest"][..],
        &["group", "forget", TOPIC, GROUP],
    ] {
        let told = site.refusal(arguments).await;
        assert!(
            told.contains("2 messages") && told.contains("--yes"),
            "{told}"
        );
    }
    for (arguments, says) in [
        (
            &["group", "pause", TOPIC, "biling"][..],
            ["\"biling\"", "group"],
        ),
        (&["group", "pause", "oders", GROUP], ["\"oders\"", "topic"]),
        (
            &["group", "seek", TOPIC, GROUP, "7/0", "-y"],
            ["partition", "7"],
        ),
        (
            &["group", "seek", TOPIC, GROUP, "soon", "-y"],
            ["to", "\"soon\""],
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
    let lag = site.json(&["lag", TOPIC]).await;
    assert_eq!(lag["groups"][0]["lag"], json!(2), "nothing was done");
}
