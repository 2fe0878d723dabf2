//! A call with one request and one answer: sent, held back, or sent again.

use super::again::{self, Again, Attempts, Outcome};
use super::choose::Want;
use super::exchange::Failure;
use super::latency::Latency;
use super::ready::Ready;
use super::{Remote, Shared, only};
use crate::binding::Unmade;
use crate::contract::Method;
use crate::policy::{Policy, Rule};
use crate::wire;
use backlot_core::{Context, Error};
use backlot_service::telemetry::{Count, Counter, Metrics};
use bytes::Bytes;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::Instant;
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
    "calls that were not sent: throttled, deadline (it usually takes longer than was left)",
    ["service", "method", "why"],
);

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

impl Series {
    pub(super) fn of(metrics: &Metrics, method: &Method, now: Instant) -> Self {
        let repeated = |outcome| metrics.counter(&REPEATED, [method.service, method.name, outcome]);
        let not_sent = |why| metrics.counter(&NOT_SENT, [method.service, method.name, why]);
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

impl Remote {
    /// Sends a request until it is answered, or is not to be sent again.
    pub(super) async fn send(
        &self,
        method: &'static Method,
        cx: &Context,
        affinity: Option<u64>,
        frame: Bytes,
    ) -> Result<Bytes, Error> {
        let shared = &self.0;
        // One policy for one call, whatever is set meanwhile.
        let policy = shared.knobs.now().clone();
        let series = &shared.unary[method.index];
        shared.admit(method, cx, &policy)?;
        let replay = Replay::of(&shared.kept, frame.len(), policy.retry.replay_in_all);
        let bytes = if replay.is_some() {
            frame.len()
        } else {
            usize::MAX
        };
        let mut attempts = Attempts::new(method, cx, bytes, &policy.retry);
        shared.budget.called(Instant::now());
        let key = key(affinity, method, &frame, &policy);
        // Where the last attempt went, and what came of it.
        let mut before: Option<(String, Error)> = None;
        let mut was_seen = false;
        loop {
            let want = Want {
                avoid: before.as_ref().map(|(address, _)| address.as_str()),
                key,
                repeatable: attempts.may_repeat(),
            };
            let mut ready = match shared.endpoints.ready(cx.deadline(), want).await {
                Ok(ready) => ready,
                // That nobody can be reached now does not undo an attempt.
                Err(nobody) => return Err(before.map_or(nobody, |(_, error)| error)),
            };
            let address = ready.address().to_owned();
            let attempt = cx.clone().with_attempt(cx.attempt() + attempts.failed());
            let began = Instant::now();
            shared.throttle.sent(began);
            let trying = self.one(method, &attempt, frame.clone(), &mut ready);
            let tried = match attempts.patience() {
                None => trying.await,
                Some(patience) => match tokio::time::timeout(patience, trying).await {
                    Ok(tried) => tried,
                    Err(_elapsed) => Err(Failure::Late(patience)),
                },
            };
            let now = Instant::now();
            let failure = match tried {
                Ok(message) => {
                    ready.ended(false, None);
                    shared.throttle.heard(true, now);
                    series
                        .latency
                        .took(now.saturating_duration_since(began), now);
                    return Ok(message);
                }
                Err(failure) => failure,
            };
            let outcome = Outcome::of(&failure);
            was_seen |= outcome != Outcome::Unseen;
            let error = match (was_seen, self.failed(failure)) {
                (true, error) => error,
                // Nothing has happened.
                (false, error) => error.with_source(Unmade),
            };
            judge(&mut ready, outcome, &error);
            shared
                .throttle
                .heard(again::is_accepted(outcome, error.code()), now);
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
            before = Some((address, error));
        }
    }

    /// Sends a request over this connection; its one answer.
    async fn one(
        &self,
        method: &'static Method,
        cx: &Context,
        frame: Bytes,
        ready: &mut Ready,
    ) -> Result<Bytes, Failure> {
        let path = self.0.paths[method.index].clone();
        let call = only(ready.call())?;
        let answer = call.send(path, wire::write(cx), frame).await?;
        answer.one().await
    }
}

impl Shared {
    /// Whether a call is sent at all.
    fn admit(&self, method: &Method, cx: &Context, policy: &Policy) -> Result<(), Error> {
        let (now, series) = (Instant::now(), &self.unary[method.index]);
        let left = cx.deadline().instant().saturating_duration_since(now);
        if let Some(median) = series.latency.median(now)
            && left < median
            && self.dice.below(CURIOUS) > 0
        {
            series.too_late.inc();
            tracing::debug!(
                service = self.target,
                method = method.name,
                ?left,
                ?median,
                "a call is not sent: it could not be answered in time"
            );
            return Err(Error::deadline_exceeded(format!(
                "{} usually takes {} ms, and {} ms are left: it was not called",
                self.target,
                median.as_millis(),
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
        Outcome::Told if again::is_refusal(error.code()) => ready.left(),
        Outcome::Told => ready.ended(again::is_sick(error.code()), error.pushback()),
    }
}

/// What a call is about, where that matters.
fn key(affinity: Option<u64>, method: &Method, frame: &[u8], policy: &Policy) -> u64 {
    match policy.balance.rule {
        Rule::LeastBusy | Rule::RoundRobin => 0,
        Rule::ConsistentHash => affinity.unwrap_or_else(|| {
            // The same request of another method is about something else.
            xxh3_64_with_seed(frame, xxh3_64_with_seed(method.path.as_bytes(), 0))
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
