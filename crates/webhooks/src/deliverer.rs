//! One message to one endpoint: signed, sent, and what its answer means.

use crate::client::{Answer, Client};
use crate::controller::Controller;
use crate::model::Endpoint;
use crate::signature::seconds;
use crate::telemetry::{DELIVERIES, DURATION};
use crate::transport::Trouble;
use async_trait::async_trait;
use backlot_core::backoff::Backoff;
use backlot_core::{Code, Context, Timestamp};
use backlot_messaging::consume::{Deliver, Failure, Job};
use backlot_messaging::{Headers, Record, cloudevents};
use backlot_service::telemetry::{Count, Distribution, Metrics};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

/// The least that is waited when an endpoint says how long it wants to be left alone: doubling with each
/// attempt.
const SOONEST: Backoff = Backoff {
    base: Duration::from_millis(250),
    cap: Duration::from_secs(3600),
};
/// Who calls.
const AGENT: &str = concat!("backlot-webhooks/", env!("CARGO_PKG_VERSION"));
/// How long a message of an endpoint that is gone is held: its reader ends sooner. A longer time would be
/// kept by the log, and waited for after the endpoint is enabled.
const GONE: Duration = Duration::from_secs(1);

/// Whether an endpoint is another by now, or none. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Over(Arc<AtomicBool>);

impl Over {
    pub(crate) fn tell(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_told(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

pub(crate) struct Deliverer {
    endpoint: Endpoint,
    client: Client,
    controller: Arc<Controller>,
    over: Over,
    done: Count,
    failed: Count,
    gone: Count,
    duration: Distribution,
}

impl Deliverer {
    pub(crate) fn new(
        endpoint: Endpoint,
        (client, controller, over): (Client, Arc<Controller>, Over),
        metrics: &Metrics,
    ) -> Self {
        let counted = |outcome| metrics.counter(&DELIVERIES, [endpoint.name.as_str(), outcome]);
        Deliverer {
            done: counted("done"),
            failed: counted("failed"),
            gone: counted("gone"),
            duration: metrics.histogram(&DURATION, [endpoint.name.as_str()]),
            endpoint,
            client,
            controller,
            over,
        }
    }

    fn headers(&self, job: &Job<()>, now: Timestamp) -> HeaderMap {
        let mut headers = HeaderMap::new();
        // Its own headers stay in the log: some would be taken for the request's, and others are nobody's
        // business.
        let attributes = Record {
            headers: Headers::default(),
            ..job.record.clone()
        };
        for (name, value) in cloudevents::to_headers(&attributes) {
            let name = HeaderName::try_from(name);
            let value = HeaderValue::try_from(cloudevents::to_http(&value));
            // What HTTP cannot carry stays in the log.
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.insert(name, value);
            }
        }
        let id = id(&self.endpoint.target.topic, &job.effect);
        let secrets = self.endpoint.secrets(now).into_iter();
        let signed: Vec<String> = secrets
            .map(|secret| secret.sign(&id, now, &job.record.payload))
            .collect();
        for (name, value) in [
            ("webhook-id", id),
            ("webhook-timestamp", seconds(now).to_string()),
            ("webhook-signature", signed.join(" ")),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(media_type(&job.record)),
        );
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers
    }

    async fn means(&self, cx: &Context, answer: &Answer, attempt: u32) -> Result<(), Failure> {
        let status = answer.status;
        if status.is_success() {
            self.done.inc();
            return Ok(());
        }
        let said = match answer.said.as_str() {
            "" => String::new(),
            said => format!(": {said}"),
        };
        let said = format!("the endpoint answered {status}{said}");
        if status == StatusCode::GONE {
            self.gone.inc();
            tracing::warn!(
                endpoint = self.endpoint.name,
                "the endpoint is gone, and is disabled"
            );
            self.controller.stop(cx, &self.endpoint, &said).await?;
            return Err(Failure::new(Code::FailedPrecondition, said).later(GONE));
        }
        self.failed.inc();
        let failure = Failure::new(code(status), said);
        let may_say =
            status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE;
        Err(match answer.retry_after.filter(|_| may_say) {
            // However soon it may be, not all attempts are used up in a moment.
            Some(after) => failure.after(after.max(SOONEST.bound(attempt))),
            None => failure,
        })
    }
}

#[async_trait]
impl Deliver for Deliverer {
    async fn deliver(&self, cx: &Context, job: &Job<()>) -> Result<(), Failure> {
        if self.over.is_told() {
            let said = "the endpoint was changed or deleted since";
            return Err(Failure::new(Code::Aborted, said).later(GONE));
        }
        let (began, now) = (Instant::now(), self.controller.now());
        let headers = self.headers(job, now);
        let posting = self.client.post(&headers, &job.record.payload, now);
        let posted = tokio::time::timeout(self.endpoint.target.timeout, posting).await;
        self.duration
            .observe_duration(Instant::now().saturating_duration_since(began));
        match posted {
            Ok(Ok(answer)) => self.means(cx, &answer, job.attempt).await,
            Ok(Err(trouble)) => {
                self.failed.inc();
                Err(failure(&trouble))
            }
            Err(_elapsed) => {
                self.failed.inc();
                let timeout = self.endpoint.target.timeout;
                let said = format!("the endpoint did not answer within {timeout:?}");
                Err(Failure::new(Code::DeadlineExceeded, said))
            }
        }
    }
}

fn failure(trouble: &Trouble) -> Failure {
    let code = match trouble {
        Trouble::Refused { .. } => Code::PermissionDenied,
        Trouble::Unproven { .. } => Code::Unauthenticated,
        Trouble::Unresolved { .. } | Trouble::Unreachable { .. } | Trouble::Broken(_) => {
            Code::Unavailable
        }
    };
    Failure::new(code, backlot_core::error::chain(trouble))
}

fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        429 => Code::ResourceExhausted,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        400..500 => Code::FailedPrecondition,
        500.. => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// What the endpoint knows a message by: the same whenever it comes again.
fn id(topic: &str, effect: &str) -> String {
    format!(
        "msg_{:032x}",
        xxh3_128(format!("{topic}\0{effect}").as_bytes())
    )
}

/// What a payload is, as far as can be told by looking: events are JSON.
fn media_type(record: &Record) -> &'static str {
    match record
        .payload
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
    {
        Some(b'{' | b'[' | b'"') => "application/json",
        _ => "application/octet-stream",
    }
}
