//! The relay: hands what waits to whatever carries it, in order, and removes what was taken.

use super::lease::{Acquired, Holder, Lease};
use super::queue::{Batch, Depth, Limits, Queue, Receipt};
use crate::{Store, StoreError};
use backlot_core::backoff::Backoff;
use backlot_core::{Context, Dice, Error};
use std::fmt;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How often the depth is looked at.
const LOOKS: Duration = Duration::from_secs(1);

/// What carries messages on: a broker.
pub trait Forward: Send + Sync {
    /// Hands the messages on, in their order; `Ok` when all of them are kept as safely as the
    /// broker keeps any. After an error, and after `cx`'s deadline, all of them come again, and
    /// nothing behind them is sent meanwhile: what a broker will never take is to be put elsewhere,
    /// with the dead letters, and answered with `Ok`.
    ///
    /// # Errors
    /// Why some of them may not be kept.
    fn forward(&self, cx: &Context, batch: Batch)
    -> impl Future<Output = Result<(), Error>> + Send;
}

/// How a relay works. The defaults suit every service we know.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How much is taken at once. Default: 500 messages, 4 MiB.
    pub limits: Limits,
    /// How long others wait for a relay that does not stir. Nothing is written while nothing waits.
    /// Default: 30 s.
    pub lease: Duration,
    /// How long a batch may take, and each call of the store; at most half of the lease is used, so
    /// that it lasts. Default: 10 s.
    pub patience: Duration,
    /// How often to look for messages of other processes; those of this one wake it at once.
    /// Default: 250 ms.
    pub poll: Duration,
    /// The pauses after failures. Default: up to 50 ms after the first, doubling up to 2 s: so late
    /// is what waits after an outage, at most.
    pub backoff: Backoff,
    /// How long it goes on when it is told to stop, until nothing waits. Default: 10 s.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limits: Limits::default(),
            lease: Duration::from_secs(30),
            patience: Duration::from_secs(10),
            poll: Duration::from_millis(250),
            backoff: Backoff {
                base: Duration::from_millis(50),
                cap: Duration::from_secs(2),
            },
            drain: Duration::from_secs(10),
        }
    }
}

/// What a relay does, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whether it holds the lease, as far as it knows.
    pub leading: bool,
    /// How many messages it has sent and confirmed.
    pub sent: u64,
    /// How many attempts in a row have failed.
    pub failures: u32,
    /// How much waits, whoever wrote it; looked at once a second.
    pub depth: Depth,
}

/// How a relay came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing waits.
    Empty,
    /// Another relay has the lease, and goes on.
    Elsewhere,
    /// The time to drain was over; what waits is sent by the next one.
    Cut,
}

/// Sends what the outbox of a store holds. Any number of them, in any number of processes, may run
/// over one database: one sends at a time.
pub struct Relay<F> {
    queue: Queue,
    forward: F,
    owner: String,
    dice: Dice,
    options: Options,
    status: watch::Sender<Status>,
    lease: Option<Lease>,
    /// Sent, but not confirmed yet.
    sent: Option<Receipt>,
    /// Who has the lease, unchanged since when.
    busy: Option<(Holder, Instant)>,
    looked: Option<Instant>,
}

enum Step {
    Sent,
    Empty,
    Elsewhere,
}

impl<F: Forward> Relay<F> {
    /// A relay of this store's outbox. `owner` names it among others over the same database, and is
    /// the same when it is started anew, so that it need not wait for itself: an instance's name.
    pub fn new(
        store: &Store,
        forward: F,
        owner: impl Into<String>,
        dice: Dice,
        options: Options,
    ) -> Self {
        Relay {
            queue: store.outbox(),
            forward,
            owner: owner.into(),
            dice,
            options,
            status: watch::Sender::new(Status::default()),
            lease: None,
            sent: None,
            busy: None,
            looked: None,
        }
    }

