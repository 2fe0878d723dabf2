//! Dead letters and lag as people ask for them: over REST, and of an engine that comes and goes.

use crate::stage::{Caller, Process, SECRET, TOPIC, cx};
use backlot_broker::{Options, Slot};
use backlot_core::Clock;
use backlot_messaging::dead::{Edit, Filter, Letters, Page, Redrive, header, queue_of, retry_of};
use backlot_messaging::engine::{Outgoing, Subscription, TopicSpec};
use backlot_messaging::{Engine, Error, Record};
use backlot_testkit::http::{Answer, ask};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::sync::Arc;

const GROUP: &str = "billing";

async fn process(folder: &tempfile::TempDir) -> Process {
    let file = folder.path().join("broker.db");
    let process = Process::start(&file, "127.0.0.1:0", Clock::real(), Options::default()).await;
    let log = &process.log;
    for topic in [TOPIC.to_owned(), queue_of(TOPIC, GROUP)] {
        log.ensure(&cx(), &TopicSpec::new(topic, 1)).await.unwrap();
    }
    let group = Subscription::new(TOPIC, GROUP);
    let reader = log.attach(&cx(), &group).await.unwrap();
    reader.close().await.unwrap();
    process
}

/// So many dead letters of the group.
async fn bury(process: &Process, count: u32, class: &str) {
    let letter = |number: u32| {
        let payload = format!(r#"{{"order":{number}}}"#);
        let record = Record::new(format!("m{number}"), "OrderPlaced", "shop", payload)
            .with_key("ann")
            .with_header(header::CLASS, class)
            .with_header(header::TOPIC, TOPIC)
            .with_header(header::GROUP, GROUP)
            .with_header(
                header::ERRORS,
                r#"[{"at":1700000000001,"class":"transient","code":"UNAVAILABLE","message":"down"}]"#,
            );
        Outgoing::new(queue_of(TOPIC, GROUP), record)
    };
    let letters = (0..count).map(letter).collect();
    process.log.append(&cx(), letters).await.unwrap();
}

/// Asks with the secret, which a query and a body can hold.
async fn call(process: &Process, method: Method, path: &str, body: Option<Value>) -> Answer {
    let secret = STANDARD.encode(SECRET);
    let (path, body) = match body {
        Some(mut body) => {
            body["secret"] = json!(secret);
            (path.to_owned(), body.to_string())
        }
        None => {
            let mark = if path.contains('?') { '&' } else { '?' };
            let secret = secret.replace('+', "%2B").replace('=', "%3D");
            (format!("{path}{mark}secret={secret}"), String::new())
        }
    };
    let headers = [("content-type", "application/json")];
    let answer = ask(&process.address, method, &path, &headers, body).await;
    answer.unwrap()
}

async fn get(process: &Process, path: &str) -> Value {
    let answer = call(process, Method::GET, path, None).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text());
    answer.json()
}

