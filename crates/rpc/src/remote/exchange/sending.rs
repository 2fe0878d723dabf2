//! Many messages of one request, sent as fast as the callee takes them.
//!
//! What waits to go out is bounded: nothing more is taken from the caller's stream before all of the
//! last message fits into what the callee and the connection have room for.

use crate::Streaming;
use backlot_core::Error;
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use h2::SendStream;
use std::future::poll_fn;

/// Small messages that are there already go out together, up to about so many bytes.
const TOGETHER: usize = 16 * 1024;

/// Sends every frame and the end. It also ends when the callee takes no more: its answer says why.
///
/// # Errors
/// The first error of `frames`: the stream is to be given up then.
pub(in crate::remote) async fn all(
    mut frames: Streaming<Bytes>,
    body: &mut SendStream<Bytes>,
) -> Result<(), Error> {
    let mut next = frames.next().await.transpose()?;
    while let Some(frame) = next {
        let (frame, after) = gather(frame, &mut frames);
        if !whole(body, frame).await {
            return Ok(());
        }
        next = match after {
            Some(after) => after?,
            None => frames.next().await.transpose()?,
        };
    }
    // An error means that the callee has ended the stream already.
    drop(body.send_data(Bytes::new(), true));
    Ok(())
}

/// A frame with those that need not be waited for; and what came after them, if that is known.
fn gather(
    first: Bytes,
    frames: &mut Streaming<Bytes>,
) -> (Bytes, Option<Result<Option<Bytes>, Error>>) {
    if first.len() >= TOGETHER {
        return (first, None);
    }
    let mut after = frames.next().now_or_never().map(Option::transpose);
    if !matches!(after, Some(Ok(Some(_)))) {
        return (first, after);
    }
    let mut together = BytesMut::with_capacity(TOGETHER);
    together.extend_from_slice(&first);
    while let Some(Ok(Some(frame))) = &after
        && together.len() + frame.len() <= TOGETHER
    {
        together.extend_from_slice(frame);
        after = frames.next().now_or_never().map(Option::transpose);
    }
    (together.freeze(), after)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_that_are_there_go_out_together_in_order() {
        let sent: Vec<Bytes> = (0..3000_u32)
            .map(|number| Bytes::copy_from_slice(&number.to_be_bytes()))
            .chain([
                Bytes::from(vec![7; 3 * TOGETHER]),
                Bytes::from_static(b"last"),
            ])
            .collect();
        let all = sent.concat();
        let mut frames = Streaming::of(sent);
        let (mut came, mut pieces) = (Vec::new(), 0);
        let mut next = frames.next().now_or_never().flatten().transpose().unwrap();
        while let Some(frame) = next {
            let (piece, after) = gather(frame, &mut frames);
            came.extend_from_slice(&piece);
            pieces += 1;
            next = match after {
                Some(after) => after.unwrap(),
                None => frames.next().now_or_never().flatten().transpose().unwrap(),
            };
        }
        assert_eq!(came, all);
        assert_eq!(pieces, 3);
    }

    #[test]
    fn a_message_that_stands_alone_goes_out_at_once() {
        let mut frames = Streaming::new(futures_util::stream::pending());
        let (piece, after) = gather(Bytes::from_static(b"one"), &mut frames);
        assert_eq!(piece, "one");
        assert!(after.is_none());
    }

    #[test]
    fn what_comes_before_an_error_is_sent_first() {
        let mut frames = Streaming::new(futures_util::stream::iter([
            Ok(Bytes::from_static(b"b")),
            Err(Error::data_loss("gone")),
        ]));
        let (piece, after) = gather(Bytes::from_static(b"a"), &mut frames);
        assert_eq!(piece, "ab");
        assert!(after.is_some_and(|after| after.is_err()));
    }
}
