//! Queues over the wire: from other processes of the system, and from programs in any language.

use crate::stage::{Caller, Process, SECRET, TOPIC, cx};
use backlot_broker::Options;
use backlot_broker::contract::broker::v1 as proto;
use backlot_core::{Clock, Code};
use backlot_messaging::pull::{Answer, Ask, Leased, Queues};
use backlot_messaging::{Engine, Error};
use backlot_testkit::http::{Answer as Told, ask};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(15);

async fn process(folder: &tempfile::TempDir) -> Process {
    let file = folder.path().join("broker.db");
    Process::start(&file, "127.0.0.1:0", Clock::real(), Options::default()).await
}

fn asking(worker: &str, max: usize) -> Ask {
    Ask {
        max,
        wait: WAIT,
        ..Ask::new(TOPIC, "g", worker)
    }
}

async fn lag(process: &Process) -> u64 {
    let report = process.log.inspect(&cx(), TOPIC, Some("g")).await.unwrap();
    report.groups[0]
        .partitions
        .iter()
        .map(|part| part.lag)
        .sum()
}

fn answers(leased: &[Leased], answer: &Answer) -> Vec<(backlot_messaging::pull::Lease, Answer)> {
    let leases = leased.iter().map(|leased| leased.lease.clone());
    leases.map(|lease| (lease, answer.clone())).collect()
}

#[tokio::test]
async fn a_queue_of_another_process_is_a_queue() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    let caller = Caller::of(&process.address);
    caller.topic(2).await;
    caller.publish(0..6).await;
    let queues: Arc<dyn Queues> = caller.remote.queues().unwrap();
    let mut leased = Vec::new();
    while leased.len() < 6 {
        leased.extend(queues.pull(&cx(), &asking("w", 10)).await.unwrap());
    }
    let here = process.desk.queues(&cx()).await.unwrap();
    let there = queues.queues(&cx()).await.unwrap();
    assert_eq!(
        (there[0].leased, &there[0].out[0].worker),
        (6, &"w".to_owned())
    );
    assert_eq!(here[0].leased, 6);
    let failed = Answer::Retry {
        after: None,
        failure: Some("not yet".to_owned()),
    };
    let said = [
        Answer::Done,
        Answer::Done,
        Answer::Extend(Duration::from_secs(60)),
        Answer::Reject("it is none".to_owned()),
        failed,
        Answer::Done,
    ];
    let said: Vec<_> = leased
        .iter()
        .zip(&said)
        .flat_map(|(leased, answer)| answers(std::slice::from_ref(leased), answer))
        .collect();
    assert_eq!(queues.answer(&cx(), said.clone()).await.unwrap(), []);
    let again = queues.pull(&cx(), &asking("v", 10)).await.unwrap();
    assert_eq!(again[0].record, leased[4].record);
    assert_eq!(again[0].attempt, 2);
    assert_eq!(again[0].failures[0].message, "not yet");
    let rest = [&again[..1], &leased[2..3]].concat();
    let over = queues.answer(&cx(), answers(&rest, &Answer::Done)).await;
    assert_eq!(over.unwrap(), []);
    assert_eq!(lag(&process).await, 0);
    // Its own lease is over: another attempt had it.
    let late = answers(&leased[4..5], &Answer::Done);
    assert_eq!(queues.answer(&cx(), late).await.unwrap().len(), 1);
    let unknown = queues.pull(&cx(), &Ask::new("nothing", "g", "w")).await;
    assert!(
        matches!(unknown, Err(Error::UnknownTopic { .. })),
        "{unknown:?}"
    );
    process.stop().await;
    let away = queues.pull(&cx(), &asking("w", 1)).await;
    assert!(away.is_err());
}

#[tokio::test]
async fn only_those_who_may_get_messages() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    let caller = Caller::of(&process.address);
    caller.topic(1).await;
    let request = proto::PullRequest {
        topic: TOPIC.into(),
        group: "g".into(),
        worker: "w".into(),
        ..proto::PullRequest::default()
    };
    let refused = caller.queues.pull(&cx(), request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let send = proto::SendRequest::default();
    let refused = caller.queues.send(&cx(), send).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let list = proto::ListQueuesRequest::default();
    let refused = caller.queues.list_queues(&cx(), list).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    process.stop().await;
}

/// A program that speaks HTTP and JSON, and nothing else.
async fn post(process: &Process, path: &str, mut body: Value) -> Told {
    body["secret"] = json!(STANDARD.encode(SECRET));
    let headers = [("content-type", "application/json")];
    let address = &process.address;
    let asked = ask(address, Method::POST, path, &headers, body.to_string());
    asked.await.unwrap()
}

