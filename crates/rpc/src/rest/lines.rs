//! A body of many lines, taken one by one as they come.

use super::{Body, MAX_BODY};
use backlot_core::{Code, Error};
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;

/// The lines of a body. What is kept of it is a line and what came in one piece with its end.
pub(super) struct Lines {
    body: Body,
    kept: BytesMut,
    /// How much of `kept` is known to hold no line break.
    searched: usize,
    /// Lines taken already.
    number: u64,
    /// The body has ended.
    over: bool,
}

impl Lines {
    pub(super) fn new(body: Body) -> Self {
        Lines {
            body,
            kept: BytesMut::new(),
            searched: 0,
            number: 0,
            over: false,
        }
    }

    /// The next line without its end; nothing after the last one. Empty lines may only end the body:
    /// so lines and messages count alike.
    ///
    /// # Errors
    /// `OutOfRange` for a line above [`MAX_BODY`], `InvalidArgument` for an empty one before
    /// another, `Cancelled` when the body breaks off.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let mut empty = None;
        while let Some(line) = self.line().await? {
            self.number += 1;
            if line.trim_ascii().is_empty() {
                empty.get_or_insert(self.number);
            } else if let Some(empty) = empty {
                return Err(Error::invalid_argument(format!(
                    "line {empty} is empty: each line must be one JSON message"
                )));
            } else {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    async fn line(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(at) = self.kept[self.searched..]
                .iter()
                .position(|&byte| byte == b'\n')
            {
                let line = self.kept.split_to(self.searched + at).freeze();
                self.kept.advance(1);
                self.searched = 0;
                return self.bounded(line).map(Some);
            }
            self.searched = self.kept.len();
            if self.searched > MAX_BODY {
                let line = self.kept.split().freeze();
                return self.bounded(line).map(Some);
            }
            if self.over {
                self.searched = 0;
                let rest = self.kept.split().freeze();
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.kept.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => {
                    return Err(
                        Error::new(Code::Cancelled, "the request broke off").with_source(error)
                    );
                }
                None => self.over = true,
            }
        }
    }

    fn bounded(&self, line: Bytes) -> Result<Bytes, Error> {
        if line.len() > MAX_BODY {
            return Err(Error::new(
                Code::OutOfRange,
                format!("line {} is longer than {MAX_BODY} bytes", self.number + 1),
            ));
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn lines(pieces: Vec<Bytes>) -> Result<Vec<String>, Error> {
        let pieces = pieces.into_iter().map(Ok::<_, std::convert::Infallible>);
        let mut lines = Lines::new(Body::from_stream(futures_util::stream::iter(pieces)));
        let mut taken = Vec::new();
        while let Some(line) = lines.next().await? {
            taken.push(String::from_utf8_lossy(&line).into_owned());
        }
        Ok(taken)
    }

    async fn of(text: &str) -> Result<Vec<String>, String> {
        lines(vec![Bytes::copy_from_slice(text.as_bytes())])
            .await
            .map_err(|error| error.message().to_owned())
    }

    proptest! {
        #[test]
        fn lines_come_back_however_they_are_cut(
            sent in proptest::collection::vec("[a-z]{1,30}", 0..6),
            cuts in proptest::collection::vec(1usize..40, 1..20),
        ) {
            let mut rest = Bytes::from(sent.join("\n"));
            let mut pieces = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                pieces.push(rest.split_to(rest.len().min(*cut)));
            }
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            prop_assert_eq!(runtime.block_on(lines(pieces)).unwrap(), sent);
        }
    }

    #[tokio::test]
    async fn empty_lines_may_end_a_body_and_stand_nowhere_else() {
        assert_eq!(of("a\r\nb\n\n \n").await.unwrap(), ["a\r", "b"]);
        assert_eq!(of("").await.unwrap(), [""; 0]);
        assert_eq!(of("\n\n").await.unwrap(), [""; 0]);
        let refused = of("a\n\nb").await.unwrap_err();
        assert!(refused.starts_with("line 2 is empty"), "{refused}");
    }

    #[tokio::test]
    async fn a_line_above_the_limit_is_refused_before_it_ends() {
        let long = "x".repeat(MAX_BODY);
        assert_eq!(of(&format!("a\n{long}\nb")).await.unwrap().len(), 3);
        let endless = futures_util::stream::repeat_with(|| {
            Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; 4096]))
        });
        let error = Lines::new(Body::from_stream(endless))
            .next()
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::OutOfRange);
        assert!(error.message().starts_with("line 1 is longer"), "{error}");
    }
}
