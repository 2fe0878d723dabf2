//! [`Error`] and gRPC's status, both ways. Causes stay behind: a caller is told less than the log.

use backlot_core::error::Reason;
use backlot_core::{Code, Error, Violation};
use std::time::Duration;
use tonic::metadata::MetadataMap;
use tonic_types::{ErrorDetails, StatusExt};

const PUSHBACK: &str = "grpc-retry-pushback-ms";
/// What it says where nobody should try again.
const NEVER: &str = "-1";
/// Where reasons are from.
const DOMAIN: &str = "backlot";

/// As the library takes them.
type Values = std::collections::HashMap<String, String>;

/// The status a gRPC caller sees.
pub(crate) fn from_error(error: &Error) -> tonic::Status {
    let code = tonic::Code::from_i32(i32::from(error.code().number()));
    let mut metadata = MetadataMap::new();
    let pushback = match (error.is_final(), error.pushback()) {
        (true, _) => Some(NEVER.to_owned()),
        (false, Some(pushback)) => Some(pushback.as_millis().to_string()),
        (false, None) => None,
    };
    if let Some(Ok(value)) = pushback.map(|value| value.parse()) {
        metadata.insert(PUSHBACK, value);
    }
    if error.violations().is_empty() && error.reason().is_none() {
        return tonic::Status::with_metadata(code, error.message(), metadata);
    }
    let mut details = ErrorDetails::new();
    for violation in error.violations() {
        details.add_bad_request_violation(&violation.field, &violation.description);
    }
    if let Some(Reason { name, values }) = error.reason() {
        details.set_error_info(name, DOMAIN, values.clone().into_iter().collect::<Values>());
    }
    tonic::Status::with_error_details_and_metadata(code, error.message(), details, metadata)
}

/// The response of a call that never reached its method.
pub(crate) fn to_response(error: &Error) -> http::Response<tonic::body::Body> {
    from_error(error).into_http()
}

/// The end of an answer that had begun.
pub(crate) fn to_trailers(error: &Error) -> http::HeaderMap {
    let mut trailers = http::HeaderMap::new();
    if from_error(error).add_header(&mut trailers).is_err() {
        // Its words cannot be sent; its code can.
        trailers.insert(
            tonic::Status::GRPC_STATUS,
            u16::from(error.code().number()).into(),
        );
    }
    trailers
}

/// The refusal of a request that never reached its method. What the protocol calls an internal
/// error there (a message cut short, a wrong flag) is still its caller's fault.
pub(crate) fn callers_fault(
    response: http::Response<tonic::body::Body>,
) -> http::Response<tonic::body::Body> {
    match tonic::Status::from_header_map(response.headers()) {
        Some(status) if status.code() == tonic::Code::Internal => to_response(
            &Error::invalid_argument(format!("the request is malformed: {}", status.message())),
        ),
        _ => response,
    }
}

/// What a callee's status means to its caller. A status that the transport made up (the connection
/// broke) is `Unavailable`: whether the callee did the work is unknown.
pub(crate) fn to_error(status: &tonic::Status, target: &str) -> Error {
    let broken = std::error::Error::source(status).is_some();
    let code = Code::from_number(status.code() as i32);
    let Some(code) = code.filter(|_| !broken) else {
        return Error::unavailable(format!("the connection to {target} broke"))
            .with_source(status.to_string());
    };
    let mut error = Error::new(code, status.message().to_owned());
    if !status.details().is_empty()
        && let Some(bad_request) = status.get_details_bad_request()
    {
        for violation in bad_request.field_violations {
            let Violation { field, description } =
                Violation::new(violation.field, violation.description);
            error = error.with_violation(field, description);
        }
    }
    if !status.details().is_empty()
        && let Some(info) = status.get_details_error_info()
        && info.domain == DOMAIN
    {
        error = error.with_reason(Reason {
            name: info.reason,
            values: info.metadata.into_iter().collect(),
        });
    }
    let pushback = status
        .metadata()
        .get(PUSHBACK)
        .and_then(|value| value.to_str().ok());
    // As gRPC's retry design (A6) has it: what is no number of milliseconds means never.
    match pushback.map(str::parse) {
        None => error,
        Some(Ok(millis)) => error.with_pushback(Duration::from_millis(millis)),
        Some(Err(_)) => error.as_final(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_wire_but_its_cause_does_not() {
        let error = Error::violations_of(vec![Violation::new("value", "must be 0.5 to 5, got 6")])
            .with_pushback(Duration::from_millis(70))
            .with_reason(Reason::new("OUT_OF_STARS").with("most", 5))
            .with_source("secret cause");
        let status = from_error(&error);
        assert!(!format!("{status:?}").contains("secret cause"));
        let back = to_error(&status, "rating");
        assert_eq!(back.code(), Code::InvalidArgument);
        assert_eq!(back.violations(), error.violations());
        assert_eq!(back.reason(), error.reason());
        assert_eq!(back.pushback(), error.pushback());
        assert_eq!(back.message(), error.message());
    }

    #[test]
    fn that_nobody_should_try_again_is_told_as_well() {
        let error = Error::unavailable("gone for good").as_final();
        let back = to_error(&from_error(&error), "rating");
        assert!(back.is_final());
        assert_eq!(back.pushback(), None);
        assert!(!to_error(&from_error(&Error::unavailable("away")), "rating").is_final());
    }
}
