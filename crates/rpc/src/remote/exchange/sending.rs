//! Many messages of one request, sent as fast as the callee takes them.
//!
//! What waits to go out is bounded: nothing more is taken from the caller's stream before all of the
//! last message fits into what the callee and the connection have room for.

use crate::Streaming;
use backlot_core::Error;
use bytes::Bytes;
use h2::SendStream;
use std::future::poll_fn;

/// Sends every frame and the end. It also ends when the callee takes no more: its answer says why.
///
/// # Errors
/// The first error of `frames`; the stream is given up then.
pub(super) async fn all(
    mut frames: Streaming<Bytes>,
    mut body: SendStream<Bytes>,
) -> Result<(), Error> {
    while let Some(frame) = frames.next().await {
        if !whole(&mut body, frame?).await {
            return Ok(());
        }
    }
    // An error means that the callee has ended the stream already.
    drop(body.send_data(Bytes::new(), true));
    Ok(())
}

/// Sends one frame, piece by piece as there is room; whether the callee takes more.
async fn whole(body: &mut SendStream<Bytes>, mut frame: Bytes) -> bool {
    while !frame.is_empty() {
        body.reserve_capacity(frame.len());
        while body.capacity() == 0 {
            match poll_fn(|cx| body.poll_capacity(cx)).await {
                Some(Ok(_room)) => {}
                Some(Err(_)) | None => return false,
            }
        }
        let piece = frame.split_to(body.capacity().min(frame.len()));
        if body.send_data(piece, false).is_err() {
            return false;
        }
    }
    true
}
