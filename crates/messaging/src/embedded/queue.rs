//! What waits to be published: bounded in messages and bytes, first in, first out.

use super::append::Item;
use crate::Error;
use crate::engine::Receipt;
use backlot_core::Deadline;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

/// The most messages, and about the most bytes, of one commit.
pub(super) const COMMIT_MESSAGES: usize = 16 * 1024;
pub(super) const COMMIT_BYTES: usize = 4 << 20;
/// The most bytes of one call.
pub(super) const CALL_BYTES: usize = 16 << 20;
/// A place in the queue holds one message, or this many bytes of one.
const PLACE_BYTES: usize = 1024;

pub(super) type Answer = Result<Vec<Receipt>, Error>;

/// One call.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) items: Vec<Item>,
    bytes: usize,
    reply: oneshot::Sender<Answer>,
    phase: Arc<Mutex<Phase>>,
    _places: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Begun,
    /// Its caller went away before it began.
    Abandoned,
}

impl Request {
    pub(super) fn answer(self, answer: Answer) {
        // A caller that went away misses nothing: what began stands.
        drop(self.reply.send(answer));
    }

    /// Takes the messages out, to answer later.
    pub(super) fn split(&mut self) -> Vec<Item> {
        std::mem::take(&mut self.items)
    }

    /// Whether it may begin: not when its caller went away.
    fn begin(&self) -> bool {
        let mut phase = self.phase.lock();
        if *phase == Phase::Abandoned || self.reply.is_closed() {
            return false;
        }
        *phase = Phase::Begun;
        true
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Notify,
    places: Arc<Semaphore>,
    bound: u32,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Request>,
    messages: usize,
    bytes: usize,
    is_closed: bool,
}

impl Queue {
    pub(super) fn new(bound: u32) -> Self {
        let bound = bound.max(1);
        Queue {
            state: Mutex::default(),
            arrived: Notify::new(),
            places: Arc::new(Semaphore::new(bound as usize)),
            bound,
        }
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.state.lock().messages
    }

    /// Waits for places, and for the answer, until the deadline.
    pub(super) async fn call(
        &self,
        items: Vec<Item>,
        deadline: Deadline,
        may_wait: bool,
    ) -> Answer {
        let bytes: usize = items.iter().map(Item::size).sum();
        let each = items
            .iter()
            .map(|item| item.size().div_ceil(PLACE_BYTES).max(1));
        let wanted = u32::try_from(each.sum::<usize>()).unwrap_or(u32::MAX);
        let places = Arc::clone(&self.places);
        // What is larger than the whole queue waits until it is empty.
        let places = places.acquire_many_owned(wanted.min(self.bound));
        let places = if may_wait {
            match tokio::time::timeout_at(deadline.instant(), places).await {
                Ok(places) => places.map_err(|_| Error::Closed)?,
                Err(_) => return Err(Error::Late),
            }
        } else {
            let places = Arc::clone(&self.places);
            places
                .try_acquire_many_owned(wanted.min(self.bound))
                .map_err(|error| match error {
                    tokio::sync::TryAcquireError::Closed => Error::Closed,
                    tokio::sync::TryAcquireError::NoPermits => Error::Busy {
                        waiting: self.bound as usize - self.places.available_permits(),
                    },
                })?
        };
        let (reply, answer) = oneshot::channel();
        let phase = Arc::new(Mutex::new(Phase::Waiting));
        let request = Request {
            items,
            bytes,
            reply,
            phase: Arc::clone(&phase),
            _places: places,
        };
        {
            let mut state = self.state.lock();
            if state.is_closed {
                return Err(Error::Closed);
            }
            state.messages += request.items.len();
            state.bytes += request.bytes;
            state.waiting.push_back(request);
        }
        self.arrived.notify_one();
        match tokio::time::timeout_at(deadline.instant(), answer).await {
            Ok(Ok(answer)) => answer,
            // Whoever was to answer is gone.
            Ok(Err(_)) => Err(gave_up(&phase).unwrap_or(Error::Closed)),
            Err(_) => Err(gave_up(&phase).unwrap_or(Error::Late)),
        }
    }

    /// What one commit takes, once something is there that has at least so many bytes; nothing
    /// when the queue is closed and empty. To stop waiting, drop the future.
    pub(super) async fn take(&self, bytes: usize) -> Option<Vec<Request>> {
        loop {
            {
                let mut state = self.state.lock();
                if state.is_closed || state.bytes >= bytes {
                    let taken = state.take();
                    if !taken.is_empty() {
                        return Some(taken);
                    }
                }
                if state.is_closed {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Refuses what comes from now on. What waits is still taken.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.places.close();
        self.arrived.notify_one();
    }

    /// Lets go of what waits, when nobody will take it any more.
    pub(super) fn abandon(&self) {
        self.close();
        let waiting = {
            let mut state = self.state.lock();
            (state.messages, state.bytes) = (0, 0);
            std::mem::take(&mut state.waiting)
        };
        for request in waiting {
            request.answer(Err(Error::Closed));
        }
    }
}

impl State {
    fn take(&mut self) -> Vec<Request> {
        let (mut messages, mut bytes) = (0, 0);
        let mut taken = Vec::new();
        while let Some(next) = self.waiting.front() {
            let fits = messages + next.items.len() <= COMMIT_MESSAGES
                && bytes + next.bytes <= COMMIT_BYTES;
            if !taken.is_empty() && !fits {
                break;
            }
            let Some(request) = self.waiting.pop_front() else {
                break;
            };
            self.messages -= request.items.len();
            self.bytes -= request.bytes;
            if request.begin() {
                messages += request.items.len();
                bytes += request.bytes;
                taken.push(request);
            }
        }
        taken
    }
}

/// Stops waiting: nothing when it had not begun, and will not.
fn gave_up(phase: &Mutex<Phase>) -> Option<Error> {
    let mut phase = phase.lock();
    if *phase == Phase::Begun {
        return Some(Error::Unknown { source: None });
    }
    *phase = Phase::Abandoned;
    None
}
