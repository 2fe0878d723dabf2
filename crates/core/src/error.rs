//! What a failed call says.
//!
//! A caller sees the code, the message and the violations; the cause stays in the log.

use crate::Code;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// One thing wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field as the caller spells it, for example `rating.value`.
    pub field: String,
    /// What is wrong and what would be right, naming the value.
    pub description: String,
}

impl Violation {
    /// A violation of `field`.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Violation {
            field: field.into(),
            description: description.into(),
        }
    }
}

/// Which failure it is, for programs: the message is for people and may change, this does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// Its name, for example `UNKNOWN_TOPIC`.
    pub name: String,
    /// What it is about, by name. A caller sees them: nothing secret, and each short.
    pub values: BTreeMap<String, String>,
}

impl Reason {
    /// A reason of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Reason {
            name: name.into(),
            values: BTreeMap::new(),
        }
    }

    /// The same with a value.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.values.insert(name.into(), value.to_string());
        self
    }

    /// The value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

/// A failed call: code, safe text, violations; and, for the log alone, the cause.
///
/// `Display` prints this level only; print the causes with [`Error::chain`].
pub struct Error {
    code: Code,
    message: Cow<'static, str>,
    detail: Option<Box<Detail>>,
}

#[derive(Default)]
struct Detail {
    violations: Vec<Violation>,
    reason: Option<Reason>,
    pushback: Option<Duration>,
    is_final: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $code:ident;)*) => {
        $($(#[$doc])* pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
            Error::new(Code::$code, message)
        })*
    };
}

impl Error {
    /// An error of `code`; `message` is shown to the caller.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Error {
            code,
            message: message.into(),
            detail: None,
        }
    }

    constructors! {
        /// The request is wrong whatever the state of the system.
        invalid_argument => InvalidArgument;
        /// The thing asked for does not exist.
        not_found => NotFound;
        /// The caller is known and may not.
        permission_denied => PermissionDenied;
        /// No valid identity was shown.
        unauthenticated => Unauthenticated;
        /// The deadline passed.
        deadline_exceeded => DeadlineExceeded;
        /// Cannot be served now.
        unavailable => Unavailable;
        /// The system is not in the state the call needs.
        failed_precondition => FailedPrecondition;
        /// A limit is used up.
        resource_exhausted => ResourceExhausted;
        /// A conflict with concurrent work.
        aborted => Aborted;
        /// A broken invariant.
        internal => Internal;
        /// Stored data is lost or damaged.
        data_loss => DataLoss;
        /// No such method.
        unimplemented => Unimplemented;
    }

    /// An `InvalidArgument` made of violations; the message lists them all.
    #[must_use]
    pub fn violations_of(violations: Vec<Violation>) -> Self {
        let message = violations
            .iter()
            .map(|violation| format!("{}: {}", violation.field, violation.description))
            .collect::<Vec<_>>()
            .join("; ");
        let mut error = Error::new(Code::InvalidArgument, message);
        error.detail_mut().violations = violations;
        error
    }

    /// Adds a violation.
    #[must_use]
    pub fn with_violation(
        mut self,
        field: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        self.detail_mut()
            .violations
            .push(Violation::new(field, description));
        self
    }

    /// Says which failure it is, for programs.
    #[must_use]
    pub fn with_reason(mut self, reason: Reason) -> Self {
        self.detail_mut().reason = Some(reason);
        self
    }

    /// Asks the caller to wait this long before it tries again.
    #[must_use]
    pub fn with_pushback(mut self, wait: Duration) -> Self {
        self.detail_mut().pushback = Some(wait);
        self
    }

    /// Tells everybody on the way back that trying again is of no use, whatever the code says.
    #[must_use]
    pub fn as_final(mut self) -> Self {
        self.detail_mut().is_final = true;
        self
    }

    /// Keeps the cause, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.detail_mut().source = Some(source.into());
        self
    }

    /// The same for one more caller: all that callers may see, without the cause.
    #[must_use]
    pub fn told(&self) -> Self {
        let detail = self.detail.as_ref().map(|detail| {
            Box::new(Detail {
                violations: detail.violations.clone(),
                reason: detail.reason.clone(),
                pushback: detail.pushback,
                is_final: detail.is_final,
                source: None,
            })
        });
        Error {
            code: self.code,
            message: self.message.clone(),
            detail,
        }
    }

    /// Cuts a message that is longer than `bytes`: it travels in headers, which are bounded.
    #[must_use]
    pub fn with_message_at_most(mut self, bytes: usize) -> Self {
        if self.message.len() > bytes {
            let end = self.message.floor_char_boundary(bytes);
            self.message = format!("{}…", &self.message[..end]).into();
        }
        self
    }

    /// Why, in the words of every protocol.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The text a caller may see.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What is wrong, field by field.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        self.detail
            .as_ref()
            .map_or(&[], |detail| &detail.violations)
    }

    /// Which failure it is, for programs, if it was said.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        self.detail.as_ref()?.reason.as_ref()
    }

    /// How long the caller should wait.
    #[must_use]
    pub fn pushback(&self) -> Option<Duration> {
        self.detail.as_ref().and_then(|detail| detail.pushback)
    }

    /// Whether nobody should try again.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.detail.as_ref().is_some_and(|detail| detail.is_final)
    }

    /// This error and its causes on one line, for logs.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }

    fn detail_mut(&mut self) -> &mut Detail {
        self.detail.get_or_insert_default()
    }
}

/// An error and its causes on one line, joined by `: `.
#[must_use]
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.detail.as_ref()?.source.as_ref()?;
        Some(source.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_says_its_own_level_and_chain_says_all() {
        let error = Error::unavailable("ratings cannot be read now").with_source("disk I/O error");
        assert_eq!(error.to_string(), "UNAVAILABLE: ratings cannot be read now");
        assert_eq!(
            error.chain(),
            "UNAVAILABLE: ratings cannot be read now: disk I/O error"
        );
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(
            Error::internal("short").with_message_at_most(5).message(),
            "short"
        );
        assert_eq!(
            Error::internal("aéé").with_message_at_most(4).message(),
            "aé…"
        );
    }

    #[test]
    fn an_error_stays_small_enough_to_return() {
        assert!(size_of::<Error>() <= 48, "{}", size_of::<Error>());
    }
}
