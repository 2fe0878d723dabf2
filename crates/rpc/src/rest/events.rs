//! Streams as server-sent events: the data of each is one message; a comment now and then shows
//! that the connection lives; an event named `error` ends a stream that failed.

use super::Body;
use super::problem::{About, Problem};
use super::route::Output;
use crate::Streaming;
use backlot_core::Error;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response};
use std::time::Duration;

/// How long a stream may be silent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a browser waits before it reconnects.
const RETRY: &str = "retry: 1000\n\n";

/// The answer of a stream.
pub(super) fn response(
    output: Output,
    mut stream: Streaming<Bytes>,
    about: About,
) -> Response<Body> {
    let events = async_stream::stream! {
        yield Ok::<_, std::convert::Infallible>(Bytes::from_static(RETRY.as_bytes()));
        loop {
            // A new timer each time: silence is counted from the last event.
            let item = tokio::select! {
                biased;
                item = stream.next() => item,
                () = tokio::time::sleep(HEARTBEAT) => {
                    yield Ok(Bytes::from_static(b": alive\n\n"));
                    continue;
                }
            };
            match item.map(|item| item.and_then(|message| event(&output, message))) {
                Some(Ok(event)) => yield Ok(event),
                Some(Err(error)) => {
                    yield Ok(failure(error, &about));
                    break;
                }
                None => break,
            }
        }
    };
    headers(Body::from_stream(events))
}

/// The head of such an answer.
pub(super) fn headers(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies of a common kind collect events otherwise.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// JSON has no line breaks of its own, so one line of data is enough.
fn event(output: &Output, message: Bytes) -> Result<Bytes, Error> {
    let mut text = b"data: ".to_vec();
    output.write(message, &mut text)?;
    text.extend_from_slice(b"\n\n");
    Ok(text.into())
}

fn failure(error: Error, about: &About) -> Bytes {
    let document = Problem::from(error).document(about);
    format!("event: error\ndata: {document}\n\n").into()
}
