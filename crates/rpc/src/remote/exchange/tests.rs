//! Answers written by hand, right and wrong.

use super::*;
use crate::frame;
use backlot_core::Code;
use h2::server::SendResponse;

/// What a call gets from a callee that answers like this.
async fn ask(answer: impl FnOnce(SendResponse<Bytes>)) -> Result<Bytes, Error> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let callee = async {
        let mut connection = h2::server::handshake(far).await.unwrap();
        let (_request, respond) = connection.accept().await.unwrap().unwrap();
        answer(respond);
        // What was answered goes out while the next call is waited for.
        while connection.accept().await.is_some() {}
    };
    let caller = async {
        let (sender, connection) = h2::client::handshake(near).await.unwrap();
        let call = Call {
            sender,
            authority: Authority::from_static("rating:1"),
            place: Place::nowhere(),
        };
        let request = frame::wrap(b"request").unwrap();
        let asking = async {
            let path = PathAndQuery::from_static("/a.B/C");
            call.send(path, HeaderMap::new(), request)
                .await?
                .one()
                .await
        };
        tokio::select! {
            biased;
            outcome = asking => outcome.map_err(|failure| failure.error("rating")),
            ended = connection => panic!("the connection ended first: {ended:?}"),
        }
    };
    tokio::select! {
        biased;
        outcome = caller => outcome,
        () = callee => panic!("the callee ended first"),
    }
}

/// An answer of this head, these bytes and this status; nothing for no trailers.
fn answer(
    status: u16,
    bytes: Vec<u8>,
    trailer: Option<&'static str>,
) -> impl FnOnce(SendResponse<Bytes>) {
    move |mut respond| {
        let head = Response::builder().status(status).body(()).unwrap();
        let mut body = respond.send_response(head, false).unwrap();
        body.send_data(bytes.into(), trailer.is_none()).unwrap();
        if let Some(status) = trailer {
            let trailers = [(Status::GRPC_STATUS, HeaderValue::from_static(status))];
            body.send_trailers(trailers.into_iter().collect()).unwrap();
        }
    }
}

fn message(text: &[u8]) -> Vec<u8> {
    frame::wrap(text).unwrap().to_vec()
}

#[tokio::test]
async fn a_message_with_a_good_end_is_the_answer() {
    let found = ask(answer(200, message(b"film"), Some("0"))).await.unwrap();
    assert_eq!(found, "film");
}

#[tokio::test]
async fn a_callee_may_fail_before_and_after_its_message() {
    let told = ask(|mut respond| {
        let head = Response::builder()
            .header("grpc-status", "5")
            .header("grpc-message", "no%20such%20film")
            .body(())
            .unwrap();
        respond.send_response(head, true).unwrap();
    });
    let told = told.await.unwrap_err();
    assert_eq!(
        (told.code(), told.message()),
        (Code::NotFound, "no such film")
    );
    let told = ask(answer(200, message(b"film"), Some("8")))
        .await
        .unwrap_err();
    assert_eq!(told.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn an_answer_that_is_none_is_the_callees_fault_and_named() {
    let two = [message(b"one"), message(b"two")].concat();
    let mut cut = message(b"film");
    cut.pop();
    let mut flagged = message(b"film");
    flagged[0] = 1;
    for (what, bytes, trailer) in [
        ("no message", Vec::new(), Some("0")),
        ("two messages", two, Some("0")),
        ("half a message", cut, Some("0")),
        ("a compressed message", flagged, Some("0")),
        ("no status", message(b"film"), None),
    ] {
        let error = ask(answer(200, bytes, trailer)).await.unwrap_err();
        assert_eq!(error.code(), Code::Internal, "{what}");
        assert!(error.message().contains("rating"), "{what}: {error}");
    }
}

#[tokio::test]
async fn an_http_status_without_grpc_is_translated() {
    for (status, code) in [
        (401, Code::Unauthenticated),
        (404, Code::Unimplemented),
        (429, Code::Unavailable),
        (503, Code::Unavailable),
        (500, Code::Unknown),
    ] {
        let error = ask(answer(status, b"<html>".to_vec(), None))
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{status}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_unavailable() {
    let error = ask(|mut respond| respond.send_reset(h2::Reason::INTERNAL_ERROR))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(
        error.message().contains("the connection to rating broke"),
        "{error}"
    );
}
