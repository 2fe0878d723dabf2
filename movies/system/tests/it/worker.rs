//! The worker in another language, as it lies in examples/, beside the running system.

use crate::site::Site;
use backlot_testkit::http::get;
use backlot_testkit::{Process, Program};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const WORKER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/python-worker/worker.py"
);

fn worker(site: &Site, name: &str) -> Process {
    let (key, out) = (site.file("broker.key"), site.file("changes.jsonl"));
    Program::new("python3")
        .arg(WORKER)
        .args(["--registry", &site.registry(), "--name", name])
        .args(["--batch", "3", "--lease-ms", "2000"])
        .arg("--key-file")
        .arg(key)
        .arg("--out")
        .arg(out)
        .start()
}

/// The effects that were written, and how often each.
fn written(file: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut effects = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let effect = line["effect"].as_str().unwrap().to_owned();
        assert!(line["change"].is_object(), "{line}");
        *effects.entry(effect).or_default() += 1;
    }
    effects
}

/// How many messages of the queue are not done, once somebody pulled from it.
async fn lag(site: &Site) -> Option<u64> {
    let ended = site
        .movies(&["lag", "rating-changes", "--json"])
        .run()
        .await;
    let lag: Value = serde_json::from_str(&ended.out).ok()?;
    let groups = lag["groups"].as_array()?.clone();
    let mine = groups.iter().find(|group| group["group"] == "python")?;
    mine["lag"].as_u64()
}

/// How many workers the registry knows.
async fn announced(site: &Site) -> usize {
    let answer = get(&site.registry(), "/v1/services/python-worker").await;
    let answer = answer.unwrap().json();
    answer["instances"].as_array().unwrap().len()
}

#[tokio::test]
async fn workers_in_python_share_a_queue_and_a_killed_one_loses_and_doubles_nothing() {
    let site = Site::new();
    let mut fleet = site.movies(&["fleet", "--no-sample"]).start();
    fleet
        .wait_until("all services are ready", async || site.all_ready().await)
        .await;
    site.film("m").await;
    let mut workers = vec![worker(&site, "one"), worker(&site, "two")];
    for worker in &mut workers {
        worker
            .wait_for_line("it is up", |line| line.contains("is up at"))
            .await;
    }
    fleet
        .wait_until("both are announced", async || {
            match announced(&site).await {
                2 => Ok(()),
                other => Err(other.to_string()),
            }
        })
        .await;
    let rate = async |from: u32, to: u32| {
        for user in from..to {
            let rated = site.rate(&format!("user-{user}"), "m", 4.0).await.unwrap();
            assert_eq!(rated.status.as_u16(), 200, "{}", rated.text());
        }
    };
    rate(0, 40).await;
    // In the middle of its work, whatever that is just now.
    workers[0].kill().await;
    rate(40, 60).await;
    fleet
        .wait_until("every change is done with", async || {
            match lag(&site).await {
                Some(0) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    let written = written(&site.file("changes.jsonl"));
    assert!(!written.is_empty() && written.len() <= 60, "{written:?}");
    let twice: Vec<_> = written.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    // The last change says how all came to be.
    let text = std::fs::read_to_string(site.file("changes.jsonl")).unwrap();
    assert!(text.contains("\"count\": 60"), "{text}");

    workers[1].terminate();
    assert_eq!(workers[1].exit_code().await, 0, "{}", workers[1].said());
    fleet
        .wait_until("nobody is announced any more", async || {
            match announced(&site).await {
                0 => Ok(()),
                other => Err(other.to_string()),
            }
        })
        .await;
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
}
