//! The kinds of changes that break callers.

use std::fmt;

/// Whom a change breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Breaks {
    /// Programs that send and read Protocol Buffers, as gRPC does.
    Wire,
    /// Programs that write or read messages as JSON.
    Json,
    /// Programs that call over plain HTTP.
    Rest,
    /// What people wrote against generated code, and what they rely on when they call.
    Callers,
}

impl fmt::Display for Breaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Breaks::Wire => "the wire",
            Breaks::Json => "JSON",
            Breaks::Rest => "REST",
            Breaks::Callers => "callers",
        })
    }
}

/// What happened to a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Change {
    /// A package is gone, or has another name.
    PackageRemoved,
    /// A service is gone, or has another name.
    ServiceRemoved,
    /// A method is gone, or has another name.
    MethodRemoved,
    /// A method streams what it did not, or no longer.
    StreamChanged,
    /// A method takes another message.
    RequestChanged,
    /// A method answers with another message.
    AnswerChanged,
    /// A method promises less about being called twice.
    IdempotencyWeakened,
    /// Nothing answers a REST route any more.
    RouteRemoved,
    /// Another method answers a REST route, or some of its paths.
    RouteTaken,
    /// A REST route takes its variables or its body from elsewhere.
    RouteChanged,
    /// A REST route changed in a way that cannot be judged.
    RouteUnknown,
    /// A message is gone, or has another name.
    MessageRemoved,
    /// A field is gone, and its number or name may be used again.
    FieldRemoved,
    /// A field of a request is gone that JSON still sends.
    FieldRefused,
    /// A field has another number.
    FieldRenumbered,
    /// A field has another name.
    FieldRenamed,
    /// A field has another name in JSON.
    JsonNameChanged,
    /// A field has another type.
    TypeChanged,
    /// A field holds one value instead of several, or tells absence from zero, or the other way.
    LabelChanged,
    /// A field joined a oneof, or left it.
    OneofChanged,
    /// A field counts halves, or no longer.
    HalvesChanged,
    /// A rule refuses what was allowed in a request.
    RuleTightened,
    /// A new field of a request must be there.
    FieldDemanded,
    /// A rule changed in a way that cannot be judged.
    RuleUnknown,
    /// An enum is gone, or has another name.
    EnumRemoved,
    /// A value of an enum is gone.
    ValueRemoved,
    /// A value of an enum has another number.
    ValueRenumbered,
    /// A value of an enum has another name.
    ValueRenamed,
}

