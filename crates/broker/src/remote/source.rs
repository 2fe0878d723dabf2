//! A member of a group of another process.

use super::{Shared, changing};
use crate::contract::broker::v1 as proto;
use crate::server::{MAX_MESSAGES, MAX_WAIT};
use crate::wire::failure::{Asks, of_call};
use crate::wire::told;
use async_trait::async_trait;
use backlot_core::Context;
use backlot_core::backoff::Backoff;
use backlot_messaging::Error;
use backlot_messaging::engine::{Input, Settle, Source, Stale, Subscription, Token};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The least and the most that one call waits. A caller that dies meanwhile is noticed after it.
const LEAST_WAIT: Duration = Duration::from_millis(20);
const MOST_WAIT: Duration = Duration::from_secs(10);
/// How much longer than its wait a call may take.
const MARGIN: Duration = Duration::from_secs(5);
/// How long a call about messages may take, and all attempts together.
const SETTLE: Duration = Duration::from_secs(5);
const SETTLE_ALL: Duration = Duration::from_secs(15);
/// How long leaving may take.
const LEAVE: Duration = Duration::from_secs(2);
/// Waits after calls that failed.
const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(50),
    cap: Duration::from_secs(1),
};
/// The most of one call about messages: dead letters travel with it.
const REQUEST_BYTES: usize = 3 << 20;
const REQUEST_MESSAGES: usize = 10_000;

pub(super) struct Session {
    shared: Arc<Shared>,
    name: String,
    /// The number of the next call.
    sequence: u64,
    wait: Duration,
    /// How long the broker keeps it for a caller that is not heard, and when it heard this one last.
    lease: Duration,
    heard: Instant,
    /// How many calls for more failed in a row, and when the next may be made.
    failures: u32,
    not_before: Option<Instant>,
    has_left: bool,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, name: String, subscription: &Subscription) -> Self {
        debug_assert!(MOST_WAIT <= MAX_WAIT);
        Session {
            shared,
            name,
            sequence: 1,
            wait: (subscription.lease / 3).clamp(LEAST_WAIT, MOST_WAIT),
            lease: subscription.lease,
            heard: Instant::now(),
            failures: 0,
            not_before: None,
            has_left: false,
        }
    }

    /// One call for more; nothing when nothing came. Dropped at any point it loses nothing: what was
    /// answered is answered again.
    async fn ask(&mut self, max: usize) -> Result<Option<Input>, Error> {
        if let Some(until) = self.not_before {
            sleep_until(until).await;
        }
        let request = proto::NextRequest {
            session: self.name.clone(),
            sequence: self.sequence,
            max: u32::try_from(max)
                .unwrap_or(MAX_MESSAGES)
                .clamp(1, MAX_MESSAGES),
            wait_ms: u32::try_from(self.wait.as_millis()).unwrap_or(u32::MAX),
            secret: self.shared.secret(),
        };
        let cx = Context::system("reader").with_timeout(self.wait + MARGIN);
        let answer = self.shared.client.next(&cx, request).await;
        let told = answer.and_then(|answer| answer.told.map(told::told_of).transpose());
        match told {
            Ok(told) => {
                self.failures = 0;
                self.not_before = None;
                self.heard = Instant::now();
                self.sequence += u64::from(told.is_some());
                Ok(told)
            }
            Err(error) => {
                self.failures += 1;
                let wait = BACKOFF.wait(self.failures, &self.shared.dice);
                self.not_before = Some(Instant::now() + wait);
                Err(of_call(&error, Asks::ToKnow))
            }
        }
    }

    /// Settles as many as one call holds, again and again until it is answered.
    async fn say(&self, settlements: Vec<proto::Settlement>) -> Result<Vec<Stale>, Error> {
        let until = Instant::now() + SETTLE_ALL;
        let (mut failures, mut is_doubted) = (0, false);
        loop {
            let request = proto::SettleRequest {
                session: self.name.clone(),
                settlements: settlements.clone(),
                secret: self.shared.secret(),
            };
            let cx = Context::system("reader").with_timeout(SETTLE);
            let answer = self.shared.client.settle(&cx, request).await;
            let stale = answer.and_then(|answer| {
                let stale = answer.stale.into_iter().map(told::stale_of);
                stale.collect::<Result<Vec<Stale>, _>>()
            });
            let error = match stale {
                Ok(stale) => return Ok(stale),
                Err(error) => changing(&error),
            };
            let is_passing = matches!(error, Error::Unknown { .. } | Error::Away { .. });
            is_doubted |= error.may_have_happened();
            failures += 1;
            let again = Instant::now() + BACKOFF.wait(failures, &self.shared.dice);
            if !is_passing || again >= until {
                return Err(match error {
                    // An earlier attempt may have been the one.
                    error if !is_doubted || error.may_have_happened() => error,
                    _ => Error::Unknown { source: None },
                });
            }
            sleep_until(again).await;
        }
    }

    /// Whether the broker has it still, unless it began anew.
    fn is_kept(&self) -> bool {
        Instant::now().saturating_duration_since(self.heard) < self.lease
    }

    fn leaving(&self, died: bool) -> proto::LeaveRequest {
        proto::LeaveRequest {
            session: self.name.clone(),
            died,
            secret: self.shared.secret(),
        }
    }
}

#[async_trait]
impl Source for Session {
    async fn next(&mut self, max: usize) -> Result<Input, Error> {
        let mut closed = self.shared.closed.subscribe();
        loop {
            let told = tokio::select! {
                biased;
                // The sender is held here.
                _ = closed.wait_for(|closed| *closed) => return Err(Error::Closed),
                told = self.ask(max) => match told {
                    // What is out is still this caller's: who let go of it would have it come again
                    // while it is worked on.
                    Err(Error::Away { .. }) if self.is_kept() => continue,
                    told => told?,
                },
            };
            if let Some(input) = told {
                return Ok(input);
            }
        }
    }

    async fn settle(&mut self, settled: Vec<(Token, Settle)>) -> Result<Vec<Stale>, Error> {
        if *self.shared.closed.borrow() {
            return Err(Error::Closed);
        }
        let (mut stale, mut part, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (token, settle) in settled {
            let size = match &settle {
                Settle::Dead(letter) => told::record_size(&letter.record) + letter.topic.len(),
                Settle::Failed(failure)
                | Settle::Retry {
                    failure: Some(failure),
                    ..
                } => failure.class.len() + failure.message.len(),
                Settle::Done | Settle::Retry { failure: None, .. } | Settle::Extend(_) => 0,
            } + 64;
            if bytes + size > REQUEST_BYTES || part.len() >= REQUEST_MESSAGES {
                stale.extend(self.say(std::mem::take(&mut part)).await?);
                bytes = 0;
            }
            bytes += size;
            part.push(told::settlement((token, settle)));
        }
        if !part.is_empty() {
            stale.extend(self.say(part).await?);
        }
        Ok(stale)
    }

    async fn close(mut self: Box<Self>) -> Result<(), Error> {
        self.has_left = true;
        let cx = Context::system("reader").with_timeout(SETTLE);
        let left = self.shared.client.leave(&cx, self.leaving(false)).await;
        left.map(drop).map_err(|error| changing(&error))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Dropped after the runtime there is nobody to say it with, and the lease ends as well.
        if self.has_left || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (shared, request) = (Arc::clone(&self.shared), self.leaving(true));
        self.shared.tasks.spawn("broker-leave", async move {
            let cx = Context::system("reader").with_timeout(LEAVE);
            // If it is not heard, the lease ends.
            drop(shared.client.leave(&cx, request).await);
        });
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}