#[tokio::test]
async fn a_program_in_any_language_sends_pulls_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    let unknown = post(
        &process,
        "/v1/queues/events/messages",
        json!({ "messages": [{ "text": "x" }] }),
    );
    let unknown = unknown.await;
    assert_eq!(unknown.status.as_u16(), 404, "{}", unknown.text());
    assert_eq!(unknown.json()["reason"], "UNKNOWN_TOPIC");
    Caller::of(&process.address).topic(1).await;

    let messages = json!({ "messages": [
        { "text": "{\"film\":\"metropolis\"}", "key": "metropolis", "headers": [{ "name": "from", "value": "curl" }] },
        { "payload": STANDARD.encode([0xff, 0x00]), "id": "raw", "dedupe": true },
        { "payload": STANDARD.encode([0xff, 0x00]), "id": "raw", "dedupe": true },
        { "text": "later", "afterMs": "3600000" },
    ] });
    let sent = post(&process, "/v1/queues/events/messages", messages).await;
    assert_eq!(sent.status.as_u16(), 200, "{}", sent.text());
    let sent = sent.json();
    let outcomes: Vec<_> = sent["receipts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|receipt| receipt["outcome"].clone())
        .collect();
    assert_eq!(
        outcomes,
        [
            "OUTCOME_STORED",
            "OUTCOME_STORED",
            "OUTCOME_DUPLICATE",
            "OUTCOME_SCHEDULED"
        ]
    );
    assert_eq!(sent["receipts"][1]["id"], "raw");

    let pull = json!({ "worker": "py", "max": 10, "waitMs": 5000 });
    let pulled = post(&process, "/v1/queues/events/groups/g:pull", pull.clone()).await;
    assert_eq!(pulled.status.as_u16(), 200, "{}", pulled.text());
    let pulled = pulled.json();
    let first = &pulled["messages"][0];
    assert_eq!(first["text"], "{\"film\":\"metropolis\"}");
    assert_eq!(first["record"]["key"], "metropolis");
    assert_eq!(first["record"]["headers"][0]["value"], "curl");
    assert_eq!(first["attempt"], 1);
    let mut messages = pulled["messages"].as_array().unwrap().clone();
    if messages.len() == 1 {
        let more = post(&process, "/v1/queues/events/groups/g:pull", pull)
            .await
            .json();
        messages.extend(more["messages"].as_array().unwrap().clone());
    }
    assert_eq!(
        messages[1]["record"]["payload"],
        STANDARD.encode([0xff, 0x00])
    );
    let lease = |at: usize| json!([messages[at]["lease"]]);

    let extended = post(
        &process,
        "/v1/leases:extend",
        json!({ "leases": lease(0), "forMs": "60000" }),
    )
    .await;
    assert_eq!(extended.json()["over"], json!([]), "{}", extended.text());
    let rejected = post(
        &process,
        "/v1/leases:reject",
        json!({ "leases": lease(1), "reason": "not text" }),
    )
    .await;
    assert_eq!(rejected.json()["over"], json!([]), "{}", rejected.text());
    let retried = post(
        &process,
        "/v1/leases:retry",
        json!({ "leases": lease(0), "failure": "disk full", "afterMs": "1" }),
    )
    .await;
    assert_eq!(retried.json()["over"], json!([]), "{}", retried.text());
    let pull = json!({ "worker": "py", "waitMs": 15000 });
    let again = post(&process, "/v1/queues/events/groups/g:pull", pull)
        .await
        .json();
    let again = &again["messages"][0];
    assert_eq!(
        (&again["attempt"], &again["failures"][0]["message"]),
        (&json!(2), &json!("disk full"))
    );
    for over in [json!([]), json!([])] {
        let done = post(
            &process,
            "/v1/leases:acknowledge",
            json!({ "leases": [again["lease"]] }),
        )
        .await;
        assert_eq!(done.json()["over"], over, "{}", done.text());
    }
    let over = post(
        &process,
        "/v1/leases:acknowledge",
        json!({ "leases": lease(0) }),
    )
    .await;
    assert_eq!(over.json()["over"], lease(0));
    assert_eq!(lag(&process).await, 0);

    for (path, body, named) in [
        ("/v1/leases:reject", json!({ "leases": ["1.1"] }), "reason"),
        (
            "/v1/leases:extend",
            json!({ "leases": ["1.1"], "forMs": "0" }),
            "extend",
        ),
        (
            "/v1/queues/events/groups/g:pull",
            json!({ "worker": "" }),
            "worker",
        ),
        (
            "/v1/queues/events/groups/g:pull",
            json!({ "worker": "w", "max": 5000 }),
            "max",
        ),
        (
            "/v1/queues/events/messages",
            json!({ "messages": [{}] }),
            "text",
        ),
    ] {
        let refused = post(&process, path, body).await;
        assert_eq!(refused.status.as_u16(), 400, "{}", refused.text());
        assert!(refused.text().contains(named), "{}", refused.text());
    }
    process.stop().await;
}

#[tokio::test]
async fn a_worker_that_hangs_up_while_it_waits_takes_nothing_along() {
    use backlot_core::net::{Network, Tcp};
    use tokio::io::AsyncWriteExt;
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    let caller = Caller::of(&process.address);
    caller.topic(1).await;
    let waiting = async || {
        let queues = process.desk.queues(&cx()).await.unwrap();
        queues.first().map_or(0, |queue| queue.waiting)
    };
    let body =
        json!({ "worker": "gone", "waitMs": 20000, "secret": STANDARD.encode(SECRET) }).to_string();
    let request = format!(
        "POST /v1/queues/{TOPIC}/groups/g:pull HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         x-request-timeout-ms: 30000\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = Tcp.connect(&process.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    backlot_testkit::wait_until("it waits", async || match waiting().await {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    drop(stream);
    backlot_testkit::wait_until("its place is given up", async || match waiting().await {
        0 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    caller.publish([1]).await;
    let queues = caller.remote.queues().unwrap();
    let leased = queues.pull(&cx(), &asking("here", 1)).await.unwrap();
    assert_eq!(leased[0].attempt, 1);
    process.stop().await;
}
