//! The headers that make a record a dead letter. The record's own are untouched beside them.

/// What all of them begin with.
pub const PREFIX: &str = "dlq-";
/// Why it died: a [`Class`](super::Class).
pub const CLASS: &str = "dlq-class";
/// The topic it came from.
pub const TOPIC: &str = "dlq-topic";
/// The partition it came from.
pub const PARTITION: &str = "dlq-partition";
/// Its offset there.
pub const OFFSET: &str = "dlq-offset";
/// The group it failed in.
pub const GROUP: &str = "dlq-group";
/// The service that gave up: name, version, instance.
pub const SERVICE: &str = "dlq-service";
/// How many attempts failed.
pub const TRIES: &str = "dlq-tries";
/// How many deliveries had no end.
pub const STARTS: &str = "dlq-starts";
/// When it failed first: milliseconds since 1970 UTC, or RFC 3339.
pub const FIRST_AT: &str = "dlq-first-at";
/// When it failed last: milliseconds since 1970 UTC, or RFC 3339.
pub const LAST_AT: &str = "dlq-last-at";
/// How often it was sent again. A redriven record carries this one alone: whoever buries it again
/// copies it.
pub const REDRIVES: &str = "dlq-redrives";
/// How it failed: a JSON list of `{at, class, code, message}`.
pub const ERRORS: &str = "dlq-errors";