/// What is true of every change of a kind.
struct Facts(&'static [Breaks], &'static str, &'static str);

impl Change {
    /// All of them.
    pub const ALL: [Change; 28] = [
        Change::PackageRemoved,
        Change::ServiceRemoved,
        Change::MethodRemoved,
        Change::StreamChanged,
        Change::RequestChanged,
        Change::AnswerChanged,
        Change::IdempotencyWeakened,
        Change::RouteRemoved,
        Change::RouteTaken,
        Change::RouteChanged,
        Change::RouteUnknown,
        Change::MessageRemoved,
        Change::FieldRemoved,
        Change::FieldRefused,
        Change::FieldRenumbered,
        Change::FieldRenamed,
        Change::JsonNameChanged,
        Change::TypeChanged,
        Change::LabelChanged,
        Change::OneofChanged,
        Change::HalvesChanged,
        Change::RuleTightened,
        Change::FieldDemanded,
        Change::RuleUnknown,
        Change::EnumRemoved,
        Change::ValueRemoved,
        Change::ValueRenumbered,
        Change::ValueRenamed,
    ];

    /// Whom it breaks.
    #[must_use]
    pub fn breaks(self) -> &'static [Breaks] {
        self.facts().0
    }

    /// Why it breaks them.
    #[must_use]
    pub fn why(self) -> &'static str {
        self.facts().1
    }

    /// What to do instead.
    #[must_use]
    pub fn cure(self) -> &'static str {
        self.facts().2
    }

    fn facts(self) -> Facts {
        use Breaks::{Callers, Json, Rest, Wire};
        match self {
            Change::PackageRemoved => Facts(
                &[Wire, Rest, Callers],
                "every call names the package, and every type lives in it",
                "keep it, and put what is new into a package of the next version beside it",
            ),
            Change::ServiceRemoved => Facts(
                &[Wire, Rest, Callers],
                "calls of its methods end with UNIMPLEMENTED",
                "keep it; let it answer by way of the new one if it must, and mark it deprecated",
            ),
            Change::MethodRemoved => Facts(
                &[Wire, Rest, Callers],
                "calls of it end with UNIMPLEMENTED",
                "keep it; let it answer by way of the new one if it must, and mark it deprecated",
            ),
            Change::StreamChanged => Facts(
                &[Wire, Rest, Callers],
                "the other side waits for one message where many come, or for many where one does",
                "keep its shape and add a method of the other shape",
            ),
            Change::RequestChanged => Facts(
                &[Wire, Json, Callers],
                "what is sent is read as another message",
                "add fields to the message there is, or add a method",
            ),
            Change::AnswerChanged => Facts(
                &[Wire, Json, Callers],
                "what is answered is read as the message there was",
                "add fields to the message there is, or add a method",
            ),
            Change::IdempotencyWeakened => Facts(
                &[Callers],
                "callers repeat it on that promise, and now do twice what was asked for once",
                "keep the promise, or add a method that does not give it",
            ),
            Change::RouteRemoved => Facts(
                &[Rest],
                "requests to it are answered with 404 or 405",
                "keep it as one of additional_bindings",
            ),
            Change::RouteTaken => Facts(
                &[Rest],
                "requests that were for one method reach another",
                "give the new route a path that no released route fits",
            ),
            Change::RouteChanged => Facts(
                &[Rest],
                "what is in the path, the query or the body ends in another field, or is refused",
                "keep it, and add another route in additional_bindings",
            ),
            Change::RouteUnknown => Facts(
                &[Rest],
                "nobody can say whether requests to it are still answered",
                "leave it as it was released, or use what `google.api.http` supports here",
            ),
            Change::MessageRemoved => Facts(
                &[Callers],
                "whoever names the type no longer builds, and there may be messages of it",
                "keep it, marked deprecated",
            ),
            Change::FieldRemoved => Facts(
                &[Wire, Json, Callers],
                "a later field of that number or name would be filled with something else",
                "keep it, marked deprecated; or reserve both its number and its name",
            ),
            Change::FieldRefused => Facts(
                &[Json, Rest],
                "a member, or a query parameter, that no field has is refused",
                "keep the field, marked deprecated, and ignore it",
            ),
            Change::FieldRenumbered => Facts(
                &[Wire, Callers],
                "the wire knows fields by their numbers alone",
                "give it its number back",
            ),
            Change::FieldRenamed => Facts(
                &[Json, Rest, Callers],
                "JSON and queries may spell it as the .proto did, and generated code does",
                "give it its name back",
            ),
            Change::JsonNameChanged => Facts(
                &[Json, Rest],
                "JSON knows fields by their names alone",
                "give it its name in JSON back (json_name)",
            ),
            Change::TypeChanged => Facts(
                &[Wire, Json, Callers],
                "values are written in another way, or mean something else",
                "keep it, and add a field of the other type",
            ),
            Change::LabelChanged => Facts(
                &[Wire, Json, Callers],
                "several values are written differently from one, and absent means other than zero",
                "keep it, and add another field",
            ),
            Change::OneofChanged => Facts(
                &[Wire, Callers],
                "setting one field of a oneof clears the others, and did not before, or no longer does",
                "keep it where it is; a oneof may get new fields",
            ),
            Change::HalvesChanged => Facts(
                &[Json, Rest],
                "in JSON the value is half or twice what it was",
                "keep it, and add another field",
            ),
            Change::RuleTightened => Facts(
                &[Wire, Json, Rest, Callers],
                "requests that were answered are refused with INVALID_ARGUMENT",
                "allow at least what was allowed",
            ),
            Change::FieldDemanded => Facts(
                &[Wire, Json, Rest, Callers],
                "those who do not know it leave it out, and are refused with INVALID_ARGUMENT",
                "let its absence stand for what was before",
            ),
            Change::RuleUnknown => Facts(
                &[Wire, Json, Rest, Callers],
                "nobody can say whether what was allowed still is",
                "leave the rules as they were released, or use those supported here",
            ),
            Change::EnumRemoved => Facts(
                &[Callers],
                "whoever names the type no longer builds",
                "keep it, marked deprecated",
            ),
            Change::ValueRemoved => Facts(
                &[Json, Callers],
                "JSON that names it is refused, and its number means nothing any more",
                "keep it, marked deprecated",
            ),
            Change::ValueRenumbered => Facts(
                &[Wire, Callers],
                "the wire knows values by their numbers alone",
                "give it its number back",
            ),
            Change::ValueRenamed => Facts(
                &[Json, Callers],
                "JSON knows values by their names alone",
                "give it its name back",
            ),
        }
    }
}
