//! A stream of answers on its way to the caller.

use super::{bounded, stopping};
use crate::Streaming;
use backlot_core::env::{Phase, Shutdown};
use backlot_core::{Deadline, Error};

/// Ends a stream at its deadline or when the process drains.
pub(super) fn until<T: Send + 'static>(
    mut stream: Streaming<T>,
    deadline: Deadline,
    shutdown: Shutdown,
) -> Streaming<T> {
    Streaming::new(async_stream::stream! {
        let draining = shutdown.reached(Phase::Draining);
        let over = tokio::time::sleep_until(deadline.instant());
        tokio::pin!(draining, over);
        loop {
            let item = tokio::select! {
                biased;
                () = &mut draining => Some(Err(stopping())),
                () = &mut over => Some(Err(Error::deadline_exceeded("the stream reached its deadline: reconnect"))),
                item = stream.next() => item,
            };
            match item {
                Some(Ok(item)) => yield Ok(item),
                Some(Err(error)) => {
                    yield Err(bounded(error));
                    break;
                }
                None => break,
            }
        }
    })
}
