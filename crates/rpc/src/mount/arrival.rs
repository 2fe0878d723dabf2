//! The one message of a request, as it arrives over gRPC.

use crate::frame::Frames;
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
    if let Some(encoding) = request
        .headers()
        .get(ENCODING)
        .filter(|encoding| *encoding != "identity")
    {
        return Err(Error::unimplemented(format!(
            "the compression {encoding:?} is not known here: send as it is"
        )));
    }
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

async fn read(mut body: Incoming) -> Result<Bytes, Error> {
    let malformed = |words| Error::invalid_argument(format!("the request is malformed: {words}"));
    let mut frames = Frames::default();
    let mut message = None;
    // To the end, so that the caller is not told to stop while it still sends.
    while message.is_none() || !body.is_end_stream() {
        let Some(frame) = body.frame().await else {
            break;
        };
        let frame = frame.map_err(|error| {
            Error::new(Code::Cancelled, "the request broke off").with_source(error)
        })?;
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
