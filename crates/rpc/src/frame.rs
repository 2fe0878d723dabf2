//! Messages as gRPC frames them: a flag, a length, the message itself.
//!
//! Both ends of a call read and write them here, straight from and into the connection's own
//! bytes: a message that comes whole is never copied.

use backlot_core::{Code, Error};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

/// The largest message in either direction, in bytes.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// The flag and the length.
const HEAD: usize = 5;

/// A message with its head.
///
/// # Errors
/// `OutOfRange` when it is larger than [`MAX_MESSAGE`].
pub(crate) fn encode(message: &impl Message) -> Result<Bytes, Error> {
    let mut frame = begin(message.encoded_len())?;
    // The buffer grows as needed: encoding has no way to fail.
    message
        .encode(&mut frame)
        .map_err(|error| Error::internal("a message cannot be encoded").with_source(error))?;
    Ok(frame.freeze())
}

/// An encoded message with its head.
///
/// # Errors
/// As [`encode`].
pub(crate) fn wrap(message: &[u8]) -> Result<Bytes, Error> {
    let mut frame = begin(message.len())?;
    frame.put_slice(message);
    Ok(frame.freeze())
}

fn begin(length: usize) -> Result<BytesMut, Error> {
    let told = u32::try_from(length)
        .ok()
        .filter(|_| length <= MAX_MESSAGE)
        .ok_or_else(|| too_large(length))?;
    let mut frame = BytesMut::with_capacity(HEAD + length);
    frame.put_u8(0);
    frame.put_u32(told);
    Ok(frame)
}

fn too_large(length: usize) -> Error {
    Error::new(
        Code::OutOfRange,
        format!("a message of {length} bytes is larger than {MAX_MESSAGE}"),
    )
}

/// Takes messages out of bytes that come in any pieces.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// What came in one piece.
    whole: Bytes,
    /// What had to be put together; `whole` is empty then.
    pieces: BytesMut,
}

impl Frames {
    /// Adds what came next.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if self.is_empty() {
            self.whole = bytes;
            return;
        }
        let whole = std::mem::take(&mut self.whole);
        self.pieces.extend_from_slice(&whole);
        self.pieces.extend_from_slice(&bytes);
    }

    /// Whether nothing is left over: at the end, anything left is a message cut short.
    pub(crate) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.pieces.is_empty()
    }

    /// The next message, if all of it is there.
    ///
    /// # Errors
    /// `InvalidArgument` for a flag that was not agreed upon, `OutOfRange` for a length above
    /// [`MAX_MESSAGE`], before any of that message is kept.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let bytes: &[u8] = if self.pieces.is_empty() {
            &self.whole
        } else {
            &self.pieces
        };
        let Some((head, message)) = bytes.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let [flag, length @ ..] = *head;
        match flag {
            0 => {}
            1 => {
                return Err(Error::invalid_argument(
                    "the message is compressed, which was not agreed upon",
                ));
            }
            _ => {
                return Err(Error::invalid_argument(format!(
                    "the message has the unknown flag {flag}"
                )));
            }
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_MESSAGE {
            return Err(too_large(length));
        }
        if message.len() < length {
            return Ok(None);
        }
        let end = HEAD + length;
        let mut taken = if self.pieces.is_empty() {
            self.whole.split_to(end)
        } else {
            self.pieces.split_to(end).freeze()
        };
        taken.advance(HEAD);
        Ok(Some(taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_come_back_however_they_are_cut(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..6),
            cuts in proptest::collection::vec(1usize..90, 1..40),
        ) {
            let sent: Vec<u8> = messages.iter().flat_map(|message| wrap(message).unwrap()).collect();
            let (mut frames, mut came, mut rest) = (Frames::default(), Vec::new(), Bytes::from(sent));
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                frames.push(rest.split_to(rest.len().min(*cut)));
                while let Some(message) = frames.next().unwrap() {
                    came.push(message.to_vec());
                }
            }
            prop_assert_eq!(came, messages);
            prop_assert!(frames.is_empty());
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in any::<Vec<u8>>()) {
            let mut frames = Frames::default();
            frames.push(bytes.into());
            while let Ok(Some(_message)) = frames.next() {}
        }
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_the_message_comes() {
        let mut frames = Frames::default();
        frames.push(Bytes::from_static(b"\0\xff\xff\xff\xff"));
        assert_eq!(frames.next().unwrap_err().code(), Code::OutOfRange);
        let mut frames = Frames::default();
        frames.push(Bytes::from_static(b"\xff\xff\xff\xff\xff"));
        assert_eq!(frames.next().unwrap_err().code(), Code::InvalidArgument);
    }

    #[test]
    fn the_largest_message_fits_and_no_larger() {
        let mut frames = Frames::default();
        frames.push(wrap(&vec![7; MAX_MESSAGE]).unwrap());
        assert_eq!(frames.next().unwrap().unwrap().len(), MAX_MESSAGE);
        assert_eq!(
            wrap(&vec![7; MAX_MESSAGE + 1]).unwrap_err().code(),
            Code::OutOfRange
        );
    }

    #[test]
    fn a_message_that_comes_whole_is_not_copied() {
        let sent = wrap(b"film").unwrap();
        let at = sent.as_ptr();
        let mut frames = Frames::default();
        frames.push(sent);
        assert_eq!(
            frames.next().unwrap().unwrap().as_ptr(),
            at.wrapping_add(HEAD)
        );
    }
}
