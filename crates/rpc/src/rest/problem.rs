//! What went wrong, as RFC 9457 describes it.

use super::Body;
use backlot_core::trace::TraceContext;
use backlot_core::{Code, Error};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// A failed request: the error, and the HTTP status where the error's own is not precise enough.
#[derive(Debug)]
pub(super) struct Problem {
    error: Error,
    status: StatusCode,
}

/// What a request was: the path it asked for, and the trace it belongs to.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) instance: String,
    pub(super) trace: TraceContext,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = StatusCode::from_u16(error.code().http_status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Problem { error, status }
    }
}

impl Problem {
    pub(super) fn not_found(path: &str) -> Self {
        Error::not_found(format!("nothing is found at {path:?}")).into()
    }

    pub(super) fn wrong_method(method: &Method) -> Self {
        Problem {
            error: Error::unimplemented(format!(
                "{method} is not done here; the header 'allow' names what is"
            )),
            status: StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    pub(super) fn too_large(limit: usize) -> Self {
        Problem {
            error: Error::invalid_argument(format!("the body is larger than {limit} bytes")),
            status: StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    pub(super) fn wrong_type(expected: &str, got: &str) -> Self {
        Problem {
            error: Error::invalid_argument(format!(
                "the body must have the content type {expected}, got {got}"
            )),
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// The document. Causes stay in the log.
    pub(super) fn document(&self, about: &About) -> Value {
        let error = &self.error;
        let title = match error.code() {
            Code::Cancelled => "Client Closed Request",
            _ => self.status.canonical_reason().unwrap_or_default(),
        };
        let mut document = json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": error.message(),
            "code": error.code().name(),
            "instance": about.instance,
        });
        if !about.trace.is_none() {
            document["traceId"] = json!(format!("{:032x}", about.trace.trace_id));
        }
        if !error.violations().is_empty() {
            let violations = error.violations().iter();
            document["violations"] = violations
                .map(|violation| json!({ "field": violation.field, "description": violation.description }))
                .collect();
        }
        if let Some(reason) = error.reason() {
            document["reason"] = json!(reason.name);
            document["values"] = json!(reason.values);
        }
        document
    }

    pub(super) fn into_response(self, about: &About) -> Response<Body> {
        let mut response = Response::new(Body::from(self.document(about).to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(wait) = self.error.pushback() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Whole seconds, rounded up: a caller that waits so long has waited long enough.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
