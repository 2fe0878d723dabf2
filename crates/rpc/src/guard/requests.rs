//! A stream of requests on its way to the handler: each message is checked, and waited for no
//! longer than a sender may be silent.

use super::{Via, stopping};
use crate::mount::Payload;
use crate::validate::located;
use crate::{Streaming, Violations};
use backlot_core::Error;
use backlot_core::env::{Phase, Shutdown};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// What was wrong with a stream, once it is known.
#[derive(Clone, Default)]
pub(super) struct Refusal(Arc<Mutex<Option<Error>>>);

impl Refusal {
    pub(super) fn take(&self) -> Option<Error> {
        self.0.lock().take()
    }

    /// Keeps an error, and returns it as the handler sees it: without its cause.
    fn keep(&self, error: Error) -> Error {
        let mut seen = Error::new(error.code(), error.message().to_owned());
        for violation in error.violations() {
            seen = seen.with_violation(violation.field.clone(), violation.description.clone());
        }
        if let Some(pushback) = error.pushback() {
            seen = seen.with_pushback(pushback);
        }
        *self.0.lock() = Some(error);
        seen
    }
}

/// The stream as the handler reads it, and what turns out to be wrong with it.
pub(super) fn checked<Req: Payload>(
    mut messages: Streaming<Req>,
    via: Via,
    silence: Duration,
    shutdown: Shutdown,
) -> (Streaming<Req>, Refusal) {
    let refusal = Refusal::default();
    let kept = refusal.clone();
    let checked = Streaming::new(async_stream::stream! {
        let draining = shutdown.reached(Phase::Draining);
        tokio::pin!(draining);
        let mut number = 0_u64;
        loop {
            number += 1;
            let message = tokio::select! {
                biased;
                () = &mut draining => Some(Err(stopping())),
                message = messages.next() => message,
                // A new timer each time: silence is counted from when the handler waits.
                () = tokio::time::sleep(silence) => Some(Err(silent(number, silence))),
            };
            let Some(message) = message else { break };
            let valid = message.and_then(|message| match Violations::check(&message) {
                Ok(()) => Ok(message),
                Err(error) => Err(located(error, &place(via, number))),
            });
            match valid {
                Ok(message) => yield Ok(message),
                Err(error) => {
                    yield Err(kept.keep(error));
                    break;
                }
            }
        }
    });
    (checked, refusal)
}

/// The message as its sender counts: a line of a REST request, else a message, from 1.
fn place(via: Via, number: u64) -> String {
    match via {
        Via::Rest => format!("line {number}"),
        Via::Direct | Via::Grpc => format!("message {number}"),
    }
}

fn silent(number: u64, silence: Duration) -> Error {
    Error::deadline_exceeded(format!(
        "message {number} did not come within {silence:?}, nor the end of the stream"
    ))
}

#[cfg(test)]
mod tests;
