//! gRPC as strangers speak it.

use crate::rest::bearer;
use crate::worlds::{Running, Ways};
use backlot::rpc::contract::{Method, Service, Shape};
use backlot_testkit::grpc::{Answer, Connection, field, frame};
use backlot_testkit::wait_until;
use movies_api as api;
use std::time::Duration;

const OK: i32 = 0;
const INVALID_ARGUMENT: i32 = 3;
const DEADLINE_EXCEEDED: i32 = 4;
const NOT_FOUND: i32 = 5;
const OUT_OF_RANGE: i32 = 11;
const UNIMPLEMENTED: i32 = 12;
const UNAUTHENTICATED: i32 = 16;

/// A field whose two bytes are not UTF-8.
const TEXT_OF_NO_CHARACTERS: &[u8] = b"\x0a\x02\xff\xfe";

const DETAILS: &str = "/movies.movie.v1.MovieService/GetMovieDetails";
const PUT: &str = "/movies.rating.v1.RatingService/PutRating";

/// Each service of films with its methods.
pub(crate) fn methods() -> impl Iterator<Item = (&'static Service, &'static Method)> {
    [
        &api::AUTH_SERVICE,
        &api::METADATA_SERVICE,
        &api::MOVIE_SERVICE,
        &api::RATING_SERVICE,
    ]
    .into_iter()
    .flat_map(|service| service.methods.iter().map(move |method| (service, method)))
}

/// A rating by ann, encoded by hand.
pub(crate) fn rating(half_stars: u8) -> Vec<u8> {
    let mut message = [field(1, b"movie"), field(2, b"wire"), field(3, b"ann")].concat();
    message.extend([4 << 3, half_stars]);
    message
}

fn refused(what: &str, answer: &Answer, code: i32) {
    assert_eq!(
        (answer.http, answer.code),
        (200, Some(code)),
        "{what}: {answer:?}"
    );
    assert!(answer.messages.is_empty(), "{what}: {answer:?}");
    assert!(
        !answer.message.is_empty() || what.contains("/grpc."),
        "{what}: {answer:?}"
    );
}

#[tokio::test]
async fn bytes_of_the_protocol_are_understood() {
    let running = Running::start(Ways::Direct).await;
    let mut ratings = Connection::open(&running.address("rating").await)
        .await
        .unwrap();
    let token = bearer(&running.clients.tokens.user("ann"));
    let put = ratings
        .call(PUT, &[("authorization", &token)], &rating(9))
        .await
        .unwrap();
    assert_eq!(
        (put.http, put.code, put.messages.len()),
        (200, Some(OK), 1),
        "{put:?}"
    );
    let wrong = ratings
        .call(PUT, &[("authorization", &token)], &rating(11))
        .await
        .unwrap();
    refused("11 half stars", &wrong, INVALID_ARGUMENT);
    assert!(wrong.message.starts_with("value: "), "{wrong:?}");
    assert!(
        !wrong.details.is_empty(),
        "what is wrong is there for programs too"
    );
    refused(
        "nobody",
        &ratings.call(PUT, &[], &rating(9)).await.unwrap(),
        UNAUTHENTICATED,
    );
    running.stop().await;
}

