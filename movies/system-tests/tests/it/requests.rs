//! Streams of requests as strangers send them, over gRPC and over REST.

use crate::problem::{fields, problem};
use crate::worlds::{Running, Ways};
use backlot_testkit::grpc::{Answer, Connection, field, frame};
use backlot_testkit::http::{self, ask};
use backlot_testkit::wait_until;
use serde_json::json;
use std::time::Duration;

use ::http::Method;

const COLLECT: &str = "/backlot.probe.v1.ProbeService/Collect";
const COUNT: &str = "/backlot.probe.v1.ProbeService/Count";
const LINES: (&str, &str) = ("content-type", "application/x-ndjson");

/// A message of this number below 128, framed.
fn step(number: u8) -> Vec<u8> {
    frame(&[2 << 3, number]).to_vec()
}

async fn collect(connection: &mut Connection, body: Vec<u8>) -> Answer {
    let call = connection.start(COLLECT, &[], body).await.unwrap();
    call.end().await.unwrap()
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_named_wherever_it_comes() {
    let running = Running::start(Ways::Direct).await;
    let mut connection = Connection::open(&running.address("probe").await)
        .await
        .unwrap();
    let cut = &frame(&[7; 20])[..12];
    let large = frame(&vec![7; (4 << 20) + 1]);
    let cases: [(&str, &[u8], i32, &str); 8] = [
        ("an unknown flag", b"\x07\0\0\0\0", 3, "message 3"),
        (
            "a compressed message",
            b"\x01\0\0\0\x02\x0a\0",
            3,
            "message 3",
        ),
        (
            "bytes that are no message",
            b"\0\0\0\0\x01\xff",
            3,
            "message 3",
        ),
        ("half a head", b"\0\0", 3, "message 3 is cut short"),
        ("half a message", cut, 3, "message 3 is cut short"),
        ("4 GiB, announced", b"\0\xff\xff\xff\xff", 11, "message 3"),
        ("4 MiB and a byte", &large, 11, "message 3"),
        ("noise", &[0x5a; 3000], 3, "message 3"),
    ];
    for (what, garbage, code, words) in cases {
        let mut body = [step(1), step(2)].concat();
        body.extend_from_slice(garbage);
        // What follows is not looked at any more.
        if code == 3 && !words.ends_with("short") {
            body.extend(step(3));
        }
        let answer = collect(&mut connection, body).await;
        assert_eq!(
            (answer.http, answer.code),
            (200, Some(code)),
            "{what}: {answer:?}"
        );
        assert!(answer.message.contains(words), "{what}: {answer:?}");
        assert!(answer.messages.is_empty(), "{what}: {answer:?}");
    }
    // The same connection goes on.
    let whole = collect(&mut connection, [step(1), step(2)].concat()).await;
    assert_eq!(
        (whole.code, &whole.messages[0][..6]),
        (Some(0), &[8, 2, 16, 3, 24, 1][..])
    );
    let most = field(3, &vec![7; (4 << 20) - 10]);
    let most = collect(&mut connection, frame(&most).to_vec()).await;
    assert_eq!(most.code, Some(0), "{most:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_its_handler() {
    let running = Running::start(Ways::Direct).await;
    let address = running.address("probe").await;
    let mut watcher = Connection::open(&address).await.unwrap();
    let mut count = async || {
        let asked = watcher.call(COUNT, &[], &field(1, b"broken-off")).await;
        asked.unwrap().messages[0].to_vec()
    };
    // Over HTTP/1.1, whose body can be held back by hand: a name, and half a message.
    let name = frame(&field(1, b"broken-off"));
    let mut said = format!(
        "POST {COLLECT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc\r\nte: trailers\r\n\
         content-length: 1000\r\n\r\n"
    )
    .into_bytes();
    said.extend_from_slice(&name);
    said.extend_from_slice(b"\0\0\0\0\x09abc");
    let talk = http::raw(&address, &said, Duration::from_secs(60));
    let begun = wait_until("the handler begins", async || match count().await {
        seen if seen == [8, 1] => Ok(()),
        seen => Err(format!("{seen:?}")),
    });
    tokio::select! {
        biased;
        answer = talk => panic!("it ended by itself: {answer:?}"),
        () = begun => {}
    }
    // Dropping the talk has closed its connection.
    wait_until("the handler ends", async || match count().await {
        seen if seen == [8, 1, 16, 1] => Ok(()),
        seen => Err(format!("{seen:?}")),
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn lines_are_messages_and_the_first_has_what_path_and_query_say() {
    let running = Running::start(Ways::Direct).await;
    let probe = running.address("probe").await;
    let post = async |path: &str, body: &str| {
        ask(&probe, Method::POST, path, &[LINES], body.to_owned())
            .await
            .unwrap()
    };
    for (body, count, sum) in [
        ("", 0, "0"),
        ("\n", 0, "0"),
        ("{\"number\":1}", 1, "1"),
        ("{\"number\":1}\n{\"number\":2}\n", 2, "3"),
        ("{\"number\":1}\r\n{ \"number\" : \"2\" }\r\n\r\n\n", 2, "3"),
        ("{}\n{}\n{}", 3, "0"),
    ] {
        let answer = post("/v1/probe:collect", body).await;
        assert_eq!(answer.status.as_u16(), 200, "{body:?}: {}", answer.text());
        let seen = answer.json();
        assert_eq!(
            (&seen["count"], &seen["sum"]),
            (&json!(count), &json!(sum)),
            "{body:?}"
        );
    }
    // The path names the call, in the first message alone, even if no line comes.
    for (body, count) in [
        ("", 1),
        ("{}\n{\"number\":2}\n", 2),
        ("{\"name\":\"by-path\"}\n{}", 2),
    ] {
        let answer = post("/v1/probe/by-path:collect", body).await;
        assert_eq!(answer.json()["count"], count, "{body:?}: {}", answer.text());
    }
    let count = http::get(&probe, "/v1/probe/by-path").await.unwrap();
    assert_eq!(count.json()["begun"], 3);
    // A body may hold one field of each message; the query says the others of the first.
    let answer = post(
        "/v1/probe/x:collectFails?number=3",
        r#"{"code":9,"message":"as told"}"#,
    )
    .await;
    let told = problem("a field on a line", &answer, 422);
    assert_eq!(
        (&told["code"], &told["detail"]),
        (&json!("FAILED_PRECONDITION"), &json!("as told"))
    );
    running.stop().await;
}

#[tokio::test]
async fn a_wrong_line_is_a_400_that_names_it() {
    let running = Running::start(Ways::Direct).await;
    let probe = running.address("probe").await;
    let post = async |path: &str, headers: &[(&str, &str)], body: &[u8]| {
        ask(&probe, Method::POST, path, headers, body.to_owned())
            .await
            .unwrap()
    };
    let deep = format!("{{}}\n{{\"fail\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let wrong: [(&[u8], &str, &[&str]); 10] = [
        (b"{}\n{", "line 2 is not valid JSON", &[]),
        (
            b"{}\nx\n{}",
            "line 2 is not valid JSON: expected value at column 1",
            &[],
        ),
        (b"{}\n{}\n\xff", "line 3 is not valid JSON", &[]),
        (b"{}\n[]", "line 2", &[]),
        (b"{}\n\n{}", "line 2 is empty", &[]),
        (b"{}\n{\"number\":1001}", "in line 2", &["number"]),
        (b"{}\n{}\n{\"number\":\"x\"}", "in line 3", &["number"]),
        (b"{\"nombre\":1}", "in line 1", &["nombre"]),
        (
            b"{}\n{\"number\":1}\n{\"name\":7,\"hops\":1.5}",
            "in line 3",
            &["hops", "name"],
        ),
        (deep.as_bytes(), "line 2", &[]),
    ];
    for (body, words, names) in wrong {
        let shown = String::from_utf8_lossy(&body[..body.len().min(50)]).into_owned();
        let told = problem(
            &shown,
            &post("/v1/probe:collect", &[LINES], body).await,
            400,
        );
        assert!(
            told["detail"].as_str().unwrap().contains(words),
            "{shown}: {told}"
        );
        let mut found = fields(&told);
        found.sort();
        assert_eq!(found, names, "{shown}: {told}");
    }
    let other = post("/v1/probe/a:collect", &[LINES], b"{\"name\":\"b\"}").await;
    assert_eq!(fields(&problem("another name", &other, 400)), ["name"]);
    let unknown = post("/v1/probe:collect?x=1", &[LINES], b"{}").await;
    assert_eq!(
        fields(&problem("an unknown parameter", &unknown, 400)),
        ["x"]
    );
    let long = format!("{{}}\n\"{}\"", "x".repeat(4 << 20));
    let long = post("/v1/probe:collect", &[LINES], long.as_bytes()).await;
    let told = problem("a long line", &long, 400);
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .starts_with("line 2 is longer"),
        "{told}"
    );
    for kind in ["application/json", "text/plain", ""] {
        let answer = post("/v1/probe:collect", &[("content-type", kind)], b"{}").await;
        let told = problem(kind, &answer, 415);
        assert!(
            told["detail"]
                .as_str()
                .unwrap()
                .contains("application/x-ndjson"),
            "{told}"
        );
    }
    for kind in ["application/x-ndjson; charset=utf-8", "application/jsonl"] {
        let answer = post("/v1/probe:collect", &[("content-type", kind)], b"{}").await;
        assert_eq!(answer.status.as_u16(), 200, "{kind}: {}", answer.text());
    }
    // More than one body could hold otherwise, line by line.
    let line = format!("{{\"filling\":\"{}\"}}\n", "QUFB".repeat(50_000));
    let much = post("/v1/probe:collect", &[LINES], line.repeat(40).as_bytes()).await;
    assert_eq!(much.json()["count"], 40, "{}", much.text());
    running.stop().await;
}
