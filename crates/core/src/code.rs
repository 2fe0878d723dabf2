//! gRPC's sixteen error codes, each with its HTTP status: the one table all mappings use.
//!
//! Numbers and meanings are those of the gRPC status code registry; HTTP statuses follow
//! `google/rpc/code.proto`.

/// Why a call failed, in the words every protocol here can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    /// The caller went away or withdrew the call.
    Cancelled = 1,
    /// A failure nobody classified.
    Unknown = 2,
    /// The request is wrong whatever the state of the system.
    InvalidArgument = 3,
    /// The deadline passed first; the work may or may not have happened.
    DeadlineExceeded = 4,
    /// The thing asked for does not exist.
    NotFound = 5,
    /// The thing to create exists.
    AlreadyExists = 6,
    /// The caller is known and may not.
    PermissionDenied = 7,
    /// A quota or limit is used up.
    ResourceExhausted = 8,
    /// The system is not in the state the call needs; repeating alone does not help.
    FailedPrecondition = 9,
    /// A conflict with concurrent work; repeating the whole operation may help.
    Aborted = 10,
    /// Past the valid range.
    OutOfRange = 11,
    /// No such method here.
    Unimplemented = 12,
    /// A broken invariant: always a defect of the server, never a caller's mistake.
    Internal = 13,
    /// Cannot be served now; repeating may help.
    Unavailable = 14,
    /// Stored data is lost or damaged.
    DataLoss = 15,
    /// No valid identity was shown.
    Unauthenticated = 16,
}

impl Code {
    /// All codes, by number.
    pub const ALL: [Code; 16] = [
        Code::Cancelled,
        Code::Unknown,
        Code::InvalidArgument,
        Code::DeadlineExceeded,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
        Code::Unauthenticated,
    ];

    /// The gRPC number, 1 to 16.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The code with this gRPC number; 0 (OK) and unknown numbers are `None`.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Code> {
        Code::ALL
            .into_iter()
            .find(|code| i32::from(code.number()) == number)
    }

    /// The name as gRPC and problem details spell it, for example `NOT_FOUND`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Code::Cancelled => "CANCELLED",
            Code::Unknown => "UNKNOWN",
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Code::NotFound => "NOT_FOUND",
            Code::AlreadyExists => "ALREADY_EXISTS",
            Code::PermissionDenied => "PERMISSION_DENIED",
            Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Code::FailedPrecondition => "FAILED_PRECONDITION",
            Code::Aborted => "ABORTED",
            Code::OutOfRange => "OUT_OF_RANGE",
            Code::Unimplemented => "UNIMPLEMENTED",
            Code::Internal => "INTERNAL",
            Code::Unavailable => "UNAVAILABLE",
            Code::DataLoss => "DATA_LOSS",
            Code::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// The HTTP status REST callers see.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Code::Cancelled => 499,
            Code::InvalidArgument | Code::OutOfRange => 400,
            // Well formed, but not to be done as things stand: a reused idempotency key is one.
            Code::FailedPrecondition => 422,
            Code::DeadlineExceeded => 504,
            Code::NotFound => 404,
            Code::AlreadyExists | Code::Aborted => 409,
            Code::PermissionDenied => 403,
            Code::ResourceExhausted => 429,
            Code::Unimplemented => 501,
            Code::Unknown | Code::Internal | Code::DataLoss => 500,
            Code::Unavailable => 503,
            Code::Unauthenticated => 401,
        }
    }

    /// Whether the fault lies with the callee (and is worth an error line in its log) rather
    /// than with the request.
    #[must_use]
    pub const fn is_server_fault(self) -> bool {
        matches!(
            self,
            Code::Unknown
                | Code::Internal
                | Code::DataLoss
                | Code::Unavailable
                | Code::DeadlineExceeded
        )
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_back_from_its_number() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(i32::from(code.number())), Some(code));
        }
        assert_eq!(Code::from_number(0), None);
        assert_eq!(Code::from_number(17), None);
    }
}
