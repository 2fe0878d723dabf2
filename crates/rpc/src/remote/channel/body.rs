//! The answer to a call as it comes: its messages, and how it ended.

use crate::remote::again::is_sick;
use crate::remote::line::Place;
use crate::remote::ready::Ready;
use crate::remote::set::Owned;
use crate::status;
use backlot_core::Deadline;
use bytes::Bytes;
use futures_util::future::Fuse;
use h2::{Reason, RecvStream};
use http::HeaderMap;
use http_body::Frame;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::oneshot;
use tokio::time::Sleep;
use tonic::Status;

/// What is still being asked, and what is told when it gives up.
pub(super) type Sending = (Owned, Fuse<oneshot::Receiver<Status>>);

pub(super) struct Answer {
    body: RecvStream,
    /// Until when it may go on, if that was said.
    until: Option<Pin<Box<Sleep>>>,
    /// Nothing more comes.
    is_over: bool,
    /// Its head said already that it went well.
    went_well: bool,
    _place: Place,
    /// The way it comes.
    ready: Ready,
    /// Ends with the answer.
    sending: Option<Sending>,
}

impl Answer {
    pub(super) fn new(
        body: RecvStream,
        deadline: Option<Deadline>,
        (place, ready): (Place, Ready),
        sending: Option<Sending>,
        went_well: bool,
    ) -> Self {
        let until = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline.instant())));
        Answer {
            body,
            until,
            is_over: false,
            went_well,
            _place: place,
            ready,
            sending,
        }
    }

    /// It ends with this.
    fn ends(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.is_over = true;
        Poll::Ready(Some(Err(status)))
    }

    fn broke(&mut self, error: &h2::Error) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.ready.failed_late();
        self.ends(meaning(error))
    }

    /// How the callee says that it ended.
    fn over(&mut self, trailers: Option<&HeaderMap>) {
        self.is_over = true;
        let status = trailers.and_then(Status::from_header_map);
        let is_sick = status.is_none_or(|status| {
            status.code() != tonic::Code::Ok && is_sick(status::to_error(&status, "").code())
        });
        if is_sick && !self.went_well {
            self.ready.failed_late();
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
        // First: one that comes faster than it is read would never end.
        if let Some(until) = &mut this.until
            && until.as_mut().poll(cx).is_ready()
        {
            let words = "the deadline passed before the answer was over";
            return this.ends(Status::deadline_exceeded(words));
        }
        if let Some((_, gives_up)) = &mut this.sending
            && let Poll::Ready(Ok(own)) = Pin::new(gives_up).poll(cx)
        {
            return this.ends(own);
        }
        match ready!(this.body.poll_data(cx)) {
            Some(Ok(data)) => {
                // The window reopens as fast as it is read. An error means that the stream has ended
                // already.
                drop(this.body.flow_control().release_capacity(data.len()));
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Err(error)) => this.broke(&error),
            None => match ready!(this.body.poll_trailers(cx)) {
                Ok(trailers) => {
                    this.over(trailers.as_ref());
                    Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
                }
                Err(error) => this.broke(&error),
            },
        }
    }
}

/// What it means that a stream was reset, as the protocol maps it.
fn meaning(error: &h2::Error) -> Status {
    let words = format!("the answer broke off: {error}");
    match error.reason() {
        Some(Reason::CANCEL) => Status::cancelled(words),
        Some(Reason::ENHANCE_YOUR_CALM) => Status::resource_exhausted(words),
        Some(Reason::INADEQUATE_SECURITY) => Status::permission_denied(words),
        _ => Status::unavailable(words),
    }
}