async fn post(process: &Process, path: &str, body: Value) -> Value {
    let answer = call(process, Method::POST, path, Some(body)).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn letters_are_found_mended_and_sent_again_over_rest() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    bury(&process, 3, "permanent").await;

    let groups = get(&process, "/v1/broker/letter-groups").await;
    let group = &groups["groups"][0];
    assert_eq!(
        (&group["topic"], &group["group"]),
        (&json!(TOPIC), &json!(GROUP))
    );
    assert_eq!(
        group["waiting"],
        json!([{"class": "permanent", "count": "3"}])
    );

    let first = "/v1/broker/letters?filter.group=billing&filter.class=permanent&pageSize=2";
    let page = get(&process, first).await;
    assert_eq!(page["letters"].as_array().unwrap().len(), 2);
    let next = page["next"].as_str().unwrap();
    let rest = get(&process, &format!("{first}&after={next}")).await;
    assert_eq!(rest["letters"][0]["message"], "m2");
    assert_eq!(rest["letters"].as_array().unwrap().len(), 1);
    let counted = get(&process, "/v1/broker/letters:count?filter.key=ann").await;
    assert_eq!(counted["count"], "3");

    let id = page["letters"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/broker/letters/{id}");
    let edited = json!({"text": r#"{"order":"mended"}"#});
    let answer = call(&process, Method::PUT, &path, Some(edited)).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let letter = get(&process, &path).await;
    assert_eq!(letter["text"], r#"{"order":"mended"}"#);
    assert_eq!(
        letter["record"]["payload"],
        STANDARD.encode(r#"{"order":0}"#)
    );
    assert_eq!(letter["failures"][0]["message"], "down");
    let view = get(&process, &format!("{path}:view")).await;
    assert_eq!(
        (&view["id"], &view["queue"], &view["payload"]),
        (&json!("m0"), &json!(TOPIC), &json!(r#"{"order":0}"#))
    );
    assert_eq!(view["error"][0]["code"], "UNAVAILABLE");
    assert!(view["dispatch_date"].is_string(), "{view}");

    // Nothing happens in a dry run; then slice after slice.
    let filter = json!({"group": GROUP});
    let redrive = "/v1/broker/letters:redrive";
    let tried = post(&process, redrive, json!({"filter": filter, "dryRun": true})).await;
    assert_eq!(tried["matching"], "3");
    assert_eq!(tried["sample"].as_array().unwrap().len(), 3);
    let moved = post(&process, redrive, json!({"filter": filter, "most": 2})).await;
    assert_eq!(moved["moved"], "2");
    let rest = json!({"filter": filter, "after": moved["next"]});
    let moved = post(&process, redrive, rest).await;
    assert_eq!(moved["moved"], "1");
    assert!(moved.get("next").is_none_or(|next| next == ""), "{moved}");
    let lag = get(
        &process,
        &format!("/v1/broker/lag?topic={}", retry_of(TOPIC, GROUP)),
    )
    .await;
    assert_eq!(
        (&lag["groups"][0]["group"], &lag["groups"][0]["lag"]),
        (&json!(GROUP), &json!("3"))
    );

    let purged = post(&process, "/v1/broker/letters:purge", json!({"ids": [id]})).await;
    assert_eq!(purged["moved"], "1");
    let gone = call(&process, Method::GET, &path, None).await;
    assert_eq!(gone.status.as_u16(), 404, "{}", gone.text());
    assert_eq!(gone.json()["reason"], "NO_LETTER", "{}", gone.text());
    process.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_field_value_and_cure() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    let refused = [
        (
            "GET",
            "/v1/broker/letters?filter.class=crashed",
            json!(null),
            "crashed",
        ),
        (
            "GET",
            "/v1/broker/letters?filter.status=gone",
            json!(null),
            "waiting or redriven",
        ),
        (
            "GET",
            "/v1/broker/letters?pageSize=1001",
            json!(null),
            "1 to 1,000",
        ),
        (
            "GET",
            "/v1/broker/letters?after=17",
            json!(null),
            "page.after",
        ),
        (
            "POST",
            "/v1/broker/letters:find",
            json!({"ids": ["17"]}),
            "topic, partition and offset",
        ),
        ("POST", "/v1/broker/letters:purge", json!({}), "filter"),
        (
            "POST",
            "/v1/broker/letters:purge",
            json!({"ids": ["a/0/1"], "filter": {}}),
            "together",
        ),
        (
            "POST",
            "/v1/broker/letters:redrive",
            json!({"filter": {"status": "redriven"}}),
            "only letters that wait",
        ),
    ];
    for (method, path, body, says) in refused {
        let method: Method = method.parse().unwrap();
        let body = (!body.is_null()).then_some(body);
        let answer = call(&process, method, path, body).await;
        assert_eq!(answer.status.as_u16(), 400, "{path}: {}", answer.text());
        assert!(answer.text().contains(says), "{path}: {}", answer.text());
    }
    let nobody = ask(
        &process.address,
        Method::GET,
        "/v1/broker/letters",
        &[],
        String::new(),
    );
    assert_eq!(nobody.await.unwrap().status.as_u16(), 401);
    process.stop().await;
}

#[tokio::test]
async fn topics_are_listed_and_a_group_is_forgotten_over_rest() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    let topics = get(&process, "/v1/broker/topics").await;
    let names: Vec<_> = topics["topics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|topic| topic["topic"].as_str().unwrap())
        .collect();
    assert_eq!(names, [TOPIC, &queue_of(TOPIC, GROUP)]);
    assert_eq!(topics["topics"][0]["groups"], json!([GROUP]));
    let path = format!("/v1/broker/topics/{TOPIC}/groups/{GROUP}");
    let answer = call(&process, Method::DELETE, &path, None).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let again = call(&process, Method::DELETE, &path, None).await;
    assert_eq!(again.status.as_u16(), 404, "{}", again.text());
    process.stop().await;
}

#[tokio::test]
async fn a_letter_with_more_edits_than_an_answer_holds_comes_whole() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    bury(&process, 1, "exhausted").await;
    let caller = Caller::of(&process.address);
    let letters = Letters::of(&caller.remote).unwrap();
    let filter = Filter::of_group(GROUP);
    let listed = letters
        .list(&cx(), &filter, &Page::first(10))
        .await
        .unwrap();
    let id = &listed.entries[0].id;
    let payload = |number: u8| vec![number; 512 * 1024];
    for number in 0..8 {
        letters.edit(&cx(), id, payload(number)).await.unwrap();
    }
    let here = letters.show(&cx(), id).await.unwrap();
    let there = Letters::of(&process.log)
        .unwrap()
        .show(&cx(), id)
        .await
        .unwrap();
    let payloads = |edits: &[Edit]| edits.iter().map(|edit| edit.payload[0]).collect::<Vec<_>>();
    assert_eq!(payloads(&here.edits), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(here, there);
    process.stop().await;
}

#[tokio::test]
async fn letters_of_a_process_are_there_as_long_as_its_broker_is() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder).await;
    bury(&process, 2, "panic").await;
    let slot = Slot::new();
    let letters = Letters::of(&slot).unwrap();
    let away = letters.groups(&cx()).await;
    assert!(matches!(away, Err(Error::Away { .. })), "{away:?}");
    let log: Arc<dyn Engine> = Arc::new(process.log.clone());
    slot.publish(Arc::clone(&log), Arc::clone(&process.desk));
    let on = |_: &backlot_messaging::dead::Report| ControlFlow::Continue(());
    let report = letters
        .redrive(&cx(), Filter::of_group(GROUP), &Redrive::default(), on)
        .await
        .unwrap();
    assert_eq!(report.moved, 2);
    slot.withdraw(&log);
    assert!(letters.groups(&cx()).await.is_err());
    process.stop().await;
}
