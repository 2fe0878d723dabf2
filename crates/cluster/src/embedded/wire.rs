//! What goes over the wire.

use backlot_core::discovery::Instance;
use backlot_core::{Code, Error, Violation};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The field that tells that a program is a registry, and the version of the protocol.
pub(crate) const MARK: &str = "backlot-registry";
/// The version of the protocol.
pub(crate) const VERSION: u64 = 1;

/// One service as of an index.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) epoch: String,
    pub(super) service: String,
    pub(super) index: u64,
    pub(super) instances: Vec<WireInstance>,
}

/// The names of services.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Services {
    pub(super) services: Vec<String>,
}

/// One instance of the service asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WireInstance {
    pub(super) id: String,
    pub(super) address: String,
    #[serde(default)]
    pub(super) version: String,
    pub(super) ttl_ms: u64,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
}

/// What an instance says when it registers.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Announcement<'a> {
    pub(super) address: &'a str,
    pub(super) version: &'a str,
    pub(super) ttl_ms: u64,
    pub(super) metadata: &'a BTreeMap<String, String>,
}

/// A wrong request, as RFC 9457 has it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Problem {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) title: String,
    pub(super) status: u16,
    pub(super) detail: String,
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) violations: Vec<WireViolation>,
}

/// One wrong field.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireViolation {
    field: String,
    description: String,
}

impl WireInstance {
    pub(super) fn new(instance: Instance, ttl: Duration) -> Self {
        let Instance {
            id,
            service: _,
            address,
            version,
            metadata,
        } = instance;
        WireInstance {
            id,
            address,
            version,
            ttl_ms: millis(ttl),
            metadata,
        }
    }

    pub(super) fn into_instance(self, service: &str) -> Instance {
        let WireInstance {
            id,
            address,
            version,
            ttl_ms: _,
            metadata,
        } = self;
        Instance {
            id,
            service: service.to_owned(),
            address,
            version,
            metadata,
        }
    }
}

impl Problem {
    pub(super) fn new(status: u16, error: &Error) -> Self {
        let violation = |violation: &Violation| WireViolation {
            field: violation.field.clone(),
            description: violation.description.clone(),
        };
        Problem {
            kind: "about:blank".to_owned(),
            title: title(status).to_owned(),
            status,
            detail: error.message().to_owned(),
            code: error.code().name().to_owned(),
            violations: error.violations().iter().map(violation).collect(),
        }
    }
}

fn title(status: u16) -> &'static str {
    http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Error")
}

/// A duration in whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The HTTP status a registry answers an error with.
pub(super) fn status_of(error: &Error) -> u16 {
    match error.code() {
        // Full is the registry's state, not the caller's quota.
        Code::ResourceExhausted => 503,
        code => code.http_status(),
    }
}
