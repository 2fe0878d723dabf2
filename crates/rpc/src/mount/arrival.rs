//! The messages of a request, as they arrive over gRPC.

use crate::Streaming;
use crate::frame::Frames;
use crate::validate::located;
use backlot_core::deadline::MAX_UNARY;
use backlot_core::{Code, Deadline, Error};
use bytes::Bytes;
use http::Request;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

const ENCODING: &str = "grpc-encoding";

/// The message of a request, whole.
///
/// # Errors
/// Whatever is wrong with it is its caller's fault: `InvalidArgument`, `OutOfRange` for one that is
/// too large, `Unimplemented` for a compression, `DeadlineExceeded` when it does not arrive in time.
pub(super) async fn message(
    request: Request<Incoming>,
    deadline: Deadline,
) -> Result<Bytes, Error> {
    refuse_compression(&request)?;
    let until = deadline.min(Deadline::after(MAX_UNARY));
    until
        .run(read(request.into_body()))
        .await
        .map_err(|error| match error.code() {
            Code::DeadlineExceeded => {
                Error::deadline_exceeded("the deadline passed before the request had arrived")
            }
            _ => error,
        })
}

/// The messages of a request, read as they are taken: HTTP/2 holds back a caller that sends faster.
/// When and for how long each is waited for is for whoever takes them to say.
///
/// # Errors
/// As [`message`], here or from the stream.
pub(super) fn messages(request: Request<Incoming>) -> Result<Streaming<Bytes>, Error> {
    refuse_compression(&request)?;
    let mut body = request.into_body();
    Ok(Streaming::new(async_stream::stream! {
        let mut frames = Frames::default();
        let mut number = 1_u64;
        loop {
            match frames.next() {
                Ok(Some(message)) => {
                    number += 1;
                    yield Ok(message);
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    yield Err(located(error, &format!("message {number}")));
                    break;
                }
            }
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        frames.push(data);
                    }
                }
                Some(Err(error)) => {
                    yield Err(broken_off(error));
                    break;
                }
                None if frames.is_empty() => break,
                None => {
                    yield Err(Error::invalid_argument(format!("message {number} is cut short")));
                    break;
                }
            }
        }
    }))
}

fn refuse_compression(request: &Request<Incoming>) -> Result<(), Error> {
    let encoding = request.headers().get(ENCODING);
    match encoding.filter(|encoding| *encoding != "identity") {
        Some(encoding) => Err(Error::unimplemented(format!(
            "the compression {encoding:?} is not known here: send as it is"
        ))),
        None => Ok(()),
    }
}

fn broken_off(error: hyper::Error) -> Error {
    Error::new(Code::Cancelled, "the request broke off").with_source(error)
}

async fn read(mut body: Incoming) -> Result<Bytes, Error> {
    let malformed = |words| Error::invalid_argument(format!("the request is malformed: {words}"));
    let mut frames = Frames::default();
    let mut message = None;
    // To the end, so that the caller is not told to stop while it still sends.
    while message.is_none() || !body.is_end_stream() {
        let Some(frame) = body.frame().await else {
            break;
        };
        let frame = frame.map_err(broken_off)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        frames.push(data);
        if message.is_none() {
            message = frames.next()?;
        }
        if message.is_some() && !frames.is_empty() {
            return Err(malformed("it holds more than one message"));
        }
    }
    message.ok_or_else(|| malformed("it holds no whole message"))
}
