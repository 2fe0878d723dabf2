//! Messages, fields, enums.

use super::finding::Place;
use super::{Change, Comparison};
use crate::model;
use prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
};

impl Comparison<'_> {
    /// Everything that a released file declares, services aside.
    pub(super) fn types(&mut self, file: &FileDescriptor) {
        for released in model::messages(file.messages()) {
            match self.today.pool.get_message_by_name(released.full_name()) {
                Some(today) => self.message(&released, &today),
                None => self
                    .findings
                    .push(Place::gone(file, released.full_name()).finding(
                        Change::MessageRemoved,
                        "the message is gone, or has another name",
                    )),
            }
        }
        for released in enums(file) {
            match self.today.pool.get_enum_by_name(released.full_name()) {
                Some(today) => self.enumeration(&released, &today),
                None => self.findings.push(
                    Place::gone(file, released.full_name())
                        .finding(Change::EnumRemoved, "the enum is gone, or has another name"),
                ),
            }
        }
    }

    fn message(&mut self, released: &MessageDescriptor, today: &MessageDescriptor) {
        for field in released.fields() {
            match (
                today.get_field(field.number()),
                today.get_field_by_name(field.name()),
            ) {
                (Some(same), _) if same.name() == field.name() => self.field(&field, &same),
                (_, Some(moved)) => {
                    let what = format!(
                        "had number {}, and now has {}",
                        field.number(),
                        moved.number()
                    );
                    self.findings
                        .push(field_place(&moved).finding(Change::FieldRenumbered, what));
                }
                (Some(other), None) => {
                    let what = format!("was called {}, and now {}", field.name(), other.name());
                    self.findings
                        .push(field_place(&other).finding(Change::FieldRenamed, what));
                    self.field(&field, &other);
                }
                (None, None) => self.removed(&field, today),
            }
        }
        for field in today.fields() {
            let is_new = released.get_field(field.number()).is_none()
                && released.get_field_by_name(field.name()).is_none();
            if is_new && self.uses.is_sent(released.full_name()) {
                self.demanded(&field);
            }
        }
        self.rules_of_message(released, today);
    }

    fn removed(&mut self, released: &FieldDescriptor, today: &MessageDescriptor) {
        let number = released.number();
        let place = || Place::of(&today.parent_file(), today.path(), released.full_name());
        let mut free = Vec::new();
        if !today.reserved_ranges().any(|range| range.contains(&number)) {
            free.push(format!("number {number}"));
        }
        if !today.reserved_names().any(|name| name == released.name()) {
            free.push(format!("name {:?}", released.name()));
        }
        if !free.is_empty() {
            let what = format!(
                "the field is gone, and its {} may be used again",
                free.join(" and ")
            );
            self.findings
                .push(place().finding(Change::FieldRemoved, what));
        } else if self.uses.is_sent_as_json(today.full_name()) {
            let what = "the field is gone from requests that come as JSON too";
            self.findings
                .push(place().finding(Change::FieldRefused, what));
        }
    }

    fn field(&mut self, released: &FieldDescriptor, today: &FieldDescriptor) {
        let mut find = |change, before: &str, now: &str| {
            let what = format!("was {before}, and now is {now}");
            self.findings.push(field_place(today).finding(change, what));
        };
        let (before, now) = (released.json_name(), today.json_name());
        if before != now && released.name() == today.name() {
            find(
                Change::JsonNameChanged,
                &format!("{before:?} in JSON"),
                &format!("{now:?}"),
            );
        }
        let mut is_same = true;
        for (change, before, now) in [
            (Change::TypeChanged, type_of(released), type_of(today)),
            (Change::LabelChanged, label(released), label(today)),
            (Change::OneofChanged, oneof(released), oneof(today)),
        ] {
            if before != now {
                is_same = false;
                find(change, &before, &now);
                break;
            }
        }
        if is_same {
            self.rules(released, today);
        }
    }

    fn enumeration(&mut self, released: &EnumDescriptor, today: &EnumDescriptor) {
        for value in released.values() {
            let named = today.get_value_by_name(value.name());
            let place = || Place::of(&today.parent_file(), today.path(), value.full_name());
            let finding = match (named, today.get_value(value.number())) {
                (Some(named), _) if named.number() != value.number() => place().finding(
                    Change::ValueRenumbered,
                    format!("was {}, and now is {}", value.number(), named.number()),
                ),
                (Some(_), Some(first)) => {
                    // Of several names of one number, answers in JSON have the first.
                    let before = released.get_value(value.number());
                    let before = before.as_ref().map_or(value.name(), |first| first.name());
                    if first.name() == before || value.name() != before {
                        continue;
                    }
                    place().finding(
                        Change::ValueRenamed,
                        format!("{} is written {} now", value.number(), first.name()),
                    )
                }
                (None, Some(other)) => place().finding(
                    Change::ValueRenamed,
                    format!("{} is called {} now", value.number(), other.name()),
                ),
                (_, None) => place().finding(
                    Change::ValueRemoved,
                    format!("the value {} is gone", value.number()),
                ),
            };
            self.findings.push(finding);
        }
    }
}

pub(super) fn field_place(field: &FieldDescriptor) -> Place {
    Place::of(&field.parent_file(), field.path(), field.full_name())
}

fn enums(file: &FileDescriptor) -> Vec<EnumDescriptor> {
    let mut all: Vec<EnumDescriptor> = file.enums().collect();
    for message in model::messages(file.messages()) {
        all.extend(message.child_enums());
    }
    all
}

fn type_of(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => format!(
            "map<{:?}, {:?}>",
            entry.map_entry_key_field().kind(),
            entry.map_entry_value_field().kind()
        ),
        kind => format!("{kind:?}"),
    }
}

fn label(field: &FieldDescriptor) -> String {
    let presence = field.supports_presence()
        && real_oneof(field).is_none()
        && !matches!(field.kind(), Kind::Message(_));
    let label = match field.cardinality() {
        Cardinality::Repeated => "several values",
        Cardinality::Required => "one value that must be there",
        Cardinality::Optional if presence => "one value that may be absent",
        Cardinality::Optional => "one value",
    };
    label.to_owned()
}

fn oneof(field: &FieldDescriptor) -> String {
    match real_oneof(field) {
        Some(name) => format!("in the oneof {name}"),
        None => "in no oneof".to_owned(),
    }
}

fn real_oneof(field: &FieldDescriptor) -> Option<String> {
    let oneof = field.containing_oneof()?;
    (!oneof.is_synthetic()).then(|| oneof.name().to_owned())
}
