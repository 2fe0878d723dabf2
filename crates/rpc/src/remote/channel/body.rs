//! The answer to a call as it comes: its messages, and how it ended.

use crate::remote::line::Place;
use crate::remote::set::{Held, Owned};
use backlot_core::Deadline;
use bytes::Bytes;
use h2::RecvStream;
use http_body::Frame;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::Sleep;
use tonic::Status;

pub(super) struct Answer {
    body: RecvStream,
    /// Until when it may go on, if that was said.
    until: Option<Pin<Box<Sleep>>>,
    /// Nothing more comes.
    is_over: bool,
    _kept: (Place, Held),
    /// What is still being asked ends with the answer.
    _sending: Option<Owned>,
}

impl Answer {
    pub(super) fn new(
        body: RecvStream,
        deadline: Option<Deadline>,
        kept: (Place, Held),
        sending: Option<Owned>,
    ) -> Self {
        let until = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline.instant())));
        Answer {
            body,
            until,
            is_over: false,
            _kept: kept,
            _sending: sending,
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        if let Poll::Ready(next) = this.body.poll_data(cx) {
            match next {
                Some(Ok(data)) => {
                    // The window reopens as fast as it is read. An error means that the stream has
                    // ended already.
                    drop(this.body.flow_control().release_capacity(data.len()));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => {
                    this.is_over = true;
                    return Poll::Ready(Some(Err(broke(&error))));
                }
                None => {
                    let trailers = ready!(this.body.poll_trailers(cx));
                    this.is_over = true;
                    return Poll::Ready(match trailers {
                        Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
                        Err(error) => Some(Err(broke(&error))),
                    });
                }
            }
        }
        if let Some(until) = &mut this.until
            && until.as_mut().poll(cx).is_ready()
        {
            this.is_over = true;
            let words = "the deadline passed before the answer was over";
            return Poll::Ready(Some(Err(Status::deadline_exceeded(words))));
        }
        Poll::Pending
    }
}

fn broke(error: &h2::Error) -> Status {
    Status::unavailable(format!("the connection broke: {error}"))
}