#[tokio::test]
async fn a_malformed_message_is_the_callers_fault_at_every_method() {
    let running = Running::start(Ways::Direct).await;
    let malformed: [&[u8]; 7] = [
        b"\xff",
        b"\x0a",
        b"\x0a\x05ab",
        b"\x0a\xff\xff\xff\xff\x0f",
        TEXT_OF_NO_CHARACTERS,
        b"\x07",
        &[0xff; 40],
    ];
    for (service, method) in methods() {
        let mut connection = Connection::open(&running.address(service.target).await)
            .await
            .unwrap();
        for message in malformed {
            // A request without fields skips each field as one of a newer caller.
            if message == TEXT_OF_NO_CHARACTERS && method.input.ends_with(".ListFacetsRequest") {
                continue;
            }
            let answer = connection.call(method.path, &[], message).await.unwrap();
            refused(
                &format!("{message:?} to {}", method.path),
                &answer,
                INVALID_ARGUMENT,
            );
        }
        // What is no message at all: nothing, half a head, half a body, a wrong flag, a compressed one.
        let frames: [&[u8]; 6] = [
            b"",
            b"\0\0",
            b"\0\0\0\0\x09abc",
            b"\x02\0\0\0\0",
            b"\x01\0\0\0\x02\x0a\0",
            b"\xff\xff\xff\xff\xff",
        ];
        for body in frames {
            // No message at all is a stream without messages.
            if body.is_empty() && method.shape == Shape::ClientStream {
                continue;
            }
            let call = connection.start(method.path, &[], body).await.unwrap();
            refused(
                &format!("{body:?} to {}", method.path),
                &call.end().await.unwrap(),
                INVALID_ARGUMENT,
            );
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_unimplemented() {
    let running = Running::start(Ways::Direct).await;
    let mut connection = Connection::open(&running.address("movie").await)
        .await
        .unwrap();
    for path in [
        "/movies.movie.v1.MovieService/Unknown",
        "/movies.movie.v1.MovieService/",
        "/movies.movie.v2.MovieService/GetMovieDetails",
        "/movies.rating.v1.RatingService/PutRating",
        "/",
        "/a",
        "/grpc.health.v1.Health/Unknown",
        "/v1/movies",
    ] {
        refused(
            path,
            &connection.call(path, &[], b"").await.unwrap(),
            UNIMPLEMENTED,
        );
    }
    let answer = connection
        .call(DETAILS, &[("grpc-encoding", "snappy")], b"")
        .await
        .unwrap();
    refused("an unknown compression", &answer, UNIMPLEMENTED);
    running.stop().await;
}

#[tokio::test]
async fn a_malformed_timeout_is_refused_and_never_taken_for_none() {
    let running = Running::start(Ways::Direct).await;
    let mut connection = Connection::open(&running.address("movie").await)
        .await
        .unwrap();
    let film = field(1, b"unknown");
    for timeout in [
        "",
        "5",
        "S",
        "-1S",
        "1.5S",
        "5s",
        "123456789m",
        "1 S",
        "S1",
        "0x1S",
        "\t1S ,2S",
    ] {
        let answer = connection
            .call(DETAILS, &[("grpc-timeout", timeout)], &film)
            .await
            .unwrap();
        refused(timeout, &answer, INVALID_ARGUMENT);
    }
    for timeout in ["0S", "0n", "1n"] {
        let answer = connection
            .call(DETAILS, &[("grpc-timeout", timeout)], &film)
            .await
            .unwrap();
        refused(timeout, &answer, DEADLINE_EXCEEDED);
    }
    for timeout in ["99999999H", "1M", "5S", "5000m", "5000000u"] {
        let answer = connection
            .call(DETAILS, &[("grpc-timeout", timeout)], &film)
            .await
            .unwrap();
        refused(timeout, &answer, NOT_FOUND);
    }
    running.stop().await;
}

#[tokio::test]
async fn a_request_that_does_not_arrive_ends_at_its_deadline() {
    let running = Running::start(Ways::Direct).await;
    let address = running.address("movie").await;
    // Over HTTP/1.1, whose body can be held back by hand: gRPC does not mind the version here.
    let head = format!(
        "POST {DETAILS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc\r\nte: trailers\r\ngrpc-timeout: 300m\r\n\
         content-length: 10\r\n\r\n\0\0"
    );
    let said = backlot_testkit::http::raw(&address, head.as_bytes(), Duration::from_secs(3))
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&said).to_lowercase();
    assert!(said.contains("grpc-status: 4\r\n"), "{said}");
    running.stop().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_before_it_is_read() {
    let running = Running::start(Ways::Direct).await;
    let mut connection = Connection::open(&running.address("rating").await)
        .await
        .unwrap();
    let token = bearer(&running.clients.tokens.user("ann"));
    let headers = [("authorization", token.as_str())];
    let message = field(2, &vec![b'x'; 4 << 20]);
    refused(
        "4 MiB and a little",
        &connection.call(PUT, &headers, &message).await.unwrap(),
        OUT_OF_RANGE,
    );
    // The length alone is enough: the rest never comes.
    let call = connection
        .start(PUT, &headers, b"\0\xff\xff\xff\xff".as_slice())
        .await
        .unwrap();
    refused("4 GiB, announced", &call.end().await.unwrap(), OUT_OF_RANGE);
    let most = field(2, &vec![b'x'; (4 << 20) - 10]);
    refused(
        "just 4 MiB",
        &connection.call(PUT, &headers, &most).await.unwrap(),
        INVALID_ARGUMENT,
    );
    running.stop().await;
}

#[tokio::test]
async fn headers_that_are_too_large_cost_their_call_and_no_other() {
    let running = Running::start(Ways::Direct).await;
    let mut connection = Connection::open(&running.address("movie").await)
        .await
        .unwrap();
    let huge = "x".repeat(64 * 1024);
    let film = field(1, b"unknown");
    match connection.call(DETAILS, &[("x-huge", &huge)], &film).await {
        Ok(answer) => assert!(matches!(answer.http, 431 | 400), "{answer:?}"),
        Err(_broken) => {
            connection = Connection::open(&running.address("movie").await)
                .await
                .unwrap()
        }
    }
    refused(
        "the next",
        &connection.call(DETAILS, &[], &film).await.unwrap(),
        NOT_FOUND,
    );
    for (name, value) in [
        ("grpc-status", "0"),
        ("grpc-message", "%"),
        ("x-bin", "!!!"),
        ("trace-bin", "*"),
        ("grpc-retry-pushback-ms", "x"),
        ("traceparent", "x"),
        ("x-criticality", "vip"),
        ("grpc-accept-encoding", "x"),
        ("user-agent", "\u{7}"),
    ] {
        let Ok(_fits) = http::HeaderValue::from_str(value) else {
            continue;
        };
        refused(
            name,
            &connection
                .call(DETAILS, &[(name, value)], &film)
                .await
                .unwrap(),
            NOT_FOUND,
        );
    }
    running.stop().await;
}

#[tokio::test]
async fn a_call_that_is_given_up_ends_at_the_server() {
    let running = Running::start(Ways::Direct).await;
    let mut connection = Connection::open(&running.address("probe").await)
        .await
        .unwrap();
    let hang = frame(&field(1, b"given-up"));
    let path = "/backlot.probe.v1.ProbeService/Hang";
    let mut watcher = Connection::open(&running.address("probe").await)
        .await
        .unwrap();
    let mut count = async || {
        let count = watcher
            .call(
                "/backlot.probe.v1.ProbeService/Count",
                &[],
                &field(1, b"given-up"),
            )
            .await
            .unwrap();
        count.messages[0].to_vec()
    };
    let call = connection.start(path, &[], hang);
    let begun = wait_until("the handler begins", async || match count().await {
        seen if seen == [8, 1] => Ok(()),
        seen => Err(format!("{seen:?}")),
    });
    tokio::select! {
        biased;
        ended = call => panic!("it ended by itself: {ended:?}"),
        () = begun => {}
    }
    drop(connection);
    wait_until("the handler ends", async || match count().await {
        seen if seen == [8, 1, 16, 1] => Ok(()),
        seen => Err(format!("{seen:?}")),
    })
    .await;
    running.stop().await;
}
