//! Rules of fields: whether what was allowed still is.

use super::follows::{Promised, follows, refuses_default};
use super::messages::field_place;
use super::{Change, Comparison};
use crate::emit::text;
use crate::error::Problems;
use crate::rule::{self, Check, Rules};
use crate::schema::Schema;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, Value};

impl Comparison<'_> {
    /// Rules of a field that is otherwise as it was.
    pub(super) fn rules(&mut self, released: &FieldDescriptor, today: &FieldDescriptor) {
        let (before, now) = (
            Read::of(self.released, released),
            Read::of(self.today, today),
        );
        if before.rules.halves != now.rules.halves {
            let what = if now.rules.halves {
                "counts halves now, and did not"
            } else {
                "counted halves, and does not any more"
            };
            self.findings
                .push(field_place(today).finding(Change::HalvesChanged, what));
        }
        if !self.uses.is_sent(released.parent_message().full_name()) {
            return;
        }
        if !(before.is_known && now.is_known) {
            if before.raw != now.raw {
                let what = "its rules changed, and some of them are none that can be compared";
                self.findings
                    .push(field_place(today).finding(Change::RuleUnknown, what));
            }
            return;
        }
        let tightened = tightened(released, &before.rules, today, &now.rules);
        if !tightened.is_empty() {
            let what = format!("{}, and need not before", tightened.join(" and "));
            self.findings
                .push(field_place(today).finding(Change::RuleTightened, what));
        }
    }

    /// A field that is new in a message callers send: those who do not know it leave it out.
    pub(super) fn demanded(&mut self, today: &FieldDescriptor) {
        let now = Read::of(self.today, today);
        let finding = if !now.is_known {
            Some((
                Change::RuleUnknown,
                "the new field has rules that cannot be judged: perhaps it must be there",
            ))
        } else if now.rules.required
            || (!today.supports_presence() && refuses_default(today, &now.rules.checks))
        {
            Some((Change::FieldDemanded, "the new field must be there"))
        } else {
            None
        };
        self.findings
            .extend(finding.map(|(change, what)| field_place(today).finding(change, what)));
    }

    /// Rules of a message or a oneof as a whole, none of which is read here.
    pub(super) fn rules_of_message(
        &mut self,
        released: &MessageDescriptor,
        today: &MessageDescriptor,
    ) {
        if !self.uses.is_sent(released.full_name()) {
            return;
        }
        let oneofs = |message: &MessageDescriptor| -> Vec<(String, Vec<u8>)> {
            let oneofs = message.oneofs().filter(|oneof| !oneof.is_synthetic());
            oneofs
                .map(|oneof| (oneof.name().to_owned(), raw(&oneof.options())))
                .filter(|(_, rules)| !rules.is_empty())
                .collect()
        };
        if raw(&released.options()) != raw(&today.options()) || oneofs(released) != oneofs(today) {
            let place =
                super::finding::Place::of(&today.parent_file(), today.path(), today.full_name());
            let what =
                "its own rules changed, or those of a oneof, and none of them can be compared";
            self.findings.push(place.finding(Change::RuleUnknown, what));
        }
    }
}

/// The rules of one field.
struct Read {
    rules: Rules,
    /// Whether `rules` holds all of them.
    is_known: bool,
    /// As they are written in the descriptor.
    raw: Vec<u8>,
}

impl Read {
    fn of(schema: &Schema, field: &FieldDescriptor) -> Read {
        let mut problems = Problems::default();
        let rules = rule::read(schema, field, &mut problems).unwrap_or_default();
        Read {
            rules,
            is_known: problems.or(()).is_ok(),
            raw: raw(&field.options()),
        }
    }
}

/// What options say in words of `buf.validate`, as it is written in the descriptor.
fn raw(options: &DynamicMessage) -> Vec<u8> {
    let rules = options
        .extensions()
        .filter(|(extension, _)| extension.full_name().starts_with("buf.validate."));
    let mut bytes = Vec::new();
    for (extension, value) in rules {
        bytes.extend(extension.number().to_be_bytes());
        match value {
            Value::Message(message) => bytes.extend(message.encode_to_vec()),
            other => bytes.extend(format!("{other:?}").into_bytes()),
        }
    }
    bytes
}

/// What has to be kept today and did not have to be before, in words.
fn tightened(
    released: &FieldDescriptor,
    before: &Rules,
    today: &FieldDescriptor,
    now: &Rules,
) -> Vec<String> {
    let promised = Promised::of(released, before);
    let mut tightened = Vec::new();
    if now.required && !promised.is_there() {
        tightened.push("must be there".to_owned());
    }
    let told = |check: &Check| match check {
        Check::Defined => "must be a value that the enum names".to_owned(),
        check => text::rule(check, now.halves),
    };
    tightened.extend(
        now.checks
            .iter()
            .filter(|check| !promised.keeps(check))
            .map(told),
    );
    let items = now
        .items
        .iter()
        .filter(|check| !follows(&today.kind(), &before.items, check));
    tightened.extend(items.map(|check| format!("each item {}", told(check))));
    tightened
}
