//! One open connection, and how many calls are under way over it.

use super::exchange::Call;
use bytes::Bytes;
use h2::client::SendRequest;
use http::uri::Authority;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

/// An open connection.
pub(super) struct Line {
    sender: SendRequest<Bytes>,
    under_way: Arc<AtomicUsize>,
    /// Whether it got a call since it was last looked at.
    was_used: AtomicBool,
    /// It takes no more calls: nobody needs it.
    is_closing: AtomicBool,
}

/// A call's place on a connection, until it is over.
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    fn on(under_way: &Arc<AtomicUsize>) -> Self {
        // In order with `Line::close`: either that sees this call, or this call sees that.
        under_way.fetch_add(1, Ordering::SeqCst);
        Place(Arc::clone(under_way))
    }

    /// One that is nowhere.
    #[cfg(test)]
    pub(super) fn nowhere() -> Self {
        Place::on(&Arc::default())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Line {
    pub(super) fn new(sender: SendRequest<Bytes>) -> Self {
        Line {
            sender,
            under_way: Arc::default(),
            was_used: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
        }
    }

    /// A call over it, if it takes calls. One more than its peer answers at a time waits for its
    /// turn.
    pub(super) fn call(&self, authority: &Authority) -> Option<Call> {
        let place = Place::on(&self.under_way);
        self.was_used.store(true, Ordering::Relaxed);
        if self.is_closing.load(Ordering::SeqCst) {
            return None;
        }
        let mut sender = self.sender.clone();
        // A new clone waits for nothing: either it is ready, or its connection takes no more calls.
        match sender.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Some(Call {
                sender,
                authority: authority.clone(),
                place,
            }),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    }

    /// Whether its peer answers no more calls at a time than are under way (its
    /// `SETTINGS_MAX_CONCURRENT_STREAMS`; RFC 9113, section 5.1.2).
    pub(super) fn is_full(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) >= self.sender.current_max_send_streams()
    }

    /// It takes no more calls, if none is under way and none came since this was last asked; whether
    /// that is so.
    pub(super) fn close(&self) -> bool {
        if self.was_used.swap(false, Ordering::Relaxed) {
            return false;
        }
        self.is_closing.store(true, Ordering::SeqCst);
        let is_idle = self.under_way.load(Ordering::SeqCst) == 0;
        if !is_idle {
            self.is_closing.store(false, Ordering::SeqCst);
        }
        is_idle
    }
}
