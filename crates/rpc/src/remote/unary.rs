//! A call whose request is known as a whole: sent, held back, or sent again.

use super::again::{self, Again, Attempts, Outcome};
use super::choose::{Trial, Want};
use super::exchange::{Call, Failure};
use super::latency::Latency;
use super::only;
use super::ready::Ready;
use super::way::Way;
use crate::binding::{Doubted, Unmade};
use crate::contract::Effect;
use crate::policy::{Policy, Rule};
use backlot_core::{Code, Context, Deadline, Error};
use backlot_service::telemetry::{Count, Counter, Metrics};
use bytes::Bytes;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Calls made again, by what became of the wish.
pub const REPEATED: Counter<3> = Counter::new(
    "backlot_call_repetitions_total",
    "calls made again after they failed: made, refused (by the callee, which never saw it), over budget, held back",
    ["service", "method", "outcome"],
);
/// Calls that were never sent, by why.
pub const NOT_SENT: Counter<3> = Counter::new(
    "backlot_calls_not_sent_total",
    "calls that were not sent: throttled, deadline (it hardly ever takes as little as was left)",
    ["service", "method", "why"],
);

/// An attempt that took so many times as long as half of the calls, and so long at least, and is not
/// answered speaks against its callee.
const SLOW: u32 = 10;
const LONG: Duration = Duration::from_secs(1);
/// Of calls that cannot be answered in time one in so many is sent: it may have become faster.
const CURIOUS: u64 = 20;

/// What is counted and known of one method.
pub(super) struct Series {
    made: Count,
    refused: Count,
    over_budget: Count,
    held_back: Count,
    throttled: Count,
    too_late: Count,
    pub(super) latency: Latency,
}

/// What is asked: a method, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) name: &'a str,
    /// Its gRPC path.
    pub(super) path: &'a str,
    pub(super) effect: Effect,
    pub(super) series: &'a Series,
}

impl Series {
    pub(super) fn of(metrics: &Metrics, (service, name): (&str, &str), now: Instant) -> Self {
        let repeated = |outcome| metrics.counter(&REPEATED, [service, name, outcome]);
        let not_sent = |why| metrics.counter(&NOT_SENT, [service, name, why]);
        Series {
            made: repeated("made"),
            refused: repeated("refused"),
            over_budget: repeated("over budget"),
            held_back: repeated("held back"),
            throttled: not_sent("throttled"),
            too_late: not_sent("deadline"),
            latency: Latency::new(now),
        }
    }
}

impl Series {
    /// Whether an attempt that was not answered after so long says something of its callee rather
    /// than of the caller's patience.
    fn is_slow(&self, waited: Duration, now: Instant) -> bool {
        let median = self.latency.median(now).unwrap_or_default();
        waited >= (SLOW * median).max(LONG)
    }
}

/// An attempt within the time of the call, and of one attempt.
async fn in_time<T>(
    attempt: impl Future<Output = Result<T, Failure>>,
    deadline: Deadline,
    patience: Option<Duration>,
) -> Result<T, Failure> {
    let mut work = pin!(attempt);
    let mut timer = pin!(None::<Sleep>);
    let own = patience.map(Deadline::after);
    let until = own.map_or(deadline, |own| own.min(deadline));
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
            return Poll::Ready(outcome);
        }
        // What is ready at once costs no timer.
        if timer.is_none() {
            timer.set(Some(tokio::time::sleep_until(until.instant())));
        }
        let timer = timer.as_mut().as_pin_mut();
        if !timer.is_some_and(|timer| timer.poll(cx).is_ready()) {
            return Poll::Pending;
        }
        Poll::Ready(Err(match patience {
            Some(patience) if until != deadline => Failure::Late(patience),
            _ => Failure::Expired,
        }))
    })
    .await
}