    /// What it does, now and later.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Sends until `stop` is done; then until nothing waits, for as long as
    /// [`drain`](Options::drain) allows, and gives the lease back. Failures, its own and the
    /// broker's, are logged at `warn`, and tried again until then.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) -> End {
        let (stopping, told) = watch::channel(false);
        let drain = self.options.drain;
        let end = {
            let mut work = pin!(self.work(told));
            let mut stop = pin!(stop);
            tokio::select! {
                biased;
                end = &mut work => end,
                () = &mut stop => {
                    stopping.send_replace(true);
                    timeout(drain, work).await.unwrap_or(End::Cut)
                }
            }
        };
        if let Some(lease) = self.lease.take()
            && let Err(error) = self.queue.release(&self.cx(), lease).await
        {
            tracing::debug!(%error, "the outbox's lease was not given back, and expires");
        }
        end
    }

    async fn work(&mut self, mut stopping: watch::Receiver<bool>) -> End {
        let mut added = self.queue.added();
        loop {
            // Both before looking: what comes meanwhile is seen after.
            let is_stopping = *stopping.borrow_and_update();
            added.borrow_and_update();
            let step = self.step().await;
            self.tell(&step).await;
            let is_idle = matches!(step, Ok(Step::Empty));
            let pause = match step {
                Ok(Step::Sent) => {
                    tokio::task::yield_now().await;
                    continue;
                }
                Ok(Step::Empty) if is_stopping => return End::Empty,
                Ok(Step::Elsewhere) if is_stopping => return End::Elsewhere,
                Ok(Step::Empty | Step::Elsewhere) => self.options.poll,
                Err(_) => {
                    let failures = self.status.borrow().failures;
                    self.options.backoff.wait(failures, &self.dice)
                }
            };
            // The senders live in the store and in `run`: changes cannot fail to come.
            tokio::select! {
                biased;
                _changed = stopping.changed(), if !is_stopping => {}
                _changed = added.changed(), if is_idle => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// One batch.
    async fn step(&mut self) -> Result<Step, Error> {
        let cx = self.cx();
        if !self.lasts() {
            if self.sent.is_none() && self.queue.depth(&cx).await?.waiting == 0 {
                self.busy = None;
                return Ok(Step::Empty);
            }
            if !self.acquire(&cx).await? {
                return Ok(Step::Elsewhere);
            }
        }
        if self.sent.is_some() {
            return self.confirm().await;
        }
        let mut batch = self.queue.take(&cx, self.options.limits).await?;
        let receipt = batch.receipt();
        if receipt.is_empty() {
            return Ok(Step::Empty);
        }
        batch.fence = self.lease.as_ref().map_or(0, Lease::fence);
        let cx = self.cx();
        let forwarding = self.forward.forward(&cx, batch);
        match timeout(self.patience(), forwarding).await {
            Ok(forwarded) => forwarded?,
            Err(_elapsed) => {
                return Err(Error::deadline_exceeded(
                    "the messages were not taken in time",
                ));
            }
        }
        self.sent = Some(receipt);
        self.confirm().await
    }

    /// Whether the lease is ours for as long as a batch may take.
    fn lasts(&self) -> bool {
        let now = self.queue.store().clock().wall();
        self.lease
            .as_ref()
            .is_some_and(|lease| lease.until() >= now.plus(self.patience()))
    }

    async fn acquire(&mut self, cx: &Context) -> Result<bool, Error> {
        let time = self.options.lease;
        if let Some(lease) = self.lease.clone() {
            let extended = self.queue.extend(cx, &lease, time).await;
            self.lease = Some(self.unless_fenced(extended)?);
            return Ok(true);
        }
        // Clocks may disagree: who has not stirred for the time of a lease is gone.
        let now = Instant::now();
        let is_gone = |since: Instant| now.saturating_duration_since(since) > time;
        let busy = self.busy.as_ref();
        let gone = busy.and_then(|(holder, since)| is_gone(*since).then_some(holder));
        let acquired = self.queue.acquire(cx, &self.owner, time, gone).await?;
        match acquired {
            Acquired::Held(lease) => {
                self.busy = None;
                // What another one has sent meanwhile is not ours to confirm.
                self.sent = None;
                self.lease = Some(lease);
                Ok(true)
            }
            Acquired::Busy(holder) => {
                let is_same = busy.is_some_and(|(seen, _)| *seen == holder);
                if !is_same {
                    self.busy = Some((holder, now));
                }
                Ok(false)
            }
        }
    }

    /// Removes what was sent. If that fails it is tried again before anything else is sent.
    async fn confirm(&mut self) -> Result<Step, Error> {
        let (Some(lease), Some(receipt)) = (self.lease.clone(), self.sent.clone()) else {
            return Ok(Step::Sent);
        };
        let count = receipt.len() as u64;
        let time = self.options.lease;
        let confirmed = self.queue.confirm(&self.cx(), &lease, receipt, time).await;
        self.lease = Some(self.unless_fenced(confirmed)?);
        self.sent = None;
        self.status.send_modify(|status| status.sent += count);
        Ok(Step::Sent)
    }

    /// Somebody else has the lease: it is not ours any more, nor is what was sent under it.
    fn unless_fenced<T>(&mut self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Fenced { .. }) = &done {
            self.lease = None;
            self.sent = None;
        }
        done
    }

    /// Says what came of it, and now and then how much waits.
    async fn tell(&mut self, step: &Result<Step, Error>) {
        let leading = self.lease.is_some();
        let failed = step.is_err();
        self.status.send_modify(|status| {
            status.leading = leading;
            status.failures = if failed { status.failures + 1 } else { 0 };
        });
        if let Err(error) = step {
            let failures = self.status.borrow().failures;
            tracing::warn!(
                error = error.chain(),
                failures,
                "messages of the outbox were not sent, and will be tried again"
            );
        }
        let now = Instant::now();
        let is_due = |looked| now.saturating_duration_since(looked) >= LOOKS;
        if self.looked.is_none_or(is_due) {
            self.looked = Some(now);
            if let Ok(depth) = self.queue.depth(&self.cx()).await {
                self.status.send_modify(|status| status.depth = depth);
            }
        }
    }

    fn patience(&self) -> Duration {
        self.options.patience.min(self.options.lease / 2)
    }

    fn cx(&self) -> Context {
        Context::system("outbox relay").with_timeout(self.patience())
    }
}

impl<F> fmt::Debug for Relay<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("owner", &self.owner)
            .field("options", &self.options)
            .field("status", &*self.status.borrow())
            .finish_non_exhaustive()
    }
}