impl Way {
    /// Sends a request of so many bytes until it is answered, or is not to be sent again. What one
    /// attempt does is `exchange`'s to say.
    pub(super) async fn send<T, F>(
        &self,
        asked: Asked<'_>,
        cx: &Context,
        (affinity, frame): (Option<u64>, &Bytes),
        exchange: impl Fn(Call, Context) -> F,
    ) -> Result<(T, Ready), Error>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let shared = self;
        // One policy for one call, whatever is set meanwhile.
        let policy = shared.knobs.now().clone();
        let (series, method) = (asked.series, asked);
        shared.admit(asked, cx, &policy)?;
        let mut attempts = Attempts::new(asked.effect, cx, frame.len(), &policy.retry);
        let replay = attempts
            .may_repeat()
            .then(|| Replay::of(&shared.kept, frame.len(), policy.retry.replay_in_all));
        if matches!(replay, Some(None)) {
            attempts.once();
        }
        shared.budget.called(Instant::now());
        let key = key(affinity, asked.path, frame, &policy);
        // Where attempts went, and what came of the last.
        let mut tried = Vec::new();
        let mut before: Option<Error> = None;
        let (mut was_seen, mut may_be_done) = (false, false);
        loop {
            let is_holding = shared.throttle.is_holding(&policy.throttle, Instant::now());
            let want = Want {
                avoid: &tried,
                key,
                // What is made again already has no attempt to lose.
                may_try: match before {
                    None if attempts.may_repeat() && !is_holding => Trial::First,
                    None => Trial::Later,
                    Some(_) => Trial::Never,
                },
            };
            let mut ready = match shared.endpoints.ready(cx.deadline(), want).await {
                Ok(ready) => ready,
                // That nobody can be reached now does not undo an attempt.
                Err(nobody) => return Err(before.unwrap_or(nobody)),
            };
            let address = ready.address().to_owned();
            let attempt = cx.clone().with_attempt(cx.attempt() + attempts.failed());
            let began = Instant::now();
            let call = only(ready.call());
            let trying = async { exchange(call?, attempt).await };
            let attempted = in_time(trying, cx.deadline(), attempts.patience()).await;
            let now = Instant::now();
            let took = now.saturating_duration_since(began);
            let failure = match attempted {
                Ok(answer) => {
                    ready.ended(false, None);
                    shared.throttle.heard(true, now);
                    series.latency.took(took, now);
                    return Ok((answer, ready));
                }
                Err(failure) => failure,
            };
            let outcome = Outcome::of(&failure);
            was_seen |= outcome != Outcome::Unseen;
            let error = match (was_seen, failure.error(&shared.target)) {
                (true, error) => error,
                // Nothing has happened.
                (false, error) => error.with_source(Unmade),
            };
            let error = if may_be_done {
                Doubted::marks(error)
            } else {
                error
            };
            may_be_done |= method.effect != Effect::Read
                && outcome != Outcome::Unseen
                && !again::is_refusal(error.code());
            let is_slow = outcome == Outcome::Expired && series.is_slow(took, now);
            match is_slow {
                true => ready.ended(true, None),
                false => judge(&mut ready, outcome, &error),
            }
            // Of a call whose time was short nobody knows whether it was accepted.
            if is_slow || outcome != Outcome::Expired {
                let accepted = !is_slow && again::is_accepted(outcome, error.code());
                shared.throttle.heard(accepted, now);
            }
            drop(ready);
            let left = cx.deadline().remaining();
            match attempts.after(outcome, &error, left, &shared.dice) {
                Again::No => return Err(error),
                Again::AtOnce => series.refused.inc(),
                Again::After(wait) => {
                    if shared.throttle.is_holding(&policy.throttle, now) {
                        series.held_back.inc();
                        return Err(error);
                    }
                    if !shared.budget.take(&policy.retry, now) {
                        series.over_budget.inc();
                        tracing::debug!(
                            service = shared.target,
                            method = method.name,
                            "a call is not made again: enough were"
                        );
                        return Err(error);
                    }
                    series.made.inc();
                    tracing::debug!(
                        service = shared.target, method = method.name, address, ?wait, error = %error.chain(),
                        "a call is made again"
                    );
                    tokio::time::sleep(wait).await;
                }
            }
            tried.push(address);
            before = Some(error);
        }
    }

    /// Whether a call is sent at all.
    fn admit(&self, method: Asked<'_>, cx: &Context, policy: &Policy) -> Result<(), Error> {
        let (now, series) = (Instant::now(), method.series);
        let left = cx.deadline().instant().saturating_duration_since(now);
        if let Some(least) = series.latency.least(now)
            && left < least
            && self.dice.below(CURIOUS) > 0
        {
            series.too_late.inc();
            tracing::debug!(
                service = self.target,
                method = method.name,
                ?left,
                ?least,
                "a call is not sent: it could not be answered in time"
            );
            return Err(Error::deadline_exceeded(format!(
                "{} hardly ever takes less than {} ms, and {} ms are left: it was not called",
                self.target,
                least.as_millis(),
                left.as_millis()
            ))
            .with_source(Unmade));
        }
        let criticality = cx.criticality();
        if !self
            .throttle
            .admits(criticality, &policy.throttle, &self.dice, now)
        {
            series.throttled.inc();
            tracing::debug!(
                service = self.target,
                method = method.name,
                "a call is held back: its callee accepts hardly any"
            );
            return Err(Error::unavailable(format!(
                "{} accepts hardly any call: this one was held back",
                self.target
            ))
            .with_source(Unmade));
        }
        Ok(())
    }
}

/// What a failure says of the instance.
pub(super) fn judge(ready: &mut Ready, outcome: Outcome, error: &Error) {
    match outcome {
        Outcome::Unseen => ready.left(),
        Outcome::Late => ready.ended(true, None),
        // It was given less time than it may need.
        Outcome::Expired => ready.given_up(),
        Outcome::Told if error.code() == Code::ResourceExhausted => ready.left(),
        Outcome::Told if again::is_refusal(error.code()) => ready.refused(),
        Outcome::Told => ready.ended(again::is_sick(error.code()), error.pushback()),
    }
}

/// What a call is about, where that matters.
fn key(affinity: Option<u64>, path: &str, frame: &[u8], policy: &Policy) -> u64 {
    match policy.balance.rule {
        Rule::LeastBusy | Rule::RoundRobin => 0,
        Rule::ConsistentHash => affinity.unwrap_or_else(|| {
            // The same request of another method is about something else.
            xxh3_64_with_seed(frame, xxh3_64_with_seed(path.as_bytes(), 0))
        }),
    }
}

/// Room for a request that may be sent again.
struct Replay<'a> {
    kept: &'a AtomicUsize,
    bytes: usize,
}

impl<'a> Replay<'a> {
    fn of(kept: &'a AtomicUsize, bytes: usize, most: usize) -> Option<Self> {
        let replay = Replay { kept, bytes };
        let before = kept.fetch_add(bytes, Ordering::Relaxed);
        (before.saturating_add(bytes) <= most).then_some(replay)
    }
}

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        self.kept.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
